"""The spool in one SQLite file; all SQL of the session stands in this folder."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Literal

from cobot_session.futures import done
from cobot_session.spool import access, dead, inbound, outbound, rows
from cobot_session.spool.codec import dumps
from cobot_session.spool.disk import LogFile, NoDisk
from cobot_session.spool.protocol import Spool
from cobot_session.spool.records import Backlog
from cobot_session.spool.schema import SETTLED, connect
from cobot_session.spool.writer import Lasts, Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from cobot_session.messages import IncomingMessage, Receipt
    from cobot_session.spool.access import Request
    from cobot_session.spool.records import Chat, DeadLetter, Entry, Item

_CLOSE_SECONDS = 30.0
_NEEDED = {
    "inbox": "",
    "outbox": " AND NOT (op = 'preview' AND (EXISTS (SELECT 1 FROM inbox AS asked WHERE"
    " asked.channel = outbox.channel AND asked.chat = outbox.chat AND asked.state IN (0, 1))"
    " OR EXISTS (SELECT 1 FROM outbox AS whole WHERE whole.channel = outbox.channel"
    " AND whole.chat = outbox.chat AND whole.state = 0)))",
}
"""Of what is settled, this stays as long as the answer is not whole: that takes its place."""
_TRIM_AT_ONCE = 2_000
"""Rows that one `trim` looks at, so that no commit waits long behind it."""


class SqliteSpool(Spool):
    """A `Spool` in WAL mode, with one thread that writes.

    Args:
        path: the file, made with mode 0600; `:memory:` keeps nothing.
        durability: `full`: what a future tells survives a power cut; `normal`: it survives a crash
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
        db = connect(path)
        disk = NoDisk() if path == ":memory:" else LogFile(path, syncs=durability == "full")
        self._retain = (retain_days * 86_400, retain_count)
        self._inbox = inbound.Inbound(_largest(db, "inbox"))
        self._outbox = outbound.Outbound(_largest(db, "outbox"))
        self._version = 0
        self._writer = Writer(db, disk, "cobot-spool")

    def load(self) -> Future[Backlog]:
        return self._writer.call(self._everything_open)

    # -- inbox

    def store(
        self,
        channel_type: str,
        messages: Sequence[IncomingMessage],
        state: Mapping[str, Any],
        heard: Sequence[str] = (),
        *,
        foreseen: bool = False,
        written: Callable[[list[Entry]], object] | None = None,
    ) -> Future[list[Entry]]:
        batch = inbound.batch(channel_type, messages, state, heard, foreseen=foreseen)
        # one alone is likely to be answered at once; many are waited for by the channel's next call
        lasts = Lasts.SOON if len(messages) == 1 else Lasts.NOW
        return self._writer.submit((self._inbox.store, batch), written=written, lasts=lasts)

    def hand_out(self, entries: Sequence[Entry]) -> Future[None]:
        handed = [(entry.seq, entry.deliveries) for entry in entries if not entry.foreseen]
        for entry in entries:
            entry.foreseen = False
        if not handed:
            return done(None)
        return self._writer.submit((self._inbox.hand_out, handed), lasts=Lasts.NEVER)

    def settle(
        self,
        entries: Sequence[Entry],
        replies: Sequence[Item] = (),
        *,
        written: Callable[[list[Item]], object] | None = None,
    ) -> Future[list[Item]]:
        def new(results: list[Any]) -> list[Item]:
            return [reply for reply, known in zip(replies, results[1:], strict=True) if not known]

        return self._writer.submit(
            (self._inbox.settle, [entry.seq for entry in entries]),
            *((self._outbox.enqueue, (reply, outbound.new_row(reply))) for reply in replies),
            result=new,
            written=written,
            lasts=Lasts.SOON if replies else Lasts.NOW,
        )

    def release(self, entries: Sequence[Entry]) -> Future[None]:
        for entry in entries:
            entry.foreseen = False
        back = [(entry.seq, entry.deliveries, entry.not_before) for entry in entries]
        return self._writer.call(lambda db: inbound.release(db, back))

    def bury_entry(self, entry: Entry, reason: str) -> Future[None]:
        return self._writer.call(lambda db: inbound.bury(db, entry.seq, reason))

    # -- outbox

    def enqueue(
        self, item: Item, *, written: Callable[[Receipt | None], object] | None = None
    ) -> Future[Receipt | None]:
        row = (item, outbound.new_row(item))
        return self._writer.submit((self._outbox.enqueue, row), written=written)

    def progress(self, item: Item) -> Future[None]:
        if outbound.is_first_call(item):
            return self._writer.submit((self._outbox.call, item.seq))
        return self._writer.submit((self._outbox.progress, outbound.progress_row(item)))

    def finish(self, item: Item, receipt: Receipt, dead: str | None = None) -> Future[None]:
        end = (outbound.end_row(item, receipt, dead), outbound.edit_row(item))
        return self._writer.submit((self._outbox.finish, end))

    def receipt(self, message_id: str, chat: Chat | None = None) -> Future[Receipt | None]:
        return self._writer.call(lambda db: rows.receipt(db, message_id, chat))

    # -- the rest

    def set_state(self, channel_type: str, state: Mapping[str, Any]) -> Future[None]:
        changes = inbound.state_texts(state)
        return self._writer.call(lambda db: inbound.write_state(db, channel_type, changes))

    def ask(self, request: Request) -> Future[None]:
        return self._writer.call(lambda db: access.ask(db, request))

    def note_drops(self, channel_type: str, drops: Sequence[dict[str, Any]]) -> Future[None]:
        return self._writer.call(lambda db: access.note_drops(db, channel_type, drops))

    def dead_letters(self) -> Future[list[DeadLetter]]:
        return self._writer.call(dead.letters)

    def replay(self, dead_id: str) -> Future[bool]:
        return self._writer.call(lambda db: dead.replay(db, dead_id))

    def drop(self, dead_id: str) -> Future[bool]:
        return self._writer.call(lambda db: dead.drop(db, dead_id))

    def reopened(self) -> Future[Backlog]:
        return self._writer.call(self._reopened)

    def publish(self, status: Mapping[str, Any]) -> Future[None]:
        body = dumps({"pid": os.getpid(), "plugins": status})

        def job(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO published (id, body, at) VALUES (1, ?, ?)",
                (body, time.time()),
            )

        return self._writer.call(job)

    def lasting(self) -> Future[None]:
        return self._writer.submit(result=lambda _: None)

    def trim(self) -> Future[None]:
        return self._writer.call(self._trim)

    def close(self) -> None:
        self._writer.close(_CLOSE_SECONDS)

    def _everything_open(self, db: sqlite3.Connection) -> Backlog:
        self._outbox.take_posted(db)
        backlog = rows.everything_open(db)
        backlog.heard, backlog.drops = access.heard(db), access.drops(db)
        backlog.book = access.book(db)
        return backlog

    def _reopened(self, db: sqlite3.Connection) -> Backlog:
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return Backlog(dead=dead.counts(db))
        self._version = version
        backlog = rows.everything_reopened(db)
        backlog.book = access.book(db)
        backlog.posted = self._outbox.take_posted(db)
        return backlog

    def _trim(self, db: sqlite3.Connection) -> None:
        age, most = self._retain
        before = time.time() - age
        removed = [_remove(db, table, before, most) for table in ("inbox", "outbox")]
        access.trim(db)
        if max(removed) == _TRIM_AT_ONCE:
            self.trim()  # the rest, after what waits now


def _largest(db: sqlite3.Connection, table: str) -> int:
    (seq,) = db.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()  # nosec B608 # of literals
    return int(seq)


def _remove(db: sqlite3.Connection, table: str, before: float, most: int) -> int:
    """Remove the oldest settled rows that are past their retention; return how many."""
    return db.execute(
        f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM {table}"  # nosec B608 # of literals
        f" WHERE state = ?{_NEEDED[table]} ORDER BY seq LIMIT ?) WHERE at < ? OR seq <= ?)",
        (SETTLED, _TRIM_AT_ONCE, before, _largest(db, table) - most),
    ).rowcount
