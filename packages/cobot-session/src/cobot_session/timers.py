"""One thread that calls back later: deadlines of waits, restarts, checks."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("cobot_session")


class Timer:
    """A call that is due later, unless cancelled."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Do not call; nothing happens when it has been called."""
        self._call = None

    def fire(self) -> None:
        """Call, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Timers:
    """Calls back in a thread of its own. Calls must be short and must not block."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="cobot-timers", daemon=True)
        self._thread.start()

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call after so many seconds."""
        timer = Timer(call)
        with self._changed:
            due = time.monotonic() + max(0.0, seconds)
            first = not self._due or due < self._due[0][0]
            heapq.heappush(self._due, (due, next(self._order), timer))
            if first:
                self._changed.notify()
        return timer

    def every(self, seconds: float, call: Callable[[], object]) -> None:
        """Call again and again, that many seconds apart, until `close`."""

        def again() -> None:
            try:
                call()
            finally:
                self.later(seconds, again)

        self.later(seconds, again)

    def close(self) -> None:
        """Forget all that is due and end the thread."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while (timer := self._next()) is not None:
            try:
                timer.fire()
            except Exception:
                log.exception("a timed call failed")

    def _next(self) -> Timer | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
            return None
