"""What was handled, in the channel's durable state, so that a restart repeats nothing.

Relays keep private messages for days and their wraps are dated back, so every connection is asked
for two days again. What was handled is stored in blocks; a block is dropped when no relay can
deliver anything in it any more. Blocks grow within one `session_receive` call and commit with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

BLOCK = 100
"""Events in one stored value."""
KEPT_SECONDS = 4 * 24 * 3600
"""How long blocks are kept at least: two days of backdating, two for clocks and overlaps."""
KEPT_BLOCKS = 50
"""Blocks that are kept however old they are."""

_PREFIX = "seen/"


class Known(TypedDict):
    """What is remembered of an event: enough to answer it, react to it, or see it deleted."""

    kind: int
    author: str
    chat: str
    about: str
    """Of a reaction the event reacted to; of a note the root of its thread; else empty."""


class Ledger:
    """The handled events, over a plugin's `state`."""

    def __init__(self, state: MutableMapping[str, Any]) -> None:
        self._state = state
        self._blocks: dict[str, dict[str, Known | None]] = {}
        self._times: dict[str, int] = {}
        self._events: dict[str, Known | None] = {}
        for name in sorted(one for one in state if one.startswith(_PREFIX)):
            value = state[name]
            self._blocks[name] = value["events"]
            self._times[name] = int(value["at"])
            self._events.update(value["events"])

    def __contains__(self, event_id: object) -> bool:
        return event_id in self._events

    def __len__(self) -> int:
        return len(self._events)

    def known(self, event_id: str) -> Known | None:
        """Return what is remembered of an event."""
        return self._events.get(event_id)

    def authors(self, most: int) -> list[str]:
        """Return who wrote the public events that are remembered, latest first, each once."""
        events = (one for one in reversed(self._events.values()) if one is not None)
        public = (one["author"] for one in events if "/" in one["chat"])
        return list(dict.fromkeys(public))[:most]

    def add(self, events: Mapping[str, Known | None]) -> None:
        """Remember what is about to be returned; call it inside `session_receive` only."""
        fresh = [(one, known) for one, known in events.items() if one not in self._events]
        self._events.update(fresh)
        now = int(time.time())
        while fresh:
            name = self._open_block()
            room = BLOCK - len(self._blocks[name])
            self._blocks[name].update(fresh[:room])
            self._times[name] = now
            self._state[name] = {"at": now, "events": self._blocks[name]}
            fresh = fresh[room:]

    def _open_block(self) -> str:
        """Return the name of the latest block, or of a new one when it is full."""
        latest = max(self._blocks, default="")
        if latest and len(self._blocks[latest]) < BLOCK:
            return latest
        number = int(latest.removeprefix(_PREFIX)) + 1 if latest else 0
        name = f"{_PREFIX}{number:08d}"
        self._blocks[name] = {}
        return name

    def forget(self, before: int) -> None:
        """Drop blocks that were last written before this Unix time, but for the latest ones."""
        for name in sorted(self._blocks)[:-KEPT_BLOCKS]:
            if self._times[name] < before:
                for event_id in self._blocks.pop(name):
                    self._events.pop(event_id, None)
                del self._times[name]
                self._state.pop(name, None)
