"""What lies in the tables, counted by channel, for who looks from beside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cobot_session.spool import dead

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
        pending: messages stored and not done, in either direction.
        dead: dead letters.
        pause: what of the pending ones waits for a time; `None`: nothing.
    """

    pending: int = 0
    dead: int = 0
    pause: Pause | None = None


def counts(db: sqlite3.Connection) -> dict[str, Counts]:
    """Return what lies in the file, by channel."""
    waiting = db.execute(
        "SELECT channel, count(*) FROM (SELECT channel FROM inbox WHERE state IN (0, 1)"
        " UNION ALL SELECT channel FROM outbox WHERE state = 0) GROUP BY channel"
    )
    pending: dict[str, int] = dict(waiting.fetchall())
    given_up = dead.counts(db)
    paused = _pauses(db)
    return {
        name: Counts(pending.get(name, 0), given_up.get(name, 0), paused.get(name))
        for name in pending.keys() | given_up.keys()
    }


def _pauses(db: sqlite3.Connection) -> dict[str, Pause]:
    found = db.execute(
        "SELECT channel, count(DISTINCT chat), sum(whole_channel) > 0, max(not_before), error"
        " FROM outbox WHERE state = 0 AND not_before > ? GROUP BY channel",
        [time.time()],
    )
    return {name: Pause(chats, bool(whole), *rest) for name, chats, whole, *rest in found}
