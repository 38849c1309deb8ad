"""One plugin: from its entry point to a complete record."""

from __future__ import annotations

import functools
import inspect
from dataclasses import fields
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cobot_session.config import (
    BUILT_IN,
    MissingSettingsError,
    checked_common,
    is_name,
    validate_options,
)
from cobot_session.errors import ConfigError, PluginError, Problem
from cobot_session.hooks import bind, hooks_of
from cobot_session.hookspecs import CHANNEL_HOOKS, OBSERVER_HOOKS
from cobot_session.nearest import nearest
from cobot_session.plugin import Limits
from cobot_session.registry.identity import check_contract, identity
from cobot_session.registry.installed import GIVEN
from cobot_session.registry.record import PluginRecord
from cobot_session.registry.stranger import bounded, guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cobot_session.config import Block, Config
    from cobot_session.registry.installed import Installed


def load_plugin(
    block: Block, config: Config, claims: Mapping[str, list[Installed]]
) -> tuple[PluginRecord, tuple[Problem, ...]]:
    """Return the record of a block's plugin, and the mistakes in the block's own settings.

    A disabled plugin is not imported. Nothing that the plugin does raises here, except Ctrl-C.
    """
    if not block.common.enabled:
        return survey_plugin(block, claims), ()
    record = PluginRecord(block.name, block.use, common=block.common)
    try:
        origin = _origin(record, claims)
        with guarded("it cannot be loaded", origin.distribution):
            plugin = _probe(record, origin)
            _inspect(record, plugin, origin)
            needs_block = bool(getattr(plugin, "needs_block", False))
        _settle(record, block, config, needs_block=needs_block)
    except PluginError as error:
        record.rest("failed", error.reason, error.remedy)
    except MissingSettingsError as error:
        needed = " and ".join(f"`{name}`" for name in error.missing)
        record.rest("unconfigured", f"it needs {needed}", _example(record))
    except ConfigError as error:
        mistakes = "; ".join(f"{problem.field}: {problem.rule}" for problem in error.problems)
        fixes = dict.fromkeys(problem.fix for problem in error.problems)
        record.rest("failed", f"its block has mistakes: {mistakes}", " ".join(fixes))
        return record, error.problems
    return record, ()


def survey_plugin(block: Block, claims: Mapping[str, list[Installed]]) -> PluginRecord:
    """Return what can be told of a block's plugin without importing it."""
    record = PluginRecord(block.name, block.use, common=block.common)
    if not block.common.enabled:
        _sign(record, claims.get(block.use, ()))
        record.rest("disabled", "its block says `enabled: false`")
        return record
    try:
        _origin(record, claims)
    except PluginError as error:
        record.rest("failed", error.reason, error.remedy)
    return record


def _origin(record: PluginRecord, claims: Mapping[str, list[Installed]]) -> Installed:
    """Return the one entry point of the name."""
    found = claims.get(record.use, [])
    _sign(record, found)
    if not found:
        meant = nearest(record.use, [*claims, *BUILT_IN])
        install = f"Install it (`pip install cobot-{record.use}`)"
        raise PluginError(
            f"no plugin named `{record.use}` is installed",
            f"{f'Did you mean `{meant}`? Else' if meant else install + ', or'} take its block out.",
        )
    if not is_name(record.use):
        raise PluginError(
            f"`{record.use}` is no name for a plugin",
            "Its authors have to use letters, digits, `-` and `_` only.",
        )
    if len(found) > 1:
        names = " and ".join(map(str, found))
        raise PluginError(
            f"its name is claimed twice: by {names}",
            f"Uninstall one of them: `pip uninstall {found[-1].distribution}`.",
        )
    return found[0]


def _sign(record: PluginRecord, found: Collection[Installed]) -> None:
    record.distribution = ", ".join(origin.distribution for origin in found)
    record.version = ", ".join(origin.version for origin in found)


