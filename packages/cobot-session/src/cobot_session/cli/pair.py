"""`pair`: strangers who ask to be let in, and those who are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cobot_session.cli import output
from cobot_session.cli.naming import known_channel, person_id
from cobot_session.cli.options import ConfigOption, JsonOption
from cobot_session.cli.outcome import UsageMistake
from cobot_session.cli.place import Place, config_beside
from cobot_session.errors import CobotError
from cobot_session.pairing.codes import fits, is_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.config import Config
    from cobot_session.spool.access import Paired, Request

app = typer.Typer(
    no_args_is_help=True,
    help="Who may write: list, approve, reject, revoke, add.",
    pretty_exceptions_enable=False,
)

Code = Annotated[str, typer.Argument(metavar="CODE", help="As the stranger was told it.")]
Channel = Annotated[str, typer.Argument(metavar="CHANNEL", help="Name of its block in cobot.yml.")]
Person = Annotated[str, typer.Argument(metavar="ID", help="The person's id, never a name.")]


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List who waits to be let in, and who is paired."""
    place = Place.of(config_beside(config))
    book = place.beside.book()
    requests = [one for some in book.requests.values() for one in some.values()]
    paired = [one for some in book.paired.values() for one in some.values()]
    if as_json:
        output.as_json(
            {"requests": [_request(one) for one in requests], "paired": [*map(_paired, paired)]}
        )
        return
    rows = [(one.channel_type, one.user, _state(one), output.ago(one.at)) for one in requests]
    rows += [(one.channel_type, one.user, "paired", output.ago(one.at)) for one in paired]
    if rows:
        output.table(("channel", "person", "state", "since"), rows)
    else:
        output.note("Nobody is paired, and nobody waits to be.")
    if any(_state(one) == "waiting" for one in requests):
        print()
        output.note(
            "Let one in with the code that they tell you: `cobot-session pair approve CODE`."
        )


@app.command()
def approve(code: Code, config: ConfigOption = None) -> None:
    """Let in the stranger who was given this code."""
    place = Place.of(config_beside(config))
    _check_code(code)
    found = place.beside.approve(lambda one: fits(code, one.salt, one.digest))
    if found is None:
        raise CobotError("nobody waits with this code; it is good for one hour, and once")
    _tell(place, f"{found.user} may write to the agent through {found.channel_type}")


@app.command()
def reject(
    who: Annotated[
        list[str], typer.Argument(metavar="CODE | CHANNEL ID", help="Whose request it is.")
    ],
    config: ConfigOption = None,
) -> None:
    """Refuse a stranger who asks; they get no code for thirty days."""
    settings = config_beside(config)
    place = Place.of(settings)
    found = place.beside.refuse(_meant(who, settings))
    if found is None:
        raise CobotError("nobody waits who is meant; `cobot-session pair list` has all")
    _tell(place, f"{found.user} gets no code of {found.channel_type} for thirty days")


@app.command()
def revoke(channel: Channel, person: Person, config: ConfigOption = None) -> None:
    """Let a paired person in no longer."""
    settings = config_beside(config)
    place = Place.of(settings)
    id_ = person_id(settings, channel, person)
    if not place.beside.revoke(channel, id_):
        raise CobotError(
            f"{id_} is not paired in {channel}; `cobot-session pair list` has all, and"
            " cobot.yml may list them, too"
        )
    _tell(place, f"{id_} may write through {channel} no longer, unless cobot.yml says so")


@app.command()
def add(channel: Channel, person: Person, config: ConfigOption = None) -> None:
    """Let a person in by their id, without a code: the first owner, say."""
    settings = config_beside(config)
    place = Place.of(settings)
    if channel not in place.statuses:
        known_channel(settings, channel)
    id_ = person_id(settings, channel, person)
    place.beside.pair(channel, id_)
    _tell(place, f"{id_} may write to the agent through {channel}")


def _meant(who: list[str], config: Config) -> Callable[[Request], bool]:
    """Return what tells the request that is meant."""
    if len(who) == 2:
        channel, person = who[0], person_id(config, who[0], who[1])
        return lambda one: (one.channel_type, one.user) == (channel, person)
    if len(who) != 1:
        raise UsageMistake("name the request: `pair reject CODE`, or `pair reject CHANNEL ID`")
    _check_code(who[0])
    return lambda one: fits(who[0], one.salt, one.digest)


def _check_code(code: str) -> None:
    if not is_code(code):
        raise UsageMistake("this is no pairing code: one looks like `7KQX-93MW-TRB2`")


def _tell(place: Place, words: str) -> None:
    when = "" if place.pid is None else " The session that runs knows it within a second."
    output.note(f"{words}.{when}")


def _state(one: Request) -> str:
    if one.refused:
        return "refused"
    return "waiting" if time.time() < one.until else "expired"


def _request(one: Request) -> dict[str, Any]:
    return {
        "channel": one.channel_type,
        "person": one.user,
        "chat": one.chat,
        "state": _state(one),
        "at": output.moment(one.at),
        "until": output.moment(one.until),
    }


def _paired(one: Paired) -> dict[str, Any]:
    return {
        "channel": one.channel_type,
        "person": one.user,
        "chat": one.chat,
        "at": output.moment(one.at),
    }
