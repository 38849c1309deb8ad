"""`send`: one message out, and what became of it."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from cobot_session.cli import logs, output
from cobot_session.cli.options import ConfigOption, JsonOption, VerboseOption
from cobot_session.cli.outcome import FAILED, UsageMistake
from cobot_session.cli.way import deliver
from cobot_session.config import load_config
from cobot_session.messages import OutgoingMessage

if TYPE_CHECKING:
    from cobot_session.messages import Receipt

_NUMBER = re.compile(r"-\d[\d/]*")
"""A chat id may look like an option: groups of Telegram have negative ones."""


class SendCommand(TyperCommand):
    """Notes whether `--` was written: what follows it is no option, whatever it looks like."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what can follow the command."""
        return ["[OPTIONS]", "CHANNEL", "[CHAT]", "TEXT|-"]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as always."""
        ctx.obj = "--" in args
        return super().parse_args(ctx, args)


def send(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name in cobot.yml.")],
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[CHAT] TEXT",
            help="The chat's id; without, the channel's default chat. A TEXT of `-` is read from"
            " standard input.",
        ),
    ],
    timeout: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="How long to wait for delivery.")
    ] = 10.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Send one message, and tell what became of it.

    A session that runs already sends it; else the channel is started for it, after another `send`
    if one is at it, and what arrives meanwhile is kept for the agent. Exits with 0 only if it was
    delivered or is safely stored.
    """
    logs.set_up(verbose=verbose, quiet=True)
    chat, text = _parsed(words, literal=bool(context.obj))
    message = OutgoingMessage(channel, chat, _read(text))
    receipt = deliver(message, load_config(config, defer=True), timeout)
    if as_json:
        output.as_json(asdict(receipt))
    else:
        _show(receipt)
    raise typer.Exit(0 if receipt else FAILED)


def _parsed(words: list[str], *, literal: bool) -> tuple[str, str]:
    """Return chat and text.

    Raises:
        UsageMistake: there is more, or what looks like an option.
    """
    if len(words) > 2:
        raise UsageMistake(
            f'send takes CHANNEL [CHAT] TEXT; put the text in quotes: "{" ".join(words[1:])}"'
        )
    for word in words:
        if word.startswith("-") and word != "-" and not literal and not _NUMBER.fullmatch(word):
            raise UsageMistake(
                f"there is no option {word.split()[0]}; before a text that begins with"
                " a dash write `--`"
            )
    return ("", words[0]) if len(words) == 1 else (words[0], words[1])


def _read(text: str) -> str:
    read = sys.stdin.read().removesuffix("\n") if text == "-" else text
    if not read.strip():
        raise UsageMistake("there is no text to send")
    return read


def _show(receipt: Receipt) -> None:
    ids = f" as {', '.join(receipt.message_ids)}" if receipt.message_ids else ""
    output.note(f"{receipt.status}{ids}", f"{receipt.id}:")
    if receipt.error:
        output.note(receipt.error, "   ")
    if receipt.status == "queued":
        output.note("It is stored, and goes out when a session runs and the channel can.", "   ")
