"""The tables of the gate: chats heard from, people paired, codes asked for, strangers refused."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cobot_session.spool import bulk
from cobot_session.spool.codec import dumps, loads

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

MOST_HEARD = 10_000
"""Chats of one channel that are remembered; the newest stay."""
ASKED_SECONDS = 86_400.0
"""How long a request is remembered, so that one who asks again and again gets no code each time."""
REFUSED_SECONDS = 30 * 86_400.0
"""How long one who was refused gets no code."""

_SKEW_SECONDS = 60.0
"""What a clock may be set back by without anybody's noticing."""


@dataclass(frozen=True, slots=True)
class Paired:
    """A person whom the owner let in on the command line.

    Attributes:
        channel_type: where.
        user: the person's id.
        chat: the direct chat in which they asked; empty when they were added by id.
        at: epoch seconds when they were let in.
    """

    channel_type: str
    user: str
    chat: str
    at: float


@dataclass(frozen=True, slots=True)
class Request:
    """A stranger who was given a pairing code. What they wrote is nowhere.

    Attributes:
        channel_type: where.
        user: the person's id.
        chat: the direct chat.
        salt: of the digest.
        digest: of the code, which itself is not kept.
        at: epoch seconds when the code was made.
        until: epoch seconds when it ends.
        first: epoch seconds of the first code that `codes` counts.
        codes: codes given since `first`.
        refused: the owner said no.
    """

    channel_type: str
    user: str
    chat: str
    salt: bytes
    digest: bytes
    at: float
    until: float
    first: float
    codes: int = 1
    refused: bool = False

    def is_of(self, now: float) -> bool:
        """Tell whether it was made in the past; else the clock was ahead, and no age is true."""
        return self.at <= now + _SKEW_SECONDS


@dataclass(slots=True)
class Book:
    """Who is paired, and who has asked; each by channel, then by the person's id."""

    paired: dict[str, dict[str, Paired]] = field(default_factory=lambda: defaultdict(dict))
    requests: dict[str, dict[str, Request]] = field(default_factory=lambda: defaultdict(dict))


def book(db: sqlite3.Connection) -> Book:
    """Return who is paired and who has asked."""
    found = Book()
    for row in db.execute("SELECT channel, user, chat, at FROM paired ORDER BY at"):
        found.paired[row[0]][row[1]] = Paired(*row)
    columns = "channel, user, chat, salt, digest, at, until, first, codes, refused"
    for row in db.execute(f"SELECT {columns} FROM asked ORDER BY at"):  # nosec B608 # of literals
        found.requests[row[0]][row[1]] = Request(*row)
    return found


def ask(db: sqlite3.Connection, request: Request) -> None:
    """Note a request; it takes the place of an earlier one of the same person."""
    values = (
        *(request.channel_type, request.user, request.chat, request.salt, request.digest),
        *(request.at, request.until, request.first, request.codes, request.refused),
    )
    db.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def approve(db: sqlite3.Connection, is_it: Callable[[Request], bool]) -> Paired | None:
    """Let in the one whose code it is; `None` when it is nobody's, or its time is over."""
    now = time.time()
    asking = [one for some in book(db).requests.values() for one in some.values()]
    meant = [one for one in asking if is_it(one)]  # each is looked at, whichever it is
    meant = [one for one in meant if one.is_of(now) and now < one.until and not one.refused]
    if len(meant) != 1:
        return None
    paired = Paired(meant[0].channel_type, meant[0].user, meant[0].chat, now)
    add(db, paired)
    return paired


def add(db: sqlite3.Connection, paired: Paired) -> None:
    """Let a person in; their chat counts as heard from."""
    channel, user, chat = paired.channel_type, paired.user, paired.chat
    db.execute(
        "INSERT INTO paired VALUES (?, ?, ?, ?) ON CONFLICT (channel, user) DO UPDATE"
        " SET at = excluded.at, chat = CASE excluded.chat WHEN '' THEN chat ELSE excluded.chat END",
        (channel, user, chat, paired.at),
    )
    db.execute("DELETE FROM asked WHERE channel = ? AND user = ?", (channel, user))
    if chat:
        hear(db, channel, [chat])


def refuse(db: sqlite3.Connection, is_it: Callable[[Request], bool]) -> Request | None:
    """Refuse one who asks, so that they get no code for a long time; `None`: nobody is meant."""
    now = time.time()
    asking = [one for some in book(db).requests.values() for one in some.values()]
    meant = [one for one in asking if is_it(one)]
    if len(meant) != 1:
        return None
    db.execute(
        "UPDATE asked SET refused = 1, until = ?, at = ? WHERE channel = ? AND user = ?",
        (now, now, meant[0].channel_type, meant[0].user),
    )
    return meant[0]


def revoke(db: sqlite3.Connection, channel: str, user: str) -> bool:
    """Let a person in no longer; false when they were not paired."""
    who = (channel, user)
    row = db.execute("SELECT chat FROM paired WHERE channel = ? AND user = ?", who).fetchone()
    if row is None:
        return False
    db.execute("DELETE FROM paired WHERE channel = ? AND user = ?", who)
    db.execute("DELETE FROM heard WHERE channel = ? AND chat = ?", (channel, row[0]))
    return True


def heard(db: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the chats that each channel has heard from, the oldest first."""
    found: dict[str, list[str]] = defaultdict(list)
    for channel, chat in db.execute("SELECT channel, chat FROM heard ORDER BY seq"):
        found[channel].append(chat)
    return found


def hear(db: sqlite3.Connection, channel: str, chats: Iterable[str]) -> None:
    """Note that something came from chats."""
    if rows := [(channel, chat) for chat in chats]:
        bulk.insert(db, "heard (channel, chat)", rows)


def note_drops(db: sqlite3.Connection, channel: str, drops: Sequence[dict[str, Any]]) -> None:
    """Keep whom a channel has refused last, in the place of what was kept before."""
    db.execute("INSERT OR REPLACE INTO dropped VALUES (?, ?)", (channel, dumps(list(drops))))


def drops(db: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """Return whom each channel has refused last."""
    return {channel: loads(body) for channel, body in db.execute("SELECT * FROM dropped")}


def trim(db: sqlite3.Connection) -> None:
    """Forget what is past its time or its number."""
    now = time.time()
    db.execute(
        "DELETE FROM asked WHERE at < CASE refused WHEN 1 THEN ? ELSE ? END",
        (now - REFUSED_SECONDS, now - ASKED_SECONDS),
    )
    counts = db.execute("SELECT channel, count(*) FROM heard GROUP BY channel").fetchall()
    for channel, count in counts:
        if count > MOST_HEARD:
            db.execute(
                "DELETE FROM heard WHERE seq IN"
                " (SELECT seq FROM heard WHERE channel = ? ORDER BY seq LIMIT ?)",
                (channel, count - MOST_HEARD),
            )
