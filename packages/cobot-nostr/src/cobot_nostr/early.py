"""What is dated into the future by this machine's clock waits here until its time has come.

Either its author's clock is wrong or ours is, and only the first is a reason to lose it. A cursor
never passes our own clock, so after a restart the relays are asked for all of it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from cobot_nostr.pool import Pool
    from cobot_nostr.wire import Arrival

MOST = 200
"""Events that wait; of more, those dated furthest ahead are asked for again in their time."""


class Early:
    """Arrivals from the future, none of them handled yet.

    Args:
        pool: is asked again for what has no room here.
        log: where it is told, at the 1st, 10th, 100th ….
        skew: seconds an event may be dated into the future.
        first: returns the Unix time from which on events of a relay are wanted.
    """

    def __init__(self, pool: Pool, log: Logger, *, skew: int, first: Callable[[str], int]) -> None:
        self._pool = pool
        self._log = log
        self._skew = skew
        self._first = first
        self._waiting: list[tuple[int, Arrival]] = []
        self._no_room_from: int | None = None
        self._count = 0

    def add(self, arrival: Arrival, date: int) -> None:
        """Let an arrival wait until its date (Unix time) is not in the future."""
        self._waiting.append((date, arrival))
        self._count += 1
        if str(self._count).strip("0") == "1":
            self._log.warning("relay %s: %d %s", arrival.relay, self._count, _TOLD)
        if len(self._waiting) > MOST:
            last = max(self._waiting, key=lambda one: one[0])
            self._waiting.remove(last)
            self._pool.forget(last[1].event.id)
            self._no_room_from = min(last[0], self._no_room_from or last[0])

    def come(self, now: int) -> list[Arrival]:
        """Take what is in the future no more; what had no room is asked for again."""
        until = now + self._skew
        come = [
            arrival
            for date, arrival in self._waiting
            if self._first(arrival.relay) <= date <= until
        ]
        self._waiting = [one for one in self._waiting if one[0] > until]
        if self._no_room_from is not None and self._no_room_from <= until:
            self._pool.read_again(self._no_room_from)
            self._no_room_from = None
        return come

    def told(self) -> str:
        """Return in words how much waits; empty: nothing."""
        return f"{len(self._waiting)} {_TOLD}" if self._waiting else ""


_TOLD = "events of the future wait for their time: is this machine's clock right?"
