"""The one who takes messages out of a session: polls, and the claim to be the only one."""

from __future__ import annotations

import contextlib
import operator
import threading
from functools import partial
from typing import TYPE_CHECKING

from cobot_session.errors import ConsumerBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from cobot_session.inbox import Inbox
    from cobot_session.spool import Entry
    from cobot_session.timers import Timers


def _forget(_: list[Entry]) -> None:
    """Keep nothing of what is handed out: each entry is settled by itself."""


class Consumer:
    """Hands an inbox out to one consumer at a time.

    What a poll returned is acknowledged by the next poll.
    """

    def __init__(self, inbox: Inbox, timers: Timers) -> None:
        self._inbox = inbox
        self._timers = timers
        self._freed = threading.Condition()
        self._holder: str | None = None
        self._batch: list[Entry] = []
        self._asked: Future[list[Entry]] | None = None
        self.closed = False

    @contextlib.contextmanager
    def claim(self, verb: str) -> Iterator[None]:
        """Be the only consumer for the time of a `with` block.

        Raises:
            ConsumerBusy: there is one already.
        """
        with self._freed:
            if self._holder is not None:
                raise ConsumerBusy(
                    f"`{verb}` cannot begin: `{self._holder}` is consuming this session's"
                    " messages. One consumer at a time"
                )
            self._holder = verb
        try:
            yield
        finally:
            with self._freed:
                self._holder = None
                self._freed.notify_all()

    def wait_for_run(self, seconds: float) -> None:
        """Let a `run` that ends put back what it has in hand, for so long at most."""
        with self._freed:
            self._freed.wait_for(lambda: self._holder != "run", seconds)

    def poll(self, limit: int, wait: float | None) -> Future[list[Entry]]:
        """Acknowledge the last batch and ask for the next; call it within `claim`.

        Args:
            limit: at most so many.
            wait: seconds until an empty list is the answer; `None`: for ever.

        Raises:
            TypeError, ValueError: `limit` is no whole number above 0, or `wait` no number.
        """
        if operator.index(limit) < 1:
            raise ValueError(f"`limit` is a whole number above 0, not {limit!r}")
        wait = None if wait is None else float(wait)
        self.acknowledge_batch()
        answer = self._take(limit, one_per_chat=False, keep=self._remember)
        if wait is not None and not answer.done():
            give_up = partial(self._inbox.give_up, answer)
            if wait <= 0:
                give_up()
            else:
                timer = self._timers.later(wait, give_up)
                answer.add_done_callback(lambda _: timer.cancel())
        return answer

    def take(self, limit: int) -> Future[list[Entry]]:
        """Ask for entries of different chats, each to be settled by itself."""
        return self._take(limit, one_per_chat=True)

    def take_back(self, answer: Future[list[Entry]]) -> None:
        """Undo a poll whose caller has gone: nobody has seen what it hands out."""
        if not answer.cancel():
            answer.add_done_callback(self._unhand)

    def acknowledge_batch(self) -> None:
        """Be done with what the last poll returned, but for what was settled by hand."""
        batch, self._batch = self._batch, []
        if batch:
            self._inbox.acknowledge(batch)

    def forget_batch(self) -> None:
        """Leave what the last poll returned unacknowledged: it comes again."""
        self._batch = []

    def close(self) -> None:
        """Take nothing more out: who waits gets an empty list."""
        self.closed = True
        if self._asked is not None:
            self._inbox.give_up(self._asked)

    def _take(
        self, limit: int, *, one_per_chat: bool, keep: Callable[[list[Entry]], object] = _forget
    ) -> Future[list[Entry]]:
        self._asked = answer = self._inbox.take(limit, one_per_chat=one_per_chat, keep=keep)
        if self.closed:
            self._inbox.give_up(answer)
        return answer

    def _remember(self, batch: list[Entry]) -> None:
        self._batch = batch

    def _unhand(self, answer: Future[list[Entry]]) -> None:
        if answer.exception() is not None:
            return
        entries = answer.result()
        if self._batch is entries:
            self._batch = []
        self._inbox.release(entries, counts=False)
