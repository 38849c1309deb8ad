"""`channels`: what is installed and configured, and how it fares."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cobot_session.cli import output
from cobot_session.cli.options import ConfigOption, JsonOption
from cobot_session.cli.outcome import FAILED, MISTAKEN
from cobot_session.cli.place import Place, config_beside
from cobot_session.errors import ConfigError, PluginError
from cobot_session.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobot_session.errors import Problem
    from cobot_session.registry import PluginRecord
    from cobot_session.status import Status

_BUILT_IN = frozenset({"session", "workspace"})


def channels(
    check: Annotated[
        bool, typer.Option("--check", help="Import each plugin and check its settings.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every plugin that is installed or configured.

    Without --check nothing is imported. Where a session runs, its own word on each is shown.
    """
    settings = config_beside(config)
    place = Place.of(settings)
    registry = Registry(settings)
    mistakes = _look(registry, check=check)
    problems = settings.problems if mistakes is None else mistakes.problems
    lines = [
        Line.of(record, place, [one for one in problems if _is_of(record, one)], checked=check)
        for record in registry.records.values()
    ]
    if as_json:
        output.as_json([line.as_json() for line in lines])
    else:
        _show(lines, place)
        for problem in problems:
            if not any(_is_of(record, problem) for record in registry.records.values()):
                output.note(str(problem))
        if settings.problems and mistakes is None:
            output.note("cobot.yml has mistakes; `cobot-session doctor` tells them all.")
    if mistakes is not None:
        raise typer.Exit(MISTAKEN)
    if check and any(record.state == "failed" for record in registry.records.values()):
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class Line:
    """One plugin as listed.

    Attributes:
        record: what the registry knows.
        state: the last word on it.
        reason: why it is not well; each mistake in its block is a line.
        remedy: what to do about it; a mistake says so itself.
        told: what a session said of it.
        fresh: whether that is true now.
    """

    record: PluginRecord
    state: str
    reason: str
    remedy: str
    told: Status | None
    fresh: bool

    @classmethod
    def of(
        cls, record: PluginRecord, place: Place, mistakes: Sequence[Problem], *, checked: bool
    ) -> Line:
        """Merge what is found here with what a session said, and with the mistakes in its block."""
        told = place.statuses.get(record.id)
        state: str = record.state
        if state == "ready" and not checked and record.id not in _BUILT_IN:
            state = "installed"
        reason, remedy = record.reason, record.remedy
        if mistakes and record.state != "disabled":
            state, reason, remedy = "failed", "\n".join(map(str, mistakes)), ""
        if told is not None and place.is_fresh and not (checked and state == "failed"):
            state = told.state
            if told.state != "online":
                reason = reason or told.last_error or ""
        return cls(record, state, reason, remedy, told, place.is_fresh)

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        told = self.told
        return {
            "channel": self.record.id,
            "use": self.record.use,
            "distribution": self.record.distribution,
            "version": self.record.version,
            "state": self.state,
            "reason": self.reason,
            "remedy": self.remedy,
            "session": told
            and {
                "state": told.state,
                "since": told.since,
                "last_error": told.last_error,
                "fresh": self.fresh,
            },
        }


def _is_of(record: PluginRecord, problem: Problem) -> bool:
    """Tell whether a mistake stands in a plugin's block."""
    return f"{problem.field}.".startswith((f"plugins.{record.id}.", f"plugins.{record.id}["))


def _look(registry: Registry, *, check: bool) -> ConfigError | None:
    """Fill in the records; returns the mistakes in the configuration, if they were looked for."""
    logging.disable()  # the table says it all
    try:
        if check:
            registry.load()
        else:
            registry.survey()
    except ConfigError as mistakes:
        return mistakes
    except PluginError:  # strict: the records say the same
        pass
    finally:
        logging.disable(logging.NOTSET)
    return None


def _show(lines: list[Line], place: Place) -> None:
    rows = [
        (line.record.id, line.state, line.record.distribution or "-", line.record.version or "-")
        for line in lines
    ]
    output.table(("plugin", "state", "distribution", "version"), rows)
    print()
    for line in lines:
        label = f"{line.record.id}:"
        if line.reason and line.state != "disabled":
            for reason in line.reason.splitlines():
                output.note(f"{reason}. {line.remedy}" if line.remedy else reason, label)
    output.note(place.words())
    if place.pid is None or not place.is_fresh:
        _show_last_words(lines)


def _show_last_words(lines: list[Line]) -> None:
    """Tell what a session that is not there any more left behind."""
    for line in lines:
        told = line.told
        if told is not None and told.state in {"failed", "reconnecting", "online"}:
            error = f": {told.last_error}" if told.last_error and told.state != "online" else ""
            since = output.ago(told.since)
            output.note(f"said last that it was {told.state}, since {since}{error}", line.record.id)
