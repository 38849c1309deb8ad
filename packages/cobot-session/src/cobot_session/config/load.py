"""`cobot.yml` to a `Config`: the core's own settings, and a block for each plugin."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from cobot_session.config.document import Document, read
from cobot_session.config.places import Places, Steps, shown_key
from cobot_session.config.remaining import remaining
from cobot_session.config.settings import (
    COMMON_KEYS,
    CommonSettings,
    SessionSettings,
    WorkspaceSettings,
)
from cobot_session.config.validation import Part, check
from cobot_session.config.wording import unknown_fix
from cobot_session.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

Model = TypeVar("Model", bound=BaseModel)

BUILT_IN = ("session", "workspace")
NAME_RULE = "begins with a letter and goes on with at most 63 letters, digits, `-` and `_`"

NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_-]{0,63}$"

_SWITCHES = frozenset({"use", "enabled"})


@dataclass(frozen=True, slots=True)
class Block:
    """One plugin's part of the file.

    Attributes:
        name: the block's key; for a channel its `channel_type`.
        use: name of the plugin's entry point.
        common: what the core takes off.
        options: the plugin's own keys, `${VAR}` replaced, not validated.
        written: the file has this block; `False` for one made for a plugin without.
    """

    name: str
    use: str
    common: CommonSettings = field(default_factory=CommonSettings)
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    written: bool = True

    @property
    def steps(self) -> Steps:
        """The way to the block."""
        return ("plugins", self.name)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration.

    Attributes:
        file: where it was read, absolute; `None` if from no file.
        session: the session's own settings.
        workspace: where things are kept.
        blocks: the other blocks by name, in the order of the file.
        problems: mistakes found so far; empty unless loaded with `defer=True`.
        places: where each value stands.
    """

    file: Path | None = None
    session: SessionSettings = field(default_factory=SessionSettings)
    workspace: WorkspaceSettings = field(default_factory=WorkspaceSettings)
    blocks: dict[str, Block] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    places: Places = field(default_factory=Places, repr=False)

    def problem_at(self, path: Steps, rule: str, fix: str = "", *, at_key: bool = False) -> Problem:
        """Return the problem with the value at `path`, such as `("plugins", "telegram")`."""
        return self.places.problem(path, rule, fix, at_key=at_key)


def is_name(name: str) -> bool:
    """Tell whether a plugin or a block may have this name: it also names its folder."""
    return re.fullmatch(NAME_PATTERN, name) is not None


def load_config(
    source: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None,
    *,
    env: Mapping[str, str] | None = None,
    defer: bool = False,
) -> Config:
    """Return the configuration.

    Args:
        source: path of a `cobot.yml`, or what would stand in one (`${VAR}` included). `None`: the
            file that `COBOT_CONFIG` names, else `./cobot.yml`, else `cobot/cobot.yml` in the
            user's config folder, else an empty configuration. One that has been loaded already is
            taken as it is.
        env: the variables; default: those of the process.
        defer: keep mistakes in `Config.problems` instead of raising, so that the registry can
            tell them together with the mistakes in the plugins' own settings.

    Raises:
        ConfigError: every mistake at once, in the order of the file. A file that is absent,
            unreadable or no YAML is raised with `defer`, too.
    """
    if isinstance(source, Config):
        config = source
    else:
        config = _Loading(read(source, os.environ if env is None else env)).config()
    if config.problems and not defer:
        raise ConfigError(config.problems)
    return config


