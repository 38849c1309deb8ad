"""What waits to be sent on one channel, by chat; who carries it out stands in `lanes.py`."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from cobot_session.errors import SpoolFull
from cobot_session.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from cobot_session.messages import Receipt
    from cobot_session.spool import Item


class Outbox:
    """The open items of one channel: a lane for each chat, first in, first out.

    Thread-safe. It outlives the plugin object, so that a restart of the channel loses no place.
    """

    def __init__(self, channel_type: str, max_pending: int) -> None:
        self.room = Room(max_pending)
        self._channel_type = channel_type
        self._lock = threading.Lock()
        self._lanes: dict[str, deque[Item]] = {}
        self._open: dict[str, tuple[Item, list[Future[Receipt]]]] = {}
        """By id: the item, and who waits for its receipt."""
        self._wake: Callable[[str], object] | None = None
        self._closed = False

    def reserve(self) -> None:
        """Keep a place for an item that is about to be stored; `room.leave` gives it back.

        Raises:
            SpoolFull: `max_pending` items are open.
        """
        if not self.room.reserve():
            raise SpoolFull(
                f"the outbox of {self._channel_type} is full:"
                f" {self.room.most} message{'s' * (self.room.most != 1)} waiting to be sent"
                " (max_pending)"
            )

    def add(self, item: Item, *, reserved: bool = False) -> None:
        """Take an item that has been written, at the end of its lane.

        Args:
            item: its id is not open.
            reserved: `reserve` has kept a place for it.
        """
        chat = item.message.channel_id
        if not reserved:
            self.room.take()
        with self._lock:
            self._lanes.setdefault(chat, deque()).append(item)
            self._open[item.id] = (item, [])
            wake = self._wake
        if wake is not None:
            wake(chat)

    def attach(self, wake: Callable[[str], object]) -> list[str]:
        """Let `wake` be told of each chat that has something; return those that have now."""
        with self._lock:
            self._wake = wake
            return list(self._lanes)

    def detach(self, wake: Callable[[str], object]) -> None:
        """Let `wake` be told no more; nothing happens when another has been attached since."""
        with self._lock:
            if self._wake is wake:
                self._wake = None

    def head(self, chat: str) -> Item | None:
        """Return the item whose turn it is in a chat."""
        with self._lock:
            lane = self._lanes.get(chat)
            return lane[0] if lane else None

    def heads(self) -> list[Item]:
        """Return the item whose turn it is, of every chat."""
        with self._lock:
            return [lane[0] for lane in self._lanes.values()]

    def remove(self, item: Item, receipt: Receipt, tell: Callable[[], object]) -> None:
        """Take out an item that is at an end; when it was out already, do nothing.

        Args:
            item: the one.
            receipt: what became of it, for those who wait for it.
            tell: tells everybody else, before those who wait go on.
        """
        chat = item.message.channel_id
        with self._lock:
            if item.id not in self._open:
                return
            _, waiters = self._open.pop(item.id)
            lane = self._lanes[chat]
            lane.remove(item)
            if not lane:
                del self._lanes[chat]
        tell()
        for waiter in waiters:
            _resolve(waiter, receipt)
        self.room.leave()

    def wait_for(self, message_id: str, waiter: Future[Receipt]) -> bool:
        """Resolve a future with the receipt of an open item; false when none of that id is open."""
        with self._lock:
            known = self._open.get(message_id)
            if known is not None:
                known[1].append(waiter)
            closed = self._closed
        if closed:
            self.close()
        return known is not None

    def stop_waiting(self, message_id: str, waiter: Future[Receipt]) -> None:
        """Resolve a future now, with what is true of the open item so far."""
        with self._lock:
            if message_id not in self._open:
                return
            item, waiters = self._open[message_id]
            if waiter not in waiters:
                return
            waiters.remove(waiter)
        _resolve(waiter, item.receipt("queued"))

    def close(self) -> None:
        """Tell everyone who waits, now or later, that it is stored and will be delivered."""
        with self._lock:
            self._closed = True
            waiting = [(id_, one) for id_, (_, all_) in self._open.items() for one in all_]
        for id_, waiter in waiting:
            self.stop_waiting(id_, waiter)


def _resolve(waiter: Future[Receipt], receipt: Receipt) -> None:
    if not waiter.done() and waiter.set_running_or_notify_cancel():
        waiter.set_result(receipt)
