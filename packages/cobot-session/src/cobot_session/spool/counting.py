"""What lies in the tables, counted by channel, for who looks from beside."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cobot_session.spool import dead
from cobot_session.spool.codec import load_outgoing

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class Pause:
    """Sends that wait for a time: the platform named it, or a try failed.

    Attributes:
        chats: how many chats wait.
        whole_channel: so does every other chat of the channel.
        until: epoch seconds when the last of them goes on.
        error: the trouble it waits for.
    """

    chats: int
    whole_channel: bool
    until: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What of one channel lies in the file.

    Attributes:
        pending: messages stored and not done, in either direction, and those that another process
            left for a session.
        dead: dead letters.
        pause: what of the pending ones waits for a time; `None`: nothing.
    """

    pending: int = 0
    dead: int = 0
    pause: Pause | None = None


def counts(db: sqlite3.Connection) -> dict[str, Counts]:
    """Return what lies in the file, by channel."""
    pending = _pending(db)
    given_up = dead.counts(db)
    paused = _pauses(db)
    return {
        name: Counts(pending[name], given_up.get(name, 0), paused.get(name))
        for name in pending.keys() | given_up.keys()
    }


def _pending(db: sqlite3.Connection) -> Counter[str]:
    # one statement, since a session may put what was posted into the outbox at any moment
    found = db.execute(
        "SELECT channel, count(*), NULL FROM (SELECT channel FROM inbox WHERE state IN (0, 1)"
        " UNION ALL SELECT channel FROM outbox WHERE state = 0) GROUP BY channel"
        " UNION ALL SELECT NULL, 1, body FROM posted"
    )
    pending: Counter[str] = Counter()
    for channel, count, body in found:
        name = channel if body is None else _addressee(body)
        if name is not None:
            pending[name] += count
    return pending


def _addressee(body: str) -> str | None:
    """Return the channel of what was posted; `None`: nobody can read it, and it goes nowhere."""
    try:
        return load_outgoing(body).channel_type
    except (ValueError, TypeError, KeyError):
        return None


def _pauses(db: sqlite3.Connection) -> dict[str, Pause]:
    found = db.execute(
        "SELECT channel, count(DISTINCT chat), sum(whole_channel) > 0, max(not_before), error"
        " FROM outbox WHERE state = 0 AND not_before > ? GROUP BY channel",
        [time.time()],
    )
    return {name: Pause(chats, bool(whole), *rest) for name, chats, whole, *rest in found}
