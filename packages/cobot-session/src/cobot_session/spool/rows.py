"""What is read from the tables, as records."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from cobot_session.messages import Receipt
from cobot_session.spool import dead
from cobot_session.spool.codec import load_incoming, load_outgoing, load_parts, loads
from cobot_session.spool.records import Backlog, Chat, Entry, Item
from cobot_session.spool.schema import DEAD, IN_HAND

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

log = logging.getLogger("cobot_session.spool")

T = TypeVar("T")

_LONGEST_SECONDS = 86_400.0
"""No pause that was stored lasts longer after a restart."""

_OPEN = {"inbox": "state IN (0, 1)", "outbox": "state = 0"}
"""Written as the partial indexes have it: SQLite uses them for the same words only."""
_COLUMNS = {
    "inbox": "seq, body, deliveries, state, not_before, at",
    "outbox": "seq, op, target, body, parts, done, ids, attempts, in_flight, not_before,"
    " whole_channel, error, detail, created",
}


def everything_open(db: sqlite3.Connection) -> Backlog:
    """Return all open entries and items, the plugins' states, and the dead counts."""
    backlog = _backlog(db, "")
    for channel, name, value in db.execute("SELECT channel, name, value FROM state"):
        backlog.states.setdefault(channel, {})[name] = loads(value)
    return backlog


def everything_reopened(db: sqlite3.Connection) -> Backlog:
    """Return what another process has opened again, and the dead counts."""
    return _backlog(db, " AND reopened")


def receipt(db: sqlite3.Connection, message_id: str, chat: Chat | None = None) -> Receipt | None:
    """Return the receipt of an id, in any chat or in one."""
    row = db.execute(
        "SELECT status, ids, error, attempts, detail, channel, chat FROM outbox WHERE id = ?",
        (message_id,),
    ).fetchone()
    if row is None or chat not in {None, row[5:]}:
        return None
    status, ids, error, attempts, detail = row[:5]
    return Receipt(message_id, status, tuple(loads(ids)), error, attempts, loads(detail) or {})


def _backlog(db: sqlite3.Connection, also: str) -> Backlog:
    entries = _read(db, "inbox", also, _entry)
    items = _read(db, "outbox", also, _item)
    for table, open_ in _OPEN.items():
        db.execute(f"UPDATE {table} SET reopened = 0 WHERE {open_} AND reopened")  # nosec B608 # of literals
    return Backlog(entries, items, dead=dead.counts(db))


def _read(
    db: sqlite3.Connection, table: str, also: str, record: Callable[[tuple[Any, ...]], T]
) -> list[T]:
    """Return a record of each open row; one that cannot be read becomes a dead letter."""
    records = []
    sql = f"SELECT {_COLUMNS[table]} FROM {table} WHERE {_OPEN[table]}{also} ORDER BY seq"  # nosec B608 # of literals
    for row in db.execute(sql).fetchall():
        try:
            records.append(record(row))
        except (ValueError, TypeError, KeyError) as error:
            reason = f"it cannot be read: {type(error).__name__}: {error}"
            log.error("row %d of the %s is a dead letter: %s", row[0], table, reason)  # noqa: TRY400 - the text says it all
            db.execute(
                f"UPDATE {table} SET state = ?, reason = ?, at = ? WHERE seq = ?",  # nosec B608 # of literals
                (DEAD, reason, time.time(), row[0]),
            )
    return records


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, body, deliveries, state, not_before, at = row
    entry = Entry(seq, load_incoming(body), deliveries, state == IN_HAND)
    entry.rest(_left(not_before, at))
    return entry


def _item(row: tuple[Any, ...]) -> Item:
    (
        seq,
        op,
        target,
        body,
        parts,
        done,
        ids,
        attempts,
        in_flight,
        not_before,
        whole,
        error,
        detail,
        created,
    ) = row
    message = load_outgoing(body)
    item = Item(
        op=op,
        message=message,
        created=created,
        seq=seq,
        target=target,
        parts=load_parts(parts, message) if parts else None,
        parts_stored=bool(parts),
        done=done,
        message_ids=loads(ids),
        attempts=attempts,
        in_flight=bool(in_flight),
        whole_channel=bool(whole),
        error=error,
        detail=loads(detail) or {},
    )
    item.since -= max(0.0, time.time() - created)
    item.rest(_left(not_before, created))
    return item


def _left(due: float, written: float) -> float:
    """Return for how long a pause still lasts.

    A clock that is behind what it wrote itself has been set back: it tells no more how long, and
    to ask a platform too soon costs one more refusal.
    """
    now = time.time()
    return min(due - now, _LONGEST_SECONDS) if now >= written else 0.0
