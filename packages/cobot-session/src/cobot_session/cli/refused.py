"""Who was refused last, and who waits to be let in: what `doctor` tells of the gate."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

from cobot_session.cli.finding import Finding
from cobot_session.cli.output import ago

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cobot_session.spool.access import Book

_MOST = 10
"""Senders that are told of each channel."""


def gate_findings(
    drops: Mapping[str, Sequence[Mapping[str, Any]]], book: Book
) -> Iterator[Finding]:
    """Tell of each channel whom it refused last, by id, and how many wait with a code."""
    for channel in sorted(drops.keys() | book.requests.keys()):
        about = f"gate {channel}"
        asking = book.requests.get(channel, {}).values()
        now = time.time()
        waiting = sum(now < one.until and not one.refused for one in asking)
        if waiting:
            finding = f"{waiting} with a pairing code wait{'s' * (waiting == 1)} to be let in"
            yield Finding("ok", about, finding, "See `cobot-session pair list`.")
        paired = book.paired.get(channel, {})
        still = [one for one in drops.get(channel, ()) if one["sender"] not in paired]
        for drop in still[:_MOST]:
            yield Finding("ok", about, _refused(drop), _remedy(channel, drop))


def _refused(drop: Mapping[str, Any]) -> str:
    count = drop["count"]
    return (
        f"dropped {count} message{'s' * (count != 1)} ({drop['reason']}) of"
        f" {drop['sender'] or 'nobody who can be named'},"
        f" the last in the chat {drop['chat']} {ago(drop['last'])}"
    )


def _remedy(channel: str, drop: Mapping[str, Any]) -> str:
    if drop["reason"] == "flood":
        return f"`plugins.{channel}.access.rates` bounds it."
    if not drop["sender"]:
        return f"The whole chat: `plugins.{channel}.access.chats`."
    return f"To let them in: `cobot-session pair add {channel} {shlex.quote(drop['sender'])}`."
