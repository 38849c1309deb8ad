"""Dead letters in the tables: listing, opening again, forgetting."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cobot_session.spool.codec import count_parts, load_incoming, load_outgoing, loads
from cobot_session.spool.records import DeadLetter
from cobot_session.spool.schema import DEAD, SETTLED

if TYPE_CHECKING:
    import sqlite3

    from cobot_session.messages import IncomingMessage, OutgoingMessage
    from cobot_session.spool.records import Op

_PREVIEW = 200
"""Characters of the text that a dead letter shows."""


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """Everything that is known of one dead letter.

    Attributes:
        letter: why and when it was given up.
        message: what was given up.
        op: what was to be done with it; `None` for a received message.
        target: the message to edit, delete or react to.
        parts: how many pieces the platform was to get; 0: it never came to that.
        done: how many of them it got.
        message_ids: the platform's ids of those.
        error: the latest trouble.
    """

    letter: DeadLetter
    message: IncomingMessage | OutgoingMessage
    op: Op | None = None
    target: str | None = None
    parts: int = 0
    done: int = 0
    message_ids: tuple[str, ...] = ()
    error: str | None = None


def letters(db: sqlite3.Connection) -> list[DeadLetter]:
    """Return all dead letters, oldest first."""
    rows = db.execute(
        "SELECT 'in-' || seq, 'in', channel, chat, reason, deliveries, at, body, NULL FROM inbox"
        " WHERE state = 3 UNION ALL"
        " SELECT 'out-' || id, 'out', channel, chat, reason, attempts, at, body, status FROM outbox"
        " WHERE state = 3 ORDER BY 7"
    )
    return [_letter(row) for row in rows]


def message(db: sqlite3.Connection, dead_id: str) -> DeadMessage | None:
    """Return everything about one dead letter, `None` when there is none of that id."""
    letter = next((one for one in letters(db) if one.id == dead_id), None)
    if letter is None:
        return None
    table, column, value = _address(dead_id)
    if table == "inbox":
        (body,) = db.execute("SELECT body FROM inbox WHERE seq = ?", (value,)).fetchone()
        return DeadMessage(letter, load_incoming(body))
    columns = "body, op, target, parts, done, ids, error"
    row = db.execute(f"SELECT {columns} FROM outbox WHERE {column} = ?", (value,)).fetchone()  # nosec B608 # of literals
    body, op, target, parts, done, ids, error = row
    return DeadMessage(
        letter, load_outgoing(body), op, target, count_parts(parts), done, tuple(loads(ids)), error
    )


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many dead letters each channel has."""
    rows = db.execute(
        "SELECT channel, count(*) FROM (SELECT channel FROM inbox WHERE state = 3 UNION ALL"
        " SELECT channel FROM outbox WHERE state = 3) GROUP BY channel"
    )
    return dict(rows.fetchall())


def replay(db: sqlite3.Connection, dead_id: str) -> bool:
    """Open a dead letter again, as if it were new; false when there is none of that id."""
    table, column, value = _address(dead_id)
    if table == "inbox":
        change = "state = 0, deliveries = 0, not_before = 0, reason = NULL, reopened = 1"
    else:
        change = (
            "state = 0, status = 'queued', attempts = 0, in_flight = 0, not_before = 0,"
            " whole_channel = 0, error = NULL, reason = NULL, reopened = 1,"
            f" created = {time.time()}"
        )
    sql = f"UPDATE {table} SET {change} WHERE {column} = ? AND state = ?"  # nosec B608 # of literals
    return db.execute(sql, (value, DEAD)).rowcount == 1


def drop(db: sqlite3.Connection, dead_id: str) -> bool:
    """Give up a dead letter; false when there is none of that id."""
    table, column, value = _address(dead_id)
    sql = f"UPDATE {table} SET state = ?, at = ?, body = '' WHERE {column} = ? AND state = ?"  # nosec B608 # of literals
    return db.execute(sql, (SETTLED, time.time(), value, DEAD)).rowcount == 1


def _address(dead_id: str) -> tuple[str, str, str]:
    direction, _, value = dead_id.partition("-")
    return ("inbox", "seq", value) if direction == "in" else ("outbox", "id", value)


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    dead_id, direction, channel, chat, reason, attempts, at, body, status = row
    known = dead_id, direction, channel, chat, reason, attempts, at
    return DeadLetter(*known, _content(body), status)


def _content(body: str) -> str:
    try:
        return str(loads(body)["content"])[:_PREVIEW]
    except (ValueError, TypeError, KeyError):
        return body[:_PREVIEW]  # what cannot be read is shown as it is