class _Loading:
    """The loading of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._places = document.places
        self._problems: list[Problem] = []

    def config(self) -> Config:
        plugins = self._plugins()
        blocks = dict(self._blocks(plugins))
        session = self._core(SessionSettings, plugins, "session")
        workspace = self._placed(self._core(WorkspaceSettings, plugins, "workspace"))
        off = {block.steps for block in blocks.values() if not block.common.enabled}
        return Config(
            self._document.file, session, workspace, blocks, self._told(off), self._places
        )

    def _told(self, off: set[Steps]) -> tuple[Problem, ...]:
        """Return the problems in the order of the file.

        What could not be read is not told a second time for being empty, and what a disabled block
        says only to its plugin does not matter.
        """
        reading = [problem for steps, problem in self._document.problems if steps[:2] not in off]
        told = {problem.field for problem in reading}
        checking = [problem for problem in self._problems if problem.field not in told]
        return tuple(sorted([*reading, *checking], key=lambda it: (it.line, it.column)))

    def _plugins(self) -> Mapping[str, Any]:
        """Return the mapping under `plugins`; report every other top-level key."""
        top = self._mapping(self._document.data, ())
        for key in top:
            if key != "plugins" and not key.startswith("x-"):
                rule = f"`{shown_key(key)}` is not a known key"
                self._report((key,), rule, _top_level_fix(key), at_key=True)
        return self._mapping(top.get("plugins"), ("plugins",))

    def _blocks(self, plugins: Mapping[str, Any]) -> Iterator[tuple[str, Block]]:
        for name in plugins:
            if name in BUILT_IN:
                continue
            if is_name(name):
                yield name, self._block(name, self._mapping(plugins[name], ("plugins", name)))
            else:
                fix = f"Use a name that {NAME_RULE}."
                self._report(("plugins", name), "is no name for a block", fix, at_key=True)

    def _block(self, name: str, data: Mapping[str, Any]) -> Block:
        steps = ("plugins", name)
        wanted = _common_keys(data)
        common = {key: value for key, value in data.items() if key in wanted}
        options = {key: value for key, value in data.items() if key not in COMMON_KEYS}
        settings = self._checked(CommonSettings, common, steps)
        use = settings.use or name
        if use in BUILT_IN:
            rule = f"`{use}` is built in and there is one of it"
            self._report((*steps, "use"), rule, f"Configure it as `plugins.{use}`.")
        elif not is_name(use):
            fix = f"Use a name that {NAME_RULE}."
            self._report((*steps, "use"), "is not the name of a plugin", fix)
        return Block(name, use, settings, options)

    def _core(self, model: type[Model], plugins: Mapping[str, Any], name: str) -> Model:
        steps = ("plugins", name)
        return self._checked(model, self._mapping(plugins.get(name), steps), steps)

    def _placed(self, settings: WorkspaceSettings) -> WorkspaceSettings:
        """Return the settings with an absolute path; a relative one starts at the file."""
        if settings.path is None:
            return settings
        try:
            path = settings.path.expanduser()
        except RuntimeError:
            fix = "Write the path without `~`."
            self._report(("plugins", "workspace", "path"), "names a user who is not known", fix)
            return settings
        folder = self._document.file.parent if self._document.file else Path.cwd()
        return settings.model_copy(update={"path": folder / path})

    def _checked(self, model: type[Model], data: Mapping[str, Any], steps: Steps) -> Model:
        part = Part(data, steps, self._places)
        found = check(model, part)
        self._problems += found.problems
        return found.value or remaining(model, part, found.wrong) or model()

    def _mapping(self, value: Any, steps: Steps) -> Mapping[str, Any]:
        """Return a mapping; nothing is an empty one, and anything else is reported."""
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return value
        self._report(steps, "should be a mapping", "Write `key: value` lines under it.")
        return {}

    def _report(self, steps: Steps, rule: str, fix: str, *, at_key: bool = False) -> None:
        self._problems.append(self._places.problem(steps, rule, fix, at_key=at_key))


def _common_keys(data: Mapping[str, Any]) -> frozenset[str]:
    """Return the common keys that count; the others of a disabled block need not be right."""
    switches = Part({key: data[key] for key in _SWITCHES & data.keys()}, (), Places())
    settings = check(CommonSettings, switches).value
    return COMMON_KEYS if settings is None or settings.enabled else _SWITCHES


def _top_level_fix(key: str) -> str:
    fix = unknown_fix(key, frozenset({"plugins"}))
    if fix.startswith("Did you mean"):
        return fix
    return "A plugin's block stands under `plugins:`; a key for your own use begins with `x-`."
