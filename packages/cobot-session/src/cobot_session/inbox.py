"""What has arrived: handing out, acknowledging, putting back, giving up."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from cobot_session.futures import done
from cobot_session.hands import Hands
from cobot_session.room import Room
from cobot_session.settling import Settling
from cobot_session.takers import Taker, Takers
from cobot_session.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    from cobot_session.messages import IncomingMessage
    from cobot_session.spool import Entry, Item, Spool
    from cobot_session.spool.records import Chat
    from cobot_session.timers import Timers

log = logging.getLogger("cobot_session.inbox")


class Inbox:
    """The open entries of all channels, in memory as in the spool. Thread-safe.

    Order is the order of arrival within a chat, whatever happens in between. An entry that was in
    hand when a process died is handed out alone, so that one that kills its agent convicts only
    itself.
    """

    def __init__(self, spool: Spool, timers: Timers, max_deliveries: int, max_pending: int) -> None:
        self._spool = spool
        self._settling = Settling(spool, timers)
        self._max_deliveries = max_deliveries
        self._max_pending = max_pending
        self._lock = threading.RLock()
        self._waiting = Waiting(timers, self._due)
        self._hands = Hands()
        self._answering: dict[Entry, tuple[float, bool] | None] = {}
        """Entries whose answer is being stored, and how they are put back if that fails."""
        self._takers = Takers()
        self._rooms: dict[str, Room] = {}
        self.on_dead: Callable[[Entry], None] = lambda _: None

    # -- arriving

    def add(self, entries: Iterable[Entry]) -> None:
        """Take entries that have been stored."""
        added = list(entries)
        with self._lock:
            for entry in added:
                self.room(entry.message.channel_type).take()
                self._waiting.add(entry)
        self._serve()
        with self._lock:
            if wrong := [entry for entry in added if entry.foreseen]:
                self._spool.release(wrong)  # while locked: before what hands them out

    def is_awaited(self, chat: Chat) -> bool:
        """Return whether what arrives in a chat now is likely to be handed out at once."""
        with self._lock:
            return self._takers.first() is not None and self._waiting.is_free(chat)

    def room(self, channel_type: str) -> Room:
        """Return the room that a channel's open entries have: `max_pending` places."""
        return self._rooms.setdefault(channel_type, Room(self._max_pending))

    # -- handing out

    def take(
        self,
        limit: int,
        *,
        one_per_chat: bool,
        keep: Callable[[list[Entry]], object] = lambda _: None,
    ) -> Future[list[Entry]]:
        """Hand out up to so many entries; the future waits until there is one.

        Args:
            limit: at most so many.
            one_per_chat: hold a chat's next entry back until the one in hand is settled.
            keep: told what is handed out before the future is.

        Cancelling the future, while it is not done, takes nothing.
        """
        taker = Taker(limit, one_per_chat, keep)
        with self._lock:
            self._takers.add(taker)
        self._serve()
        return taker.answer

    def give_up(self, answer: Future[list[Entry]]) -> None:
        """Answer a `take` that has nothing yet with an empty list."""
        with self._lock:
            if not self._takers.remove(answer):
                return
        if answer.set_running_or_notify_cancel():
            answer.set_result([])

    def in_hand(self, message: IncomingMessage) -> Entry:
        """Return the handed-out entry of a message.

        Raises:
            SessionError: it is not in hand: it was acknowledged, or never handed out.
        """
        with self._lock:
            return self._hands.of(message)

    def next_answer(self, message: IncomingMessage) -> int | None:
        """Return how many growing answers a message had since it was handed out, and count one.

        `None`: it is not in hand.
        """
        with self._lock:
            entry = self._hands.find(message)
            if entry is None:
                return None
            entry.answers += 1
            return entry.answers - 1

    def still_in_hand(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return those that are neither acknowledged nor put back."""
        with self._lock:
            return self._hands.still(entries)

    def was_put_back(self, entry: Entry, delivery: int) -> bool:
        """Return whether an entry was put back after its `delivery`th hand-out."""
        with self._lock:
            return entry.put_back or entry.deliveries != delivery

    # -- coming back

    def acknowledge(self, entries: Iterable[Entry]) -> Future[list[Item]]:
        """Be done with entries; those that are not in hand any more are left out.

        The future fails when that cannot be stored now; it is tried again until it is.
        """
        mine = self._forget(entries)
        self._serve()
        return self._settling.settle(mine) if mine else done([])

    def answer(
        self, entry: Entry, replies: Sequence[Item], accept: Callable[[list[Item]], object]
    ) -> Future[list[Item]]:
        """Store replies and acknowledge what they answer, in one transaction.

        Args:
            entry: one in hand; it stays so when this fails.
            replies: what to put in the outbox.
            accept: told of those that were new once they are written, whoever waits for that.
        """
        future = self._spool.settle([entry], replies, written=accept)
        with self._lock:
            self._answering[entry] = None
        future.add_done_callback(partial(self._answered, entry))
        return future

    def release(
        self,
        entries: Sequence[Entry],
        delay: float = 0.0,
        *,
        counts: bool = True,
        stopped: bool = False,
    ) -> None:
        """Put entries back, each before what arrived after it in its chat.

        One whose answer is being stored goes back only if that fails.

        Args:
            entries: those in hand to put back.
            delay: seconds until they are handed out again.
            counts: they were delivered; not so when nobody saw them.
            stopped: it was we who cut their handling off: that alone makes no dead letter.
        """
        with self._lock:
            mine = self._hands.still(entries)
            self._answering |= {one: (delay, counts) for one in mine if one in self._answering}
            back = [one for one in mine if one not in self._answering]
            for entry in back:
                held = self._hands.let_go(entry)
                entry.deliveries -= not counts
                if stopped:
                    entry.deliveries = min(entry.deliveries, self._max_deliveries - 1)
                entry.put_back = True
                entry.suspect = entry.suspect and not counts
                entry.rest(delay)
                self._wait_again(entry, held=held)
            if back:
                self._spool.release(back)  # while locked: before what hands them out again
        self._serve()

    # -- inside

    def _answered(self, entry: Entry, future: Future[list[Item]]) -> None:
        with self._lock:
            put_back = self._answering.pop(entry)
        if future.exception() is None:
            self._forget([entry])
            self._serve()
        elif put_back is not None:
            delay, counts = put_back
            self.release([entry], delay, counts=counts)

    def _forget(self, entries: Iterable[Entry]) -> list[Entry]:
        """Let go of those that are in hand, and return them."""
        with self._lock:
            mine = self._hands.still(entries)
            for entry in mine:
                if self._hands.let_go(entry):
                    self._waiting.let_go(entry.chat)
        for entry in mine:
            self.room(entry.message.channel_type).leave()
        return mine

    def _wait_again(self, entry: Entry, *, held: bool) -> None:
        self._waiting.add(entry)
        if held:
            self._waiting.let_go(entry.chat)

    def _due(self, chat: Chat) -> None:
        with self._lock:
            self._waiting.offer(chat)
        self._serve()

    def _serve(self) -> None:
        """Answer who waits, as long as there is something to hand out."""
        while True:
            with self._lock:
                if (served := self._next_served()) is None:
                    return
                taker, entries = served
                future = self._spool.hand_out(entries)
            future.add_done_callback(partial(self._handed_out, taker, entries))

    def _next_served(self) -> tuple[Taker, list[Entry]] | None:
        while (taker := self._takers.first()) is not None:
            entries = self._choose(taker)
            if not entries:
                return None
            if self._takers.serve():
                return taker, entries
            self._take_back(entries)
        return None

    def _choose(self, taker: Taker) -> list[Entry]:
        chosen: list[Entry] = []
        while len(chosen) < taker.limit and (entry := self._waiting.first()) is not None:
            if entry.deliveries >= self._max_deliveries:
                self._waiting.take(entry, hold=False)
                self._bury(entry)
            elif self._hands.may_take(entry):
                self._waiting.take(entry, hold=taker.one_per_chat)
                self._take_in_hand(entry, holds=taker.one_per_chat)
                chosen.append(entry)
            else:
                break
        return chosen

    def _take_in_hand(self, entry: Entry, *, holds: bool) -> None:
        if entry.deliveries:
            entry.message.metadata["redelivered"] = True
        entry.deliveries += 1
        entry.answers = 0
        entry.put_back = False
        self._hands.take(entry, holds=holds)

    def _take_back(self, entries: list[Entry]) -> None:
        """Put back what nobody has seen, as if it had not been chosen."""
        for entry in entries:
            entry.deliveries -= 1
            self._wait_again(entry, held=self._hands.let_go(entry))

    def _bury(self, entry: Entry) -> None:
        times = f"{entry.deliveries} time{'s' * (entry.deliveries != 1)}"
        reason = f"handed out {times} and never acknowledged (max_deliveries)"
        if entry.failure:
            reason += f"; the handler's last failure: {entry.failure}"
        log.error(
            "message %r of %s in chat %r is a dead letter: %s",
            entry.message.id,
            entry.message.channel_type,
            entry.message.channel_id,
            reason,
        )
        self._spool.bury_entry(entry, reason)
        self.room(entry.message.channel_type).leave()
        self.on_dead(entry)

    def _handed_out(self, taker: Taker, entries: list[Entry], future: Future[None]) -> None:
        if (error := future.exception()) is None:
            taker.keep(entries)
            taker.answer.set_result(entries)
            return
        with self._lock:
            self._take_back(entries)
        taker.answer.set_exception(error)
        self._serve()
