"""Dead letters in the tables: listing, opening again, forgetting."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cobot_session.spool.codec import loads
from cobot_session.spool.records import DeadLetter
from cobot_session.spool.schema import DEAD

if TYPE_CHECKING:
    import sqlite3

_PREVIEW = 200
"""Characters of the text that a dead letter shows."""


def letters(db: sqlite3.Connection) -> list[DeadLetter]:
    """Return all dead letters, oldest first."""
    rows = db.execute(
        "SELECT 'in-' || seq, 'in', channel, chat, reason, deliveries, at, body FROM inbox"
        " WHERE state = 3 UNION ALL"
        " SELECT 'out-' || id, 'out', channel, chat, reason, attempts, at, body FROM outbox"
        " WHERE state = 3 ORDER BY 7"
    )
    return [_letter(row) for row in rows]


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
    sql = f"UPDATE {table} SET {change} WHERE {column} = ? AND state = ?"
    return db.execute(sql, (value, DEAD)).rowcount == 1


def drop(db: sqlite3.Connection, dead_id: str) -> bool:
    """Forget a dead letter; false when there is none of that id."""
    table, column, value = _address(dead_id)
    sql = f"DELETE FROM {table} WHERE {column} = ? AND state = ?"
    return db.execute(sql, (value, DEAD)).rowcount == 1


def _address(dead_id: str) -> tuple[str, str, str]:
    direction, _, value = dead_id.partition("-")
    return ("inbox", "seq", value) if direction == "in" else ("outbox", "id", value)


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    dead_id, direction, channel, chat, reason, attempts, at, body = row
    content = str(loads(body)["content"])[:_PREVIEW]
    return DeadLetter(dead_id, direction, channel, chat, reason, attempts, at, content)