def _probe(record: PluginRecord, origin: Installed) -> object:
    """Return an object of the plugin; it serves to look at and is thrown away."""
    with guarded("it cannot be imported", origin.distribution):
        target = bounded(origin.load, "it cannot be imported", origin.distribution)
    factory = _factory(target, origin)
    check_contract(getattr(getattr(target, "meta", None), "contract", None), origin)
    making = f"`{origin.value}` cannot be called without arguments"
    with guarded(making, origin.distribution):
        plugin = bounded(factory, making, origin.distribution)
    if inspect.iscoroutine(plugin):
        plugin.close()
    if plugin is None or isinstance(plugin, type | ModuleType) or inspect.iscoroutine(plugin):
        raise PluginError(
            f"`{origin.value}` makes no plugin object but a {type(plugin).__name__}",
            "Let the factory be a `def` that returns a new object of the plugin's class.",
        )
    record.factory = factory
    return plugin


def _factory(target: Any, origin: Installed) -> Callable[[], object]:
    if isinstance(target, type | functools.partial) or inspect.isroutine(target):
        return target
    what = f"an object of class `{type(target).__name__}`"
    if isinstance(target, ModuleType):
        what = f"the module `{target.__name__}`"
    if origin.distribution == GIVEN:
        raise PluginError(f"it is {what}, not a class or a factory", "Give the class itself.")
    module = origin.value.partition(":")[0]
    raise PluginError(
        f"its entry point names {what}, not a class or a factory",
        f'Its authors have to write `{origin.name} = "{module}:TheClass"`.',
    )


def _inspect(record: PluginRecord, plugin: object, origin: Installed) -> None:
    """Note who the plugin is and what it can do."""
    record.meta = identity(getattr(plugin, "meta", None), origin)
    record.dependencies = tuple(record.meta.dependencies)
    record.priority = record.meta.priority
    record.hooks = hooks_of(bind(plugin))
    if not record.hooks & (CHANNEL_HOOKS | OBSERVER_HOOKS):
        raise PluginError(
            "it is neither a channel nor an observer",
            "A plugin has `session_receive`, `session_send` or a `session_on_…` hook.",
        )
    record.limits = _limits(getattr(plugin, "limits", None))
    model = getattr(plugin, "config_model", None)
    if model is not None and not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise PluginError("its `config_model` is no pydantic model", "Derive it from `BaseModel`.")
    record.model = model


def _limits(limits: object) -> Limits:
    if isinstance(limits, Limits):
        return limits
    names = (field.name for field in fields(Limits) if hasattr(limits, field.name))
    return Limits(**{name: getattr(limits, name) for name in names})


def _settle(record: PluginRecord, block: Block, config: Config, *, needs_block: bool) -> None:
    """Validate the plugin's settings."""
    if needs_block and not block.written:
        record.rest("unconfigured", "cobot.yml has no block for it", _example(record))
        return
    if record.model is None:
        record.common = checked_common(config, block, None)
        record.config = {**block.options, record.use: dict(block.options)}
        return
    with guarded("its settings cannot be checked", record.distribution, secrets=True):
        record.config = _settings(record, block, config, record.model)
        rules = getattr(record.config, "access", None)
        record.access = rules() if callable(rules) else None


def _settings(
    record: PluginRecord, block: Block, config: Config, model: type[BaseModel]
) -> BaseModel:
    """Return the plugin's validated settings, and put its access rules into the record.

    Raises:
        ConfigError: every mistake in either.
    """
    problems: tuple[Problem, ...] = ()
    try:
        record.common = checked_common(config, block, model)
    except ConfigError as error:
        problems = error.problems
    try:
        settings = validate_options(config, block, model)
    except ConfigError as error:
        if not problems:
            raise
        problems = (*error.problems, *problems)
    if problems:
        raise ConfigError(sorted(problems, key=lambda it: (it.line, it.column)))
    return settings


def _example(record: PluginRecord) -> str:
    """Return the remedy that shows what to write."""
    model = record.model
    required = [
        field.alias or name
        for name, field in (model.model_fields if model else {}).items()
        if field.is_required()
    ]
    keys = ", ".join(f"{name}: …" for name in required)
    return f"Write in cobot.yml: `plugins: {{{record.id}: {{{keys}}}}}`."
