"""The spool in one SQLite file; all SQL of the session stands in this folder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from cobot_session.spool import dead, rows
from cobot_session.spool.codec import (
    clean,
    dump_incoming,
    dump_outgoing,
    dump_parts,
    dumps,
    load_outgoing,
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

    from cobot_session.messages import IncomingMessage, Receipt
    from cobot_session.spool.records import Chat, DeadLetter

_CLOSE_SECONDS = 30.0
_TRIM_AT_ONCE = 2_000
"""Rows that one `trim` looks at, so that no commit waits long behind it."""

_HAND_OUT = "UPDATE inbox SET state = ?, deliveries = ? WHERE seq = ? AND state IN (0, 1)"


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
        self._entries = _largest(db, "inbox")
        self._items = _largest(db, "outbox")
        self._version = 0
        self._writer = Writer(db, "cobot-spool")

    def load(self) -> Future[Backlog]:
        def job(db: sqlite3.Connection) -> Backlog:
            self._take_posted(db)
            return rows.everything_open(db)

        return self._writer.submit(job)

    def store(
        self, channel_type: str, messages: Sequence[IncomingMessage], state: Mapping[str, Any]
    ) -> Future[list[Entry]]:
        bodies = [dump_incoming(message) for message in messages]
        changes = _dumped(state)

        def job(db: sqlite3.Connection) -> list[Entry]:
            now = time.time()
            entries = [
                Entry(self._entries, message)
                for message, body in zip(messages, bodies, strict=True)
                if self._insert_entry(db, channel_type, message, body, now)
            ]
            _write_state(db, channel_type, changes)
            return entries

        return self._writer.submit(job)

    def hand_out(self, entries: Sequence[Entry]) -> Future[None]:
        changes = [(IN_HAND, entry.deliveries, entry.seq) for entry in entries]
        return self._writer.submit(lambda db: _all(db, _HAND_OUT, changes))

    def settle(self, entries: Sequence[Entry], replies: Sequence[Item] = ()) -> Future[list[Item]]:
        new = [_item_row(reply) for reply in replies]

        def job(db: sqlite3.Connection) -> list[Item]:
            _settle(db, entries)
            pairs = zip(replies, new, strict=True)
            return [reply for reply, row in pairs if self._insert_item(db, reply, row)]

        return self._writer.submit(job)

    def release(self, entries: Sequence[Entry]) -> Future[None]:
        changes = [(WAITING, entry.deliveries, entry.not_before, entry.seq) for entry in entries]
        return self._writer.submit(
            lambda db: _all(
                db,
                "UPDATE inbox SET state = ?, deliveries = ?, not_before = ? WHERE seq = ?"
                " AND state IN (0, 1)",
                changes,
            )
        )

    def bury_entry(self, entry: Entry, reason: str) -> Future[None]:
        row = (DEAD, clean(reason), time.time(), entry.seq)
        return self._writer.submit(
            lambda db: _all(
                db,
                "UPDATE inbox SET state = ?, reason = ?, at = ? WHERE seq = ? AND state IN (0, 1)",
                [row],
            )
        )

    def enqueue(self, item: Item) -> Future[Receipt | None]:
        row = _item_row(item)

        def job(db: sqlite3.Connection) -> Receipt | None:
            return None if self._insert_item(db, item, row) else rows.receipt(db, item.id)

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
            item.error and clean(item.error),
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
            receipt.error and clean(receipt.error),
            dumps(receipt.detail),
            dead and clean(dead),
            time.time(),
            item.seq,
        )
        forget = ", body = '', parts = NULL" if dead is None else ""
        target = None if item.standing is None else (dumps(item.standing), item.target, *item.chat)

        def job(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE outbox SET state = ?, status = ?, done = ?, ids = ?, attempts = ?,"
                f" error = ?, detail = ?, reason = ?, at = ?, in_flight = 0{forget} WHERE seq = ?",
                row,
            )
            if target is not None:
                sql = "UPDATE outbox SET ids = ? WHERE id = ? AND channel = ? AND chat = ?"
                db.execute(sql, target)

        return self._writer.submit(job)

    def receipt(self, message_id: str, chat: Chat | None = None) -> Future[Receipt | None]:
        return self._writer.submit(lambda db: rows.receipt(db, message_id, chat))

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
            backlog = rows.everything_reopened(db)
            backlog.items += self._take_posted(db)
            return backlog

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
            before = time.time() - age
            removed = [_trim(db, table, before, most) for table in ("inbox", "outbox")]
            if max(removed) == _TRIM_AT_ONCE:
                self._writer.submit(job)  # the rest, after what waits now

        return self._writer.submit(job)

    def close(self) -> None:
        self._writer.close(_CLOSE_SECONDS)

    def _insert_entry(
        self, db: sqlite3.Connection, channel: str, message: IncomingMessage, body: str, now: float
    ) -> bool:
        """Store a message under the next number; a duplicate uses none up."""
        cursor = db.execute(
            "INSERT INTO inbox (seq, channel, key, chat, body, at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (channel, key) DO NOTHING",
            (self._entries + 1, channel, message.key, message.channel_id, body, now),
        )
        self._entries += cursor.rowcount
        return cursor.rowcount == 1

    def _insert_item(self, db: sqlite3.Connection, item: Item, row: tuple[Any, ...]) -> bool:
        """Store an item under the next number; a duplicate uses none up."""
        item.seq = self._items + 1
        cursor = db.execute(
            "INSERT INTO outbox (seq, id, channel, chat, op, target, body, parts, at, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (item.seq, *row),
        )
        self._items += cursor.rowcount
        return cursor.rowcount == 1

    def _take_posted(self, db: sqlite3.Connection) -> list[Item]:
        """Put what other processes posted into the outbox; returns what was new."""
        posted = db.execute("SELECT body FROM posted ORDER BY seq").fetchall()
        items = [Item("send", load_outgoing(body), time.time()) for (body,) in posted]
        if items:
            db.execute("DELETE FROM posted")
        return [item for item in items if self._insert_item(db, item, _item_row(item))]


def _item_row(item: Item) -> tuple[Any, ...]:
    return (
        item.id,
        *item.chat,
        item.op,
        item.target,
        dump_outgoing(item.message),
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


def _trim(
    db: sqlite3.Connection, table: Literal["inbox", "outbox"], before: float, most: int
) -> int:
    """Remove the oldest settled rows that are past their retention; return how many."""
    return db.execute(
        f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM {table}"
        " WHERE state = ? ORDER BY seq LIMIT ?) WHERE at < ? OR seq <= ?)",
        (SETTLED, _TRIM_AT_ONCE, before, _largest(db, table) - most),
    ).rowcount
