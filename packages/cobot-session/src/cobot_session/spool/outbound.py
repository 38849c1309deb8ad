"""The table of what is to be sent."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from cobot_session.spool import bulk, rows
from cobot_session.spool.codec import clean, dump_outgoing, dump_parts, dumps, load_outgoing
from cobot_session.spool.records import Item
from cobot_session.spool.schema import DEAD, SETTLED

if TYPE_CHECKING:
    import sqlite3

    from cobot_session.messages import Receipt

log = logging.getLogger("cobot_session.spool")

Row: TypeAlias = tuple[Any, ...]

_INTO = "outbox (id, channel, chat, op, target, body, parts, at, created, seq)"
_PROGRESS = (
    "parts = coalesce(new.column1, parts), done = new.column2, ids = new.column3,"
    " attempts = new.column4, in_flight = new.column5, not_before = new.column6,"
    " whole_channel = new.column7, error = new.column8, detail = new.column9"
)
_FINISH = (
    "state = new.column1, status = new.column2, done = new.column3, ids = new.column4,"
    " attempts = new.column5, error = new.column6, detail = new.column7, reason = new.column8,"
    " at = new.column9, in_flight = 0"
)

_FORGET_PARTS = (
    "UPDATE outbox SET ids = '[]' WHERE op = 'preview' AND id > ? || '~' AND id < ? || '~:'"
    " AND channel = ? AND chat = ?"
)
"""The first preview of an answer has the ids of all its parts once the answer is whole."""


def new_row(item: Item) -> Row:
    """Return an item as it is stored, without its number.

    Raises:
        ValueError, RecursionError: it is nothing that can be stored.
    """
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


def is_first_call(item: Item) -> bool:
    """Return whether nothing is to be noted of an item but that it is being called."""
    stored = item.parts is None or item.parts_stored
    return item.attempts == 1 and item.in_flight and not item.done and stored


def progress_row(item: Item) -> Row:
    """Return how far an item has come, as it is stored."""
    return (
        _unstored_parts(item),
        item.done,
        dumps(item.message_ids),
        item.attempts,
        item.in_flight,
        item.not_before,
        item.whole_channel,
        item.error and clean(item.error),
        _facts(item.detail),
        item.seq,
    )


def end_row(item: Item, receipt: Receipt, dead: str | None) -> Row:
    """Return what became of an item, as it is stored."""
    return (
        SETTLED if dead is None else DEAD,
        receipt.status,
        item.done,
        dumps(receipt.message_ids),
        receipt.attempts,
        receipt.error and clean(receipt.error),
        _facts(receipt.detail),
        dead and clean(dead),
        time.time(),
        item.seq,
    )


def edit_row(item: Item) -> Row | None:
    """Return what an edited message consists of now, as it is stored; `None`: as before."""
    return None if item.standing is None else (dumps(item.standing), item.target, *item.chat)


class Outbound:
    """Does things with many rows of the outbox; numbers them in the order of acceptance.

    Args:
        last: the largest number so far.
    """

    def __init__(self, last: int) -> None:
        self._last = last

    def enqueue(
        self, db: sqlite3.Connection, items: list[tuple[Item, Row]]
    ) -> list[Receipt | None]:
        """Store items whose id is new, and set their `seq`; return the receipts of the others."""
        before = self._last
        again = self._try(db, items, known=set())
        if again is None:
            db.execute("DELETE FROM outbox WHERE seq > ?", (before,))
            self._last = before
            ids = [item.id for item, _ in items]
            found = bulk.run_in(db, "SELECT id FROM outbox WHERE id IN", (), ids)
            again = self._try(db, items, {id_ for (id_,) in found}) or set()
        return [rows.receipt(db, item.id) if item in again else None for item, _ in items]

    def _try(
        self, db: sqlite3.Connection, items: list[tuple[Item, Row]], known: set[str]
    ) -> set[Item] | None:
        """Store what is not known, and return the rest; `None`: more is known."""
        new, again = [], set()
        for item, row in items:
            if item.id in known:
                again.add(item)
            else:
                known.add(item.id)
                self._last += 1
                item.seq = self._last
                new.append((*row, item.seq))
        return again if bulk.insert(db, _INTO, new) == len(new) else None

    def take_posted(self, db: sqlite3.Connection) -> list[Item]:
        """Put what other processes posted into the outbox; returns what was new."""
        posted = db.execute("SELECT body FROM posted ORDER BY seq").fetchall()
        if not posted:
            return []
        db.execute("DELETE FROM posted")
        items = []
        for (body,) in posted:
            try:
                items.append(Item("send", load_outgoing(body), time.time()))
            except (ValueError, TypeError, KeyError):
                log.exception("a message that another process posted cannot be read")
        known = self.enqueue(db, [(item, new_row(item)) for item in items])
        return [item for item, receipt in zip(items, known, strict=True) if receipt is None]

    def call(self, db: sqlite3.Connection, seqs: list[int]) -> list[None]:
        """Note that items are on their first call."""
        bulk.run_in(db, "UPDATE outbox SET attempts = 1, in_flight = 1 WHERE seq IN", (), seqs)
        return [None] * len(seqs)

    def progress(self, db: sqlite3.Connection, items: list[Row]) -> list[None]:
        """Note how far items have come."""
        bulk.update(db, "outbox", _PROGRESS, items)
        return [None] * len(items)

    def finish(self, db: sqlite3.Connection, ends: list[tuple[Row, Row | None]]) -> list[None]:
        """Note what became of items; the texts of those that are no dead letters are forgotten."""
        done = [row for row, _ in ends if row[0] == SETTLED]
        dead = [row for row, _ in ends if row[0] == DEAD]
        bulk.update(db, "outbox", f"{_FINISH}, body = '', parts = NULL", done)
        bulk.update(db, "outbox", _FINISH, dead)
        for _, edited in ends:
            if edited is not None:
                change = "UPDATE outbox SET ids = ? WHERE id = ? AND channel = ? AND chat = ?"
                db.execute(change, edited)
                db.execute(_FORGET_PARTS, (edited[1], *edited[1:]))
        return [None] * len(ends)


def _facts(detail: dict[str, Any]) -> str | None:
    return dumps(detail) if detail else None


def _unstored_parts(item: Item) -> str | None:
    return None if item.parts is None or item.parts_stored else dump_parts(item.parts, item.message)
