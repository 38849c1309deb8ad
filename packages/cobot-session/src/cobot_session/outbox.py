"""What waits to be sent on one channel, by chat; who carries it out stands in `lanes.py`."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from cobot_session.errors import SpoolFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from cobot_session.messages import Receipt
    from cobot_session.spool import Item


class Outbox:
    """The open items of one channel: a lane for each chat, first in, first out.

    Thread-safe. It outlives the plugin object, so that a restart of the channel loses no place.
    """

    def __init__(self, channel_type: str, max_pending: int) -> None:
        self._channel_type = channel_type
        self._max_pending = max_pending
        self._lock = threading.Lock()
        self._lanes: dict[str, deque[Item]] = {}
        self._waiters: dict[str, list[Future[Receipt]]] = {}
        self._reserved = 0
        self._wake: Callable[[str], object] | None = None
        self._room: list[Callable[[], object]] = []
        self.pending = 0

    def reserve(self) -> None:
        """Keep a place for an item that is about to be stored; `add` or `cancel` ends it.

        Raises:
            SpoolFull: `max_pending` items are open.
        """
        with self._lock:
            if self.pending + self._reserved >= self._max_pending:
                raise SpoolFull(
                    f"the outbox of {self._channel_type} is full:"
                    f" {self._max_pending} messages wait to be sent (max_pending)"
                )
            self._reserved += 1

    def cancel(self) -> None:
        """Give a reserved place back."""
        with self._lock:
            self._reserved -= 1

    def add(self, items: Iterable[Item], *, reserved: bool = False) -> None:
        """Take items that have been stored, each at the end of its lane."""
        for item in items:
            chat = item.message.channel_id
            with self._lock:
                self._lanes.setdefault(chat, deque()).append(item)
                self.pending += 1
                self._reserved -= reserved
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

    def remove(self, item: Item, receipt: Receipt) -> None:
        """Take out an item that is at an end, and tell who waits for it."""
        chat = item.message.channel_id
        with self._lock:
            lane = self._lanes[chat]
            lane.remove(item)
            if not lane:
                del self._lanes[chat]
            self.pending -= 1
            waiters = self._waiters.pop(item.id, ())
            room = self._room if self.pending < self._max_pending else []
            if room:
                self._room = []
        for waiter in waiters:
            _resolve(waiter, receipt)
        for call in room:
            call()

    def has_room(self) -> bool:
        """Return whether fewer than `max_pending` items are open."""
        return self.pending < self._max_pending

    def when_room(self, call: Callable[[], object]) -> None:
        """Call once, soon after fewer than `max_pending` items are open."""
        with self._lock:
            if self.pending >= self._max_pending:
                self._room.append(call)
                return
        call()

    def wait_for(self, message_id: str, waiter: Future[Receipt]) -> None:
        """Resolve a future with the receipt of an item once it is at an end."""
        with self._lock:
            self._waiters.setdefault(message_id, []).append(waiter)

    def stop_waiting(self, message_id: str, waiter: Future[Receipt], so_far: Receipt) -> None:
        """Resolve a future now, with what is true so far."""
        with self._lock:
            waiters = self._waiters.get(message_id, [])
            if waiter not in waiters:
                return
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[message_id]
        _resolve(waiter, so_far)

    def close(self) -> None:
        """Tell everyone who still waits that it is stored and will be delivered."""
        with self._lock:
            items = [item for lane in self._lanes.values() for item in lane]
            waiters, self._waiters = self._waiters, {}
        for item in items:
            for waiter in waiters.get(item.id, ()):
                _resolve(waiter, item.receipt("queued"))


def _resolve(waiter: Future[Receipt], receipt: Receipt) -> None:
    if not waiter.done() and waiter.set_running_or_notify_cancel():
        waiter.set_result(receipt)
