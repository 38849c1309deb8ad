"""All plugins of one session: found, loaded each by itself, ordered."""

from __future__ import annotations

import logging
from itertools import groupby
from typing import TYPE_CHECKING

import importlib_metadata

from cobot_session.config import Block
from cobot_session.errors import ConfigError, PluginError, Problem
from cobot_session.nearest import nearest
from cobot_session.plugin import PluginMeta
from cobot_session.registry.installed import GIVEN, Installed, given, installed
from cobot_session.registry.loading import load_plugin, survey_plugin
from cobot_session.registry.order import ordered, resolve
from cobot_session.registry.record import PluginRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cobot_session.config import Config

OURS = "cobot-session"
PRIORITIES = {"session": 10, "workspace": 20}

log = logging.getLogger(__name__)


class Registry:
    """The plugins that a configuration and an installation make.

    Args:
        config: what to load.
        extra: name -> class or factory, beside the installed ones; it goes before one of its name.

    Attributes:
        records: id -> what is known of it; complete also when `load` raised.
    """

    def __init__(
        self, config: Config, extra: Mapping[str, Callable[[], object]] | None = None
    ) -> None:
        self.records: dict[str, PluginRecord] = {}
        self._config = config
        self._extra: dict[str, list[Installed]] = {
            name: [given(name, target)] for name, target in (extra or {}).items()
        }
        self._objects: dict[str, object] = {}

    def load(self) -> None:
        """Import and check every plugin that is not disabled.

        A plugin's fault becomes a record that says so; the others load.

        Raises:
            ConfigError: `cobot.yml` has mistakes; all of them, in the order of the file.
            PluginError: `session.strict` is set and plugins failed; all of them.
        """
        claims = self._claims()
        problems = list(self._config.problems)
        self.records = self._built_in(claims)
        for block in self._blocks(claims):
            self.records[block.name], mistakes = load_plugin(block, self._config, claims)
            told = {problem.field for problem in problems}
            problems += [problem for problem in mistakes if problem.field not in told]
        resolve(self.records)
        problems += self._default_channel_problems()
        if problems:
            raise ConfigError(sorted(problems, key=lambda it: (it.line, it.column)))
        if self._config.session.strict:
            self._refuse_failures()
        self._log_failures()

    def survey(self) -> None:
        """Record what can be told without importing anything.

        A plugin that seems usable is `ready` and has no `factory`; settings are not looked at.
        """
        claims = self._claims()
        self.records = self._built_in(claims)
        for block in self._blocks(claims):
            self.records[block.name] = survey_plugin(block, claims)

    def ordered(self) -> list[PluginRecord]:
        """Return the ready records: dependencies first, then by priority, then by id."""
        return ordered(self.records.values())

    def get_plugin(self, id: str) -> object | None:  # noqa: A002  # a word of the contract
        """Return the running object of a plugin, `None` when there is none."""
        return self._objects.get(id)

    def set_plugin(self, id: str, plugin: object) -> None:  # noqa: A002  # as above
        """Make an object the running one of its plugin."""
        self._objects[id] = plugin

    def _claims(self) -> dict[str, list[Installed]]:
        """Return who claims each name."""
        found = installed()
        claims = {name: list(them) for name, them in groupby(found, lambda plugin: plugin.name)}
        return claims | self._extra

    def _built_in(self, claims: dict[str, list[Installed]]) -> dict[str, PluginRecord]:
        """Return the session's and the workspace's records; nobody else may have their names."""
        version = importlib_metadata.version(OURS)
        records = {
            name: PluginRecord(
                id=name,
                use=name,
                distribution=OURS,
                version=version,
                meta=PluginMeta(name, version, priority=priority),
                config=getattr(self._config, name),
                priority=priority,
            )
            for name, priority in PRIORITIES.items()
        }
        for name in PRIORITIES:
            for other in claims.pop(name, ()):
                id_ = f"{name} ({other.distribution})"
                records[id_] = PluginRecord(id_, name, other.distribution, other.version)
                reason = f"the name `{name}` is built in, and {other} claims it, too"
                records[id_].rest("failed", reason, f"`pip uninstall {other.distribution}`.")
        return records

    def _blocks(self, claims: dict[str, list[Installed]]) -> Iterator[Block]:
        """Yield the file's blocks, then one for each plugin that no block uses."""
        blocks = self._config.blocks
        yield from blocks.values()
        taken = blocks.keys() | {block.use for block in blocks.values()}
        for name in sorted(claims.keys() - taken):
            yield Block(name, name, written=False)

    def _default_channel_problems(self) -> list[Problem]:
        name = self._config.session.default_channel
        record = self.records.get(name or "")
        if name is None or (record and (record.is_channel or record.state != "ready")):
            return []
        channels = [other.id for other in self.records.values() if other.is_channel]
        meant = nearest(name, channels)
        known = ", ".join(sorted(channels)) or "none"
        fix = f"Did you mean `{meant}`?" if meant else f"Channels: {known}."
        path = ("plugins", "session", "default_channel")
        return [self._config.problem_at(path, "names no channel", fix)]

    def _failures(self) -> list[PluginRecord]:
        return [record for record in self.records.values() if record.state == "failed"]

    def _log_failures(self) -> None:
        for record in self._failures():
            log.warning(
                "plugin %s is not used: %s. %s", _titled(record), record.reason, record.remedy
            )

    def _refuse_failures(self) -> None:
        failures = self._failures()
        if failures:
            each = (f"{_titled(record)}: {record.reason}" for record in failures)
            remedies = dict.fromkeys(record.remedy for record in failures)
            raise PluginError("; ".join(each), " ".join(remedies))


def _titled(record: PluginRecord) -> str:
    origin = f"{record.distribution} {record.version}".strip()
    if not origin:
        return record.id
    return f"{record.id} {origin}" if origin == GIVEN else f"{record.id} ({origin})"
