"""What has arrived: handing out, acknowledging, putting back, giving up."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cobot_session.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cobot_session.messages import IncomingMessage
    from cobot_session.spool import Entry, Item, Spool
    from cobot_session.spool.records import Chat
    from cobot_session.timers import Timers

log = logging.getLogger("cobot_session.inbox")


@dataclass(slots=True)
class _Line:
    """The entries of one chat, in order of arrival."""

    waiting: deque[Entry] = field(default_factory=deque)
    in_hand: int = 0
    held: bool = False
    """Nothing of it is handed out: one is in hand, or was put back for a while."""


@dataclass(slots=True, eq=False)
class _Request:
    """Someone who wants entries."""

    limit: int
    one_per_chat: bool
    answer: Future[list[Entry]] = field(default_factory=Future)


class Inbox:
    """The open entries of all channels, in memory as in the spool.

    Order is the order of arrival within a chat, whatever happens in between. An entry that was in
    hand when a process died is handed out alone, so that one that kills its agent convicts only
    itself.
    """

    def __init__(self, spool: Spool, timers: Timers, max_deliveries: int, max_pending: int) -> None:
        self._spool = spool
        self._timers = timers
        self._max_deliveries = max_deliveries
        self._max_pending = max_pending
        self._lock = threading.RLock()
        self._lines: dict[Chat, _Line] = {}
        self._ready: list[tuple[int, Chat]] = []
        self._in_hand: dict[tuple[str, str], Entry] = {}
        self._pending: dict[str, int] = {}
        self._requests: deque[_Request] = deque()
        self._room: dict[str, list[Callable[[], object]]] = {}
        self.on_dead: Callable[[Entry], None] = lambda _: None

    # -- arriving

    def add(self, entries: Iterable[Entry]) -> None:
        """Take entries that have been stored."""
        with self._lock:
            for entry in entries:
                line = self._lines.setdefault(entry.chat, _Line())
                line.waiting.append(entry)
                channel_type = entry.message.channel_type
                self._pending[channel_type] = self._pending.get(channel_type, 0) + 1
                if entry.not_before > time.time() and not line.held:
                    self._hold(entry)
                elif len(line.waiting) == 1 and not line.held:
                    heapq.heappush(self._ready, (entry.seq, entry.chat))
        self._serve()

    def pending(self, channel_type: str) -> int:
        """Return how many of a channel's entries are open."""
        return self._pending.get(channel_type, 0)

    def has_room(self, channel_type: str) -> bool:
        """Return whether a channel has fewer than `max_pending` open entries."""
        return self.pending(channel_type) < self._max_pending

    def when_room(self, channel_type: str, call: Callable[[], object]) -> None:
        """Call once, soon after the channel has fewer than `max_pending` open entries."""
        with self._lock:
            if self.pending(channel_type) >= self._max_pending:
                self._room.setdefault(channel_type, []).append(call)
                return
        call()

    # -- handing out

    def take(self, limit: int, *, one_per_chat: bool) -> Future[list[Entry]]:
        """Hand out up to so many entries; the future waits until there is one.

        Args:
            limit: at most so many.
            one_per_chat: hold a chat's next entry back until the one in hand is settled.

        Cancelling the future, while it is not done, takes nothing.
        """
        request = _Request(limit, one_per_chat)
        with self._lock:
            self._requests.append(request)
        self._serve()
        return request.answer

    def give_up(self, answer: Future[list[Entry]]) -> None:
        """Answer a `take` that has nothing yet with an empty list."""
        with self._lock:
            for request in self._requests:
                if request.answer is answer:
                    self._requests.remove(request)
                    break
            else:
                return
        if answer.set_running_or_notify_cancel():
            answer.set_result([])

    def in_hand(self, message: IncomingMessage) -> Entry:
        """Return the handed-out entry of a message.

        Raises:
            SessionError: it is not in hand: it was acknowledged, or never handed out.
        """
        entry = self._in_hand.get((message.channel_type, message.key))
        if entry is None:
            raise SessionError(
                f"message {message.id!r} of {message.channel_type} is not in hand:"
                " it has been acknowledged or put back already"
            )
        return entry

    def still_in_hand(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return those that are neither acknowledged nor put back."""
        with self._lock:
            return [entry for entry in entries if self._in_hand.get(_key(entry)) is entry]

    # -- coming back

    def acknowledge(self, entries: Iterable[Entry]) -> Future[list[Item]]:
        """Be done with entries; those that are not in hand any more are left out."""
        future = self._spool.settle(self._forget(entries))
        future.add_done_callback(_tell_unsettled)
        self._serve()
        return future

    def answer(self, entry: Entry, replies: Sequence[Item]) -> Future[list[Item]]:
        """Store replies and acknowledge what they answer, in one transaction.

        Returns those replies that were new; the entry stays in hand when that fails.
        """
        future = self._spool.settle([entry], replies)
        future.add_done_callback(partial(self._answered, entry))
        return future

    def release(self, entries: Sequence[Entry], delay: float = 0.0, *, counts: bool = True) -> None:
        """Put entries back, each at the head of its chat.

        Args:
            entries: those in hand to put back.
            delay: seconds until they are handed out again.
            counts: they were delivered; not so when nobody saw them.
        """
        with self._lock:
            back = self.still_in_hand(entries)
            for entry in sorted(back, key=lambda one: one.seq, reverse=True):
                self._drop_from_hand(entry)
                entry.deliveries -= not counts
                entry.suspect = entry.suspect and not counts
                entry.not_before = time.time() + delay if delay > 0 else 0.0
                self._lines[entry.chat].waiting.appendleft(entry)
                self._hold(entry)
        if back:
            self._spool.release(back)
        self._serve()

    # -- inside

    def _answered(self, entry: Entry, future: Future[list[Item]]) -> None:
        if future.exception() is None:
            self._forget([entry])
            self._serve()

    def _forget(self, entries: Iterable[Entry]) -> list[Entry]:
        """Let go of those that are in hand, and return them."""
        with self._lock:
            mine = self.still_in_hand(entries)
            for entry in mine:
                self._drop_from_hand(entry)
                self._close(entry)
        return mine

    def _drop_from_hand(self, entry: Entry) -> None:
        del self._in_hand[_key(entry)]
        self._lines[entry.chat].in_hand -= 1

    def _close(self, entry: Entry) -> None:
        """An entry is no longer open: make room, and let its chat go on."""
        channel_type = entry.message.channel_type
        self._pending[channel_type] -= 1
        self._resume(entry.chat)
        if self._pending[channel_type] < self._max_pending:
            for call in self._room.pop(channel_type, ()):
                call()

    def _hold(self, entry: Entry) -> None:
        """Hold a chat until the entry at its head may go."""
        line = self._lines[entry.chat]
        line.held = True
        delay = entry.not_before - time.time()
        if delay <= 0:
            self._resume(entry.chat)
        else:
            self._timers.later(delay, partial(self._resume_and_serve, entry.chat, entry))

    def _resume_and_serve(self, chat: Chat, entry: Entry) -> None:
        with self._lock:
            line = self._lines.get(chat)
            if line is not None and line.waiting and line.waiting[0] is entry:
                self._resume(chat)
        self._serve()

    def _resume(self, chat: Chat) -> None:
        line = self._lines[chat]
        was_held, line.held = line.held, False
        if line.waiting and was_held:
            heapq.heappush(self._ready, (line.waiting[0].seq, chat))
        elif not line.waiting and not line.in_hand:
            del self._lines[chat]

    def _serve(self) -> None:
        """Answer who waits, as long as there is something to hand out."""
        while (served := self._next_served()) is not None:
            request, entries = served
            future = self._spool.hand_out(entries)
            future.add_done_callback(partial(self._handed_out, request, entries))

    def _next_served(self) -> tuple[_Request, list[Entry]] | None:
        with self._lock:
            while self._requests:
                request = self._requests[0]
                if request.answer.cancelled():
                    self._requests.popleft()
                    continue
                entries = self._choose(request)
                if not entries:
                    return None
                self._requests.popleft()
                if request.answer.set_running_or_notify_cancel():
                    return request, entries
                self.release(entries, counts=False)
            return None

    def _choose(self, request: _Request) -> list[Entry]:
        chosen: list[Entry] = []
        while self._ready and len(chosen) < request.limit:
            seq, chat = self._ready[0]
            line = self._lines.get(chat)
            if line is None or line.held or not line.waiting or line.waiting[0].seq != seq:
                heapq.heappop(self._ready)  # an earlier place of a chat that was held since
                continue
            entry = line.waiting[0]
            if not self._may_join(entry):
                break
            heapq.heappop(self._ready)
            line.waiting.popleft()
            self._take_in_hand(entry, line, request)
            if entry.deliveries > self._max_deliveries:
                self._bury(entry)
                continue
            chosen.append(entry)
        return chosen

    def _may_join(self, entry: Entry) -> bool:
        """One that may have killed an agent is in hand alone."""
        if not self._in_hand:
            return True
        return not entry.suspect and not any(one.suspect for one in self._in_hand.values())

    def _take_in_hand(self, entry: Entry, line: _Line, request: _Request) -> None:
        if entry.deliveries:
            entry.message.metadata["redelivered"] = True
        entry.deliveries += 1
        self._in_hand[_key(entry)] = entry
        line.in_hand += 1
        if request.one_per_chat:
            line.held = True
        elif line.waiting:
            heapq.heappush(self._ready, (line.waiting[0].seq, entry.chat))

    def _bury(self, entry: Entry) -> None:
        times = entry.deliveries - 1
        reason = f"handed out {times} times and never acknowledged (max_deliveries)"
        log.error(
            "message %r of %s in chat %r is a dead letter: %s",
            entry.message.id,
            entry.message.channel_type,
            entry.message.channel_id,
            reason,
        )
        entry.deliveries = times
        self._spool.bury_entry(entry, reason)
        self._drop_from_hand(entry)
        self._close(entry)
        self.on_dead(entry)

    def _handed_out(self, request: _Request, entries: list[Entry], future: Future[None]) -> None:
        error = future.exception()
        if error is None:
            request.answer.set_result(entries)
        else:
            self.release(entries, counts=False)
            request.answer.set_exception(error)


def _key(entry: Entry) -> tuple[str, str]:
    return entry.message.channel_type, entry.message.key


def _tell_unsettled(future: Future[list[Item]]) -> None:
    if (error := future.exception()) is not None:
        log.error("an acknowledgement was not stored, so it may be delivered again: %s", error)
