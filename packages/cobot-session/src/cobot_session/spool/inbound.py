"""The table of what has arrived."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cobot_session.spool import access, bulk
from cobot_session.spool.codec import clean, dump_incoming, dumps
from cobot_session.spool.records import Entry
from cobot_session.spool.schema import DEAD, IN_HAND, SETTLED, WAITING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from cobot_session.messages import IncomingMessage

_OPEN = "state IN (0, 1)"
_INTO = "inbox (seq, channel, key, chat, body, state, deliveries, at)"


@dataclass(frozen=True, slots=True)
class Batch:
    """What a channel received at once, ready to be stored."""

    channel: str
    messages: Sequence[IncomingMessage]
    bodies: list[str]
    state: dict[str, str | None]
    heard: Sequence[str] = ()
    foreseen: bool = False


def batch(
    channel: str,
    messages: Sequence[IncomingMessage],
    state: Mapping[str, Any],
    heard: Sequence[str] = (),
    *,
    foreseen: bool = False,
) -> Batch:
    """Return a batch with its text made: that is done in the caller's thread."""
    bodies = [dump_incoming(message) for message in messages]
    return Batch(channel, messages, bodies, state_texts(state), heard, foreseen)


def state_texts(state: Mapping[str, Any]) -> dict[str, str | None]:
    """Return a plugin's state as it is stored."""
    return {name: None if value is None else dumps(value) for name, value in state.items()}


class Inbound:
    """Does things with many rows of the inbox; numbers them in the order of arrival.

    Args:
        last: the largest number so far.
    """

    def __init__(self, last: int) -> None:
        self._last = last

    def store(self, db: sqlite3.Connection, batches: list[Batch]) -> list[list[Entry]]:
        """Store what is new of each batch, and its state."""
        stored = [self._insert(db, one) for one in batches]
        for one in batches:
            write_state(db, one.channel, one.state)
            access.hear(db, one.channel, one.heard)
        return stored

    def _insert(self, db: sqlite3.Connection, one: Batch) -> list[Entry]:
        """Store messages whose key is new; a duplicate uses no number up."""
        before = self._last
        entries = self._try(db, one, known=set())
        if entries is None:
            db.execute("DELETE FROM inbox WHERE seq > ?", (before,))
            self._last = before
            select = "SELECT key FROM inbox WHERE channel = ? AND key IN"
            keys = [message.key for message in one.messages]
            known = {key for (key,) in bulk.run_in(db, select, (one.channel,), keys)}
            entries = self._try(db, one, known)
        return entries or []

    def _try(self, db: sqlite3.Connection, one: Batch, known: set[str]) -> list[Entry] | None:
        """Store what is not known; `None`: more of it is known."""
        entries, new, now = [], [], time.time()
        state, deliveries = (IN_HAND, 1) if one.foreseen else (WAITING, 0)
        here = one.channel
        for message, body in zip(one.messages, one.bodies, strict=True):
            if message.key not in known:
                known.add(message.key)
                self._last += 1
                entries.append(Entry(self._last, message, foreseen=one.foreseen))
                row = (self._last, here, message.key, message.channel_id, body)
                new.append((*row, state, deliveries, now))
        stored = bulk.insert(db, _INTO, new)
        return entries if stored == len(new) else None

    def hand_out(self, db: sqlite3.Connection, handed: list[list[tuple[int, int]]]) -> list[None]:
        """Note that rows `(seq, deliveries)` are in hand."""
        by_deliveries = defaultdict(list)
        for rows in handed:
            for seq, deliveries in rows:
                by_deliveries[deliveries].append(seq)
        change = f"UPDATE inbox SET state = {IN_HAND}, deliveries = ? WHERE {_OPEN} AND seq IN"  # nosec B608 # of literals
        for deliveries, seqs in by_deliveries.items():
            bulk.run_in(db, change, (deliveries,), seqs)
        return [None] * len(handed)

    def settle(self, db: sqlite3.Connection, settled: list[list[int]]) -> list[None]:
        """Be done with rows, and remember them."""
        seqs = [seq for some in settled for seq in some]
        change = f"UPDATE inbox SET state = {SETTLED}, at = ?, body = '' WHERE seq IN"  # nosec B608 # of literals
        bulk.run_in(db, change, (time.time(),), seqs)
        return [None] * len(settled)


def release(db: sqlite3.Connection, entries: list[tuple[int, int, float]]) -> None:
    """Put rows `(seq, deliveries, not_before)` back."""
    db.executemany(
        f"UPDATE inbox SET state = {WAITING}, deliveries = ?, not_before = ?"  # nosec B608 # of literals
        f" WHERE seq = ? AND {_OPEN}",
        [(deliveries, not_before, seq) for seq, deliveries, not_before in entries],
    )


def bury(db: sqlite3.Connection, seq: int, reason: str) -> None:
    """Make a row a dead letter."""
    db.execute(
        f"UPDATE inbox SET state = {DEAD}, reason = ?, at = ? WHERE seq = ? AND {_OPEN}",  # nosec B608 # of literals
        (clean(reason), time.time(), seq),
    )


def write_state(db: sqlite3.Connection, channel: str, changes: Mapping[str, str | None]) -> None:
    """Change a plugin's state."""
    for name, value in changes.items():
        if value is None:
            db.execute("DELETE FROM state WHERE channel = ? AND name = ?", (channel, name))
        else:
            db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (channel, name, value))
