"""`send`: one message out, and what became of it."""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from cobot_session.cli import logs, output
from cobot_session.cli.choice import only
from cobot_session.cli.options import ConfigOption, JsonOption, VerboseOption
from cobot_session.cli.outcome import FAILED, UsageMistake
from cobot_session.config import BUILT_IN, load_config
from cobot_session.messages import OutgoingMessage
from cobot_session.nearest import nearest
from cobot_session.registry import Registry
from cobot_session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cobot_session.config import Config
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

    Exits with 0 only if it was delivered or is safely stored. What arrives meanwhile is stored for
    the agent, and not touched.
    """
    logs.set_up(verbose=verbose, quiet=True)
    chat, text = _parsed(words, literal=bool(context.obj))
    message = OutgoingMessage(channel, chat, _read(text))
    with Session(_with_needs(load_config(config, defer=True), channel)) as session:
        receipt = session.send(message, timeout)
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


def _with_needs(config: Config, channel: str) -> Config:
    """Return a configuration for this channel and the plugins that it depends on.

    Raises:
        UsageMistake: there is no such channel.
        ConfigError: its settings have mistakes.
    """
    _check_name(config, channel)
    names: set[str] = set()
    needed = {channel}
    while not needed <= names:
        names |= needed
        registry = Registry(only(config, names))
        _load_silently(registry)
        metas = (record.meta for record in registry.records.values() if record.id in names)
        needed = {name for meta in metas if meta for name in _meant(meta.dependencies, config)}
    return only(config, names)


def _check_name(config: Config, channel: str) -> None:
    registry = Registry(config)
    registry.survey()
    if channel in BUILT_IN or channel not in registry.records:
        known = sorted(set(registry.records).difference(BUILT_IN))
        meant = nearest(channel, known)
        hint = f"Did you mean `{meant}`?" if meant else f"There are: {', '.join(known) or 'none'}."
        raise UsageMistake(f"there is no channel `{channel}`. {hint}")


def _load_silently(registry: Registry) -> None:
    """Load; the session that follows logs what there is to log."""
    logging.disable()
    try:
        registry.load()
    finally:
        logging.disable(logging.NOTSET)


def _meant(dependencies: Iterable[str], config: Config) -> Iterator[str]:
    """Yield the blocks that dependencies stand for."""
    for name in set(dependencies).difference(BUILT_IN):
        yield name
        yield from (block.name for block in config.blocks.values() if block.use == name)


def _show(receipt: Receipt) -> None:
    ids = f" as {', '.join(receipt.message_ids)}" if receipt.message_ids else ""
    output.note(f"{receipt.status}{ids}", f"{receipt.id}:")
    if receipt.error:
        output.note(receipt.error, "   ")
    if receipt.status == "queued":
        output.note("It is stored, and goes out when a session runs the channel.", "   ")
