"""Back-pressure: what is open, counted against a bound."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Room:
    """Places for so many; who needs one is told when there is one. Thread-safe.

    Args:
        most: how many places there are. What is there already may be more.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._lock = threading.Lock()
        self._waiters: list[Callable[[], object]] = []

    def __bool__(self) -> bool:
        return self.taken < self.most

    def take(self) -> None:
        """Take a place, also where there is none: it is there already."""
        with self._lock:
            self.taken += 1

    def reserve(self) -> bool:
        """Take a place, unless there is none."""
        with self._lock:
            free = self.taken < self.most
            self.taken += free
            return free

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.taken -= 1
            if self.taken >= self.most:
                return
            waiters, self._waiters = self._waiters, []
        for call in waiters:
            call()

    def when_free(self, call: Callable[[], object]) -> None:
        """Call once: now, or as soon as there is a place."""
        with self._lock:
            if self.taken >= self.most:
                self._waiters.append(call)
                return
        call()
