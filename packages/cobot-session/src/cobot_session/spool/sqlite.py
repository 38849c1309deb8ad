"""The spool in one SQLite file. All SQL of the session stands here and in `schema.py`."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from cobot_session.messages import Receipt
from cobot_session.spool import dead
from cobot_session.spool.codec import (
    dump_message,
    dump_parts,
    dumps,
    load_incoming,
    load_outgoing,
    load_parts,
    loads,
)
from cobot_session.spool.protocol import Spool
from cobot_session.spool.records import Backlog, Entry, Item
from cobot_session.spool.schema import DEAD, IN_HAND, SETTLED, WAITING, connect
from cobot_session.spool.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from cobot_session.messages import IncomingMessage
from cobot_session.spool.records import DeadLetter

_CLOSE_SECONDS = 30.0
_TRIM_AT_ONCE = 5_000
"""Rows one `trim` removes at most, so that no commit waits long behind it."""

_ENTRY_COLUMNS = "seq, body, deliveries, state, not_before"
_ITEM_COLUMNS = (
    "seq, op, target, body, parts, done, ids, attempts, in_flight, not_before, whole_channel,"
    " error, detail, created"
)


class SqliteSpool(Spool):
    """A `Spool` in WAL mode, with one thread that writes.

    Args:
        path: the file, made with mode 0600; `:memory:` keeps nothing.
        durability: `full`: what was committed survives a power cut; `normal`: it survives a crash
            of the process, and a power cut may take the last moments.
        retain_days: how long settled messages are remembered, to tell duplicates.
        retain_count: how many settled messages are remembered at most.
    """

    def __init__(
        self,
        path: Path | Literal[":memory:"],
        *,
        durability: Literal["full", "normal"] = "full",
        retain_days: float = 7.0,
        retain_count: int = 100_000,
    ) -> None:
        db = connect(path, durability)
        self._retain = (retain_days * 86_400, retain_count)
        self._entry_seq = count(_largest(db, "inbox") + 1)
        self._item_seq = count(_largest(db, "outbox") + 1)
        self._version = 0
        self._writer = Writer(db, "cobot-spool")

    def load(self) -> Future[Backlog]:
        return self._writer.submit(_load)

    def store(
        self, channel_type: str, messages: Sequence[IncomingMessage], state: Mapping[str, Any]
    ) -> Future[list[Entry]]:
        bodies = [dump_message(message) for message in messages]
        changes = _dumped(state)

        def job(db: sqlite3.Connection) -> list[Entry]:
            entries = [Entry(next(self._entry_seq), message) for message in messages]
            now = time.time()
            rows = [
                (entry.seq, channel_type, entry.message.key, entry.message.channel_id, body, now)
                for entry, body in zip(entries, bodies, strict=True)
            ]
            stored = _insert_new(db, rows) if rows else set()
            _write_state(db, channel_type, changes)
            return [entry for entry in entries if entry.seq in stored]

        return self._writer.submit(job)

    def hand_out(self, entries: Sequence[Entry]) -> Future[None]:
        rows = [(IN_HAND, entry.deliveries, entry.seq) for entry in entries]
        return self._writer.submit(
            lambda db: _all(db, "UPDATE inbox SET state = ?, deliveries = ? WHERE seq = ?", rows)
        )

    def settle(self, entries: Sequence[Entry], replies: Sequence[Item] = ()) -> Future[list[Item]]:
        rows = [_item_row(reply) for reply in replies]

        def job(db: sqlite3.Connection) -> list[Item]:
            _settle(db, entries)
            pairs = zip(replies, rows, strict=True)
            return [reply for reply, row in pairs if self._insert_item(db, reply, row)]

        return self._writer.submit(job)

    def release(self, entries: Sequence[Entry]) -> Future[None]:
        rows = [(WAITING, entry.deliveries, entry.not_before, entry.seq) for entry in entries]
        return self._writer.submit(
            lambda db: _all(
                db, "UPDATE inbox SET state = ?, deliveries = ?, not_before = ? WHERE seq = ?", rows
            )
        )

    def bury_entry(self, entry: Entry, reason: str) -> Future[None]:
        row = (DEAD, reason, time.time(), entry.seq)
        return self._writer.submit(
            lambda db: _all(
                db, "UPDATE inbox SET state = ?, reason = ?, at = ? WHERE seq = ?", [row]
            )
        )

    def enqueue(self, item: Item) -> Future[Receipt | None]:
        row = _item_row(item)

        def job(db: sqlite3.Connection) -> Receipt | None:
            return None if self._insert_item(db, item, row) else _receipt(db, item.id)

        return self._writer.submit(job)

    def progress(self, item: Item) -> Future[None]:
        row = (
            _unstored_parts(item),
            item.done,
            dumps(item.message_ids),
            item.attempts,
            item.in_flight,
            item.not_before,
            item.whole_channel,
            item.error,
            dumps(item.detail),
            item.seq,
        )
        return self._writer.submit(
            lambda db: _all(
                db,
                "UPDATE outbox SET parts = coalesce(?, parts), done = ?, ids = ?, attempts = ?,"
                " in_flight = ?, not_before = ?, whole_channel = ?, error = ?, detail = ?"
                " WHERE seq = ?",
                [row],
            )
        )

    def finish(self, item: Item, receipt: Receipt, dead: str | None = None) -> Future[None]:
        row = (
            SETTLED if dead is None else DEAD,
            receipt.status,
            item.done,
            dumps(receipt.message_ids),
            receipt.attempts,
            receipt.error,
            dumps(receipt.detail),
            dead,
            time.time(),
            item.seq,
        )
        forget = ", body = '', parts = NULL" if dead is None else ""
        return self._writer.submit(
            lambda db: _all(
                db,
                "UPDATE outbox SET state = ?, status = ?, done = ?, ids = ?, attempts = ?,"
                f" error = ?, detail = ?, reason = ?, at = ?, in_flight = 0{forget} WHERE seq = ?",
                [row],
            )
        )

    def receipt(self, message_id: str) -> Future[Receipt | None]:
        return self._writer.submit(lambda db: _receipt(db, message_id))

    def retarget(self, message_id: str, platform_ids: Sequence[str]) -> Future[None]:
        row = (dumps(list(platform_ids)), message_id)
        return self._writer.submit(
            lambda db: _all(db, "UPDATE outbox SET ids = ? WHERE id = ?", [row])
        )

    def set_state(self, channel_type: str, state: Mapping[str, Any]) -> Future[None]:
        changes = _dumped(state)
        return self._writer.submit(lambda db: _write_state(db, channel_type, changes))

    def dead_letters(self) -> Future[list[DeadLetter]]:
        return self._writer.submit(dead.letters)

    def replay(self, dead_id: str) -> Future[bool]:
        return self._writer.submit(lambda db: dead.replay(db, dead_id))

    def drop(self, dead_id: str) -> Future[bool]:
        return self._writer.submit(lambda db: dead.drop(db, dead_id))

    def reopened(self) -> Future[Backlog]:
        def job(db: sqlite3.Connection) -> Backlog:
            (version,) = db.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return Backlog(dead=dead.counts(db))
            self._version = version
            return _reopened(db)

        return self._writer.submit(job)

    def publish(self, status: Mapping[str, Any]) -> Future[None]:
        row = (dumps(status), time.time())
        return self._writer.submit(
            lambda db: _all(
                db, "INSERT OR REPLACE INTO published (id, body, at) VALUES (1, ?, ?)", [row]
            )
        )

    def trim(self) -> Future[None]:
        age, most = self._retain

        def job(db: sqlite3.Connection) -> None:
            for table in ("inbox", "outbox"):
                oldest = _largest(db, table) - most
                db.execute(
                    f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} WHERE state = ?"
                    " AND (at < ? OR seq <= ?) ORDER BY seq LIMIT ?)",
                    (SETTLED, time.time() - age, oldest, _TRIM_AT_ONCE),
                )

        return self._writer.submit(job)

    def close(self) -> None:
        self._writer.close(_CLOSE_SECONDS)

    def _insert_item(self, db: sqlite3.Connection, item: Item, row: tuple[Any, ...]) -> bool:
        item.seq = next(self._item_seq)
        cursor = db.execute(
            "INSERT INTO outbox (seq, id, channel, chat, op, target, body, parts, at, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (item.seq, *row),
        )
        return cursor.rowcount == 1


def _item_row(item: Item) -> tuple[Any, ...]:
    return (
        item.id,
        *item.chat,
        item.op,
        item.target,
        dump_message(item.message),
        _unstored_parts(item),
        item.created,
        item.created,
    )


def _unstored_parts(item: Item) -> str | None:
    return None if item.parts is None or item.parts_stored else dump_parts(item.parts)


def _largest(db: sqlite3.Connection, table: Literal["inbox", "outbox"]) -> int:
    (seq,) = db.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()
    return int(seq)


def _all(db: sqlite3.Connection, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
    db.executemany(sql, rows)


def _settle(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    now = time.time()
    db.executemany(
        "UPDATE inbox SET state = ?, at = ?, body = '' WHERE seq = ?",
        [(SETTLED, now, entry.seq) for entry in entries],
    )


def _insert_new(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> set[int]:
    db.executemany(
        "INSERT INTO inbox (seq, channel, key, chat, body, at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (channel, key) DO NOTHING",
        rows,
    )
    return {seq for (seq,) in db.execute("SELECT seq FROM inbox WHERE seq >= ?", (rows[0][0],))}


def _dumped(state: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: None if value is None else dumps(value) for name, value in state.items()}


def _write_state(
    db: sqlite3.Connection, channel_type: str, changes: Mapping[str, str | None]
) -> None:
    for name, value in changes.items():
        if value is None:
            db.execute("DELETE FROM state WHERE channel = ? AND name = ?", (channel_type, name))
        else:
            db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (channel_type, name, value))


def _receipt(db: sqlite3.Connection, message_id: str) -> Receipt | None:
    row = db.execute(
        "SELECT status, ids, error, attempts, detail FROM outbox WHERE id = ?", (message_id,)
    ).fetchone()
    if row is None:
        return None
    status, ids, error, attempts, detail = row
    return Receipt(message_id, status, tuple(loads(ids)), error, attempts, loads(detail) or {})


def _load(db: sqlite3.Connection) -> Backlog:
    entries = [
        _entry(row)
        for row in db.execute(
            f"SELECT {_ENTRY_COLUMNS} FROM inbox WHERE state IN (0, 1) ORDER BY seq"
        )
    ]
    items = [
        _item(row)
        for row in db.execute(f"SELECT {_ITEM_COLUMNS} FROM outbox WHERE state = 0 ORDER BY seq")
    ]
    states: dict[str, dict[str, Any]] = {}
    for channel, name, value in db.execute("SELECT channel, name, value FROM state"):
        states.setdefault(channel, {})[name] = loads(value)
    db.execute("UPDATE inbox SET reopened = 0 WHERE reopened")
    db.execute("UPDATE outbox SET reopened = 0 WHERE reopened")
    return Backlog(entries, items, states, dead.counts(db))


def _reopened(db: sqlite3.Connection) -> Backlog:
    entries = [
        _entry(row)
        for row in db.execute(
            f"SELECT {_ENTRY_COLUMNS} FROM inbox WHERE state = 0 AND reopened ORDER BY seq"
        )
    ]
    items = [
        _item(row)
        for row in db.execute(
            f"SELECT {_ITEM_COLUMNS} FROM outbox WHERE state = 0 AND reopened ORDER BY seq"
        )
    ]
    db.execute("UPDATE inbox SET reopened = 0 WHERE state = 0 AND reopened")
    db.execute("UPDATE outbox SET reopened = 0 WHERE state = 0 AND reopened")
    return Backlog(entries, items, dead=dead.counts(db))


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, body, deliveries, state, not_before = row
    return Entry(seq, load_incoming(body), deliveries, state == IN_HAND, not_before)


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
    return Item(
        op=op,
        message=load_outgoing(body),
        created=created,
        seq=seq,
        target=target,
        parts=load_parts(parts) if parts else None,
        parts_stored=bool(parts),
        done=done,
        message_ids=loads(ids),
        attempts=attempts,
        in_flight=bool(in_flight),
        not_before=not_before,
        whole_channel=bool(whole),
        error=error,
        detail=loads(detail) or {},
    )
