"""`status`: what is true of a session, seen from beside it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from cobot_session.cli import output
from cobot_session.cli.choice import CONSOLE
from cobot_session.cli.options import ConfigOption, JsonOption
from cobot_session.cli.outcome import FAILED
from cobot_session.cli.place import Place, config_beside
from cobot_session.cli.running import pause_words
from cobot_session.spool.counting import Counts

if TYPE_CHECKING:
    from cobot_session.spool.counting import Pause
    from cobot_session.status import Status

_NUMBERS = ("received", "sent", "dropped", "pending", "dead")


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Tell how a session and its channels fare.

    Exits with 1 when no session runs, when it hangs, or when a channel has failed; else with 0: a
    channel that is reconnecting mends itself.
    """
    place = Place.of(config_beside(config))
    if as_json:
        output.as_json(_as_json(place))
    else:
        _show(place)
    well = place.is_fresh and all(one.state != "failed" for one in place.statuses.values())
    raise typer.Exit(0 if well else FAILED)


def _as_json(place: Place) -> dict[str, Any]:
    return {
        "running": place.pid is not None,
        "pid": place.pid,
        "fresh": place.is_fresh,
        "told_at": None if place.told_at is None else output.moment(place.told_at),
        "note": place.words(),
        "workspace": str(place.folder),
        "channels": [_channel(name, place) for name in _names(place)],
    }


def _channel(name: str, place: Place) -> dict[str, Any]:
    told = place.statuses.get(name)
    counts = place.counts.get(name, Counts())
    known = asdict(told) if told else {}
    return (
        {"channel": name}
        | known
        | {
            "state": place.state(name),
            "told_state": told.state if told else None,
            "pending": counts.pending,
            "dead": counts.dead,
            "pause": counts.pause and _pause(counts.pause),
        }
    )


def _pause(pause: Pause) -> dict[str, Any]:
    return asdict(pause) | {"until": output.moment(pause.until)}


def _names(place: Place) -> list[str]:
    """Return what was told of, and what only has messages in the spool."""
    return [*place.statuses, *sorted(place.counts.keys() - place.statuses.keys())]


def _show(place: Place) -> None:
    output.note(place.words())
    names = [name for name in _names(place) if not _is_idle_console(name, place)]
    if not names:
        return
    print()
    columns = ("channel", "state", "since", *_NUMBERS)
    output.table(columns, [_row(name, place) for name in names], right=_NUMBERS)
    notes = [(name, place.statuses[name]) for name in names if name in place.statuses]
    notes = [(name, one) for name, one in notes if one.state != "unconfigured"]
    troubled = [(name, one) for name, one in notes if one.last_error or one.dropped_by]
    health = _health(place)
    if health or troubled or any(one.pause for one in place.counts.values()):
        print()
    for name, words in health.items():
        output.note(words, f"{name}:")
    for name, one in troubled:
        _show_trouble(name, one)
    for name in names:
        if name in place.counts and (pause := place.counts[name].pause):
            output.note(pause_words(pause), f"{name}:")
    if any(counts.dead for counts in place.counts.values()):
        output.note("Dead letters wait for you: `cobot-session dead list`.")


def _is_idle_console(name: str, place: Place) -> bool:
    """Tell of the console that it is only there: no `run` needs it."""
    return name == CONSOLE and place.state(name) == "unconfigured" and name not in place.counts


def _row(name: str, place: Place) -> tuple[object, ...]:
    told = place.statuses.get(name)
    counts = place.counts.get(name, Counts())
    if told is None:
        return (name, "-", "-", "-", "-", "-", counts.pending, counts.dead)
    since = output.ago(told.since) if place.pid is not None else "-"
    done = (told.received, told.sent, told.dropped)
    return (name, place.state(name), since, *done, counts.pending, counts.dead)


def _health(place: Place) -> dict[str, str]:
    """Return the own words of channels on how they are, where no trouble repeats them."""
    if place.pid is None:
        return {}
    tense = {"online": "health", "reconnecting": "last health"}
    return {
        name: f"{tense[told.state]}: {told.detail}"
        for name, told in place.statuses.items()
        if told.state in tense and told.detail and told.detail != told.last_error
    }


def _show_trouble(name: str, told: Status) -> None:
    if told.last_error:
        tense = "last error" if told.state == "online" else told.state
        output.note(f"{tense}: {told.last_error}", f"{name}:")
    if told.dropped_by:
        dropped = ", ".join(f"{count} {why}" for why, count in sorted(told.dropped_by.items()))
        output.note(f"dropped: {dropped}", f"{name}:")
