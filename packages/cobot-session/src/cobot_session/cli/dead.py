"""`dead`: messages that were given up; look at them, try them again, forget them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cobot_session.cli import output
from cobot_session.cli.options import ConfigOption, JsonOption
from cobot_session.cli.outcome import FAILED, UsageMistake
from cobot_session.cli.place import Place, config_beside
from cobot_session.errors import CobotError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cobot_session.spool.dead import DeadMessage
    from cobot_session.spool.records import DeadLetter

app = typer.Typer(
    no_args_is_help=True,
    help="Messages that were given up: list, show, replay, drop.",
    pretty_exceptions_enable=False,
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `dead list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
AllSafe = Annotated[
    bool,
    typer.Option("--all", help="All but those that may have arrived, which are to be named."),
]
_MAY_HAVE_ARRIVED = "it may have arrived"
Channel = Annotated[
    str | None, typer.Option("--channel", metavar="NAME", help="Only those of this channel.")
]


@app.command("list")
def list_(
    channel: Channel = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List dead letters, oldest first."""
    place = _place(config)
    letters = _of_channel(place.beside.dead_letters(), channel)
    if as_json:
        output.as_json([_letter(one) for one in letters])
        return
    for letter in letters:
        _show_letter(letter)
    count = f"{len(letters)} dead letters" if len(letters) != 1 else "1 dead letter"
    output.note(f"{count if letters else 'No dead letters'}. {place.words()}")
    if letters:
        output.note("`cobot-session dead replay ID` tries one again, `dead drop ID` forgets it.")


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `dead list` shows it.")],  # noqa: A002
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about one dead letter."""
    place = _place(config)
    found = place.beside.dead_message(id)
    if found is None:
        raise _unknown(id)
    if as_json:
        output.as_json(_message(found))
    else:
        _show_message(found)


@app.command()
def replay(
    ids: Ids = None, every: AllSafe = False, channel: Channel = None, config: ConfigOption = None
) -> None:
    """Try dead letters again, as if they were new.

    One that may have arrived already is tried again only when it is named.
    """
    place = _place(config)
    chosen = _chosen(place, ids, every, channel)
    uncertain = _uncertain(place, chosen) if every else []
    certain = [one for one in chosen if one not in uncertain]
    done = _each(certain, place.beside.replay, "will be tried again")
    if done:
        when = "within a second" if place.pid is not None else "when a session starts"
        output.note(f"{place.words()} They are taken up {when}.")
    if uncertain:
        output.note(
            f"Left out, since they may have arrived, and would then arrive twice:"
            f" {', '.join(uncertain)}. Name those that did not: `cobot-session dead replay ID`."
        )
    _exit(done, certain, is_empty=not chosen)


@app.command()
def drop(
    ids: Ids = None,
    every: All = False,
    channel: Channel = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --all: do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Forget dead letters for good."""
    place = _place(config)
    chosen = _chosen(place, ids, every, channel)
    if every and chosen and not yes:
        _confirm(len(chosen))
    done = _each(chosen, place.beside.drop, "is forgotten")
    _exit(done, chosen, is_empty=not chosen)


def _place(config: Path | None) -> Place:
    return Place.of(config_beside(config))


def _of_channel(letters: list[DeadLetter], channel: str | None) -> list[DeadLetter]:
    return [one for one in letters if channel in {None, one.channel_type}]


def _chosen(place: Place, ids: list[str] | None, every: bool, channel: str | None) -> list[str]:
    """Return the ids of the letters that are meant."""
    if every == bool(ids):
        raise UsageMistake("name the dead letters, as in `dead replay in-7`, or write `--all`")
    if ids:
        return list(dict.fromkeys(ids))
    return [one.id for one in _of_channel(place.beside.dead_letters(), channel)]


def _each(ids: list[str], do: Callable[[str], bool], words: str) -> list[str]:
    """Do something to each letter; returns the ids of those that there were."""
    done = []
    for one in ids:
        if do(one):
            done.append(one)
            print(f"{output.visible(one)} {words}")
        else:
            output.complain(str(_unknown(one)))
    return done


def _uncertain(place: Place, ids: list[str]) -> list[str]:
    """Return those of which nobody knows whether they arrived."""
    return [one.id for one in place.beside.dead_letters() if one.id in ids and _is_uncertain(one)]


def _is_uncertain(letter: DeadLetter) -> bool:
    return letter.status == "unknown"


def _reason(letter: DeadLetter) -> str:
    words = f"{_MAY_HAVE_ARRIVED}: " if _is_uncertain(letter) else ""
    return f"{words}{letter.reason}"


def _exit(done: list[str], chosen: list[str], *, is_empty: bool) -> None:
    if is_empty:
        output.note("No dead letters.")
    raise typer.Exit(0 if len(done) == len(chosen) else FAILED)


def _confirm(count: int) -> None:
    if not sys.stdin.isatty():
        raise UsageMistake("`dead drop --all` forgets for good: add `--yes` if that is meant")
    typer.confirm(f"Forget {count} dead letter{'s' * (count != 1)} for good?", abort=True)


def _unknown(dead_id: str) -> CobotError:
    return CobotError(f"there is no dead letter {dead_id!r}; `cobot-session dead list` has all")


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return asdict(letter) | {"at": output.moment(letter.at)}


def _message(found: DeadMessage) -> dict[str, Any]:
    shown = _letter(found.letter) | {"message": asdict(found.message)}
    if found.op is None:
        return shown
    return shown | {
        "op": found.op,
        "target": found.target,
        "parts": found.parts,
        "done": found.done,
        "message_ids": list(found.message_ids),
        "error": found.error,
    }


def _show_letter(letter: DeadLetter) -> None:
    way = "from" if letter.direction == "in" else "to"
    tried = "handed out" if letter.direction == "in" else "tried"
    output.note(
        f"{way} {letter.channel_type} {letter.channel_id}, {output.ago(letter.at)},"
        f" {tried} {letter.attempts} time{'s' * (letter.attempts != 1)}",
        f"{letter.id} ",
    )
    output.note(_reason(letter), "   ")
    output.note(f"“{letter.content}”", "   ")
    print()


def _show_message(found: DeadMessage) -> None:
    letter, message = found.letter, found.message
    lines: dict[str, object] = {
        "id": letter.id,
        "way": "received" if letter.direction == "in" else f"to be sent ({found.op})",
        "channel": letter.channel_type,
        "chat": letter.channel_id,
        "given up": f"{output.moment(letter.at)} ({output.ago(letter.at)})",
        "reason": _reason(letter),
        "tries": letter.attempts,
    }
    if found.op is not None:
        known = "known to be " if _is_uncertain(letter) else ""
        lines |= {
            "target": found.target,
            "parts": f"{found.done} of {found.parts} {known}delivered" if found.parts else None,
            "delivered as": ", ".join(found.message_ids),
            "error": found.error,
        }
    else:
        sender = (getattr(message, "sender_name", ""), getattr(message, "sender_id", ""))
        lines["sender"] = " ".join(filter(None, sender))
    lines |= {"answers": message.reply_to, "attachments": len(message.media) or None}
    lines["metadata"] = output.json_line(message.metadata) if message.metadata else None
    for name, value in lines.items():
        if value not in {None, ""}:
            output.note(str(value), f"{name}:".ljust(14))
    print()
    for line in message.content.splitlines():
        print(output.visible(line))
