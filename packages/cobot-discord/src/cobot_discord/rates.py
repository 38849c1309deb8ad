"""Rate-limit buckets whose waits stay with the chat that must wait.

discord.py holds the answer to a request back until its bucket has room again, and waits for however
long it takes. Here the answer comes at once, who comes next waits, and a wait that is long is told
to the lane, which stores its end.

https://discord.com/developers/docs/topics/rate-limits
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from discord.http import Ratelimit

from cobot_session.errors import RateLimited

if TYPE_CHECKING:
    from aiohttp import ClientResponse

PATIENCE = 5.0
"""Seconds a request waits for its bucket by itself."""
MOST_SECONDS = 86_400.0
"""The longest wait that is believed."""
_FIRST_ANSWER = 30.0
"""Seconds to wait for the answer that tells an unknown bucket's size."""


def seconds_told(value: object) -> float | None:
    """Return the seconds that an answer tells to wait; `None`: it tells none that can be meant.

    Args:
        value: a number, or a header's text; what is longer than a day is taken for a day.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(seconds, MOST_SECONDS) if math.isfinite(seconds) and seconds >= 0 else None


class Bucket(Ratelimit):
    """One bucket, with discord.py's interface; it learns its size from each answer."""

    __slots__ = ("_changed",)

    def __init__(self) -> None:
        super().__init__(None)
        self._changed = asyncio.Condition()

    async def acquire(self) -> None:
        """Take one request's worth.

        Raises:
            RateLimited: there is none for longer than `PATIENCE`.
        """
        self._last_request = self._loop.time()
        async with self._changed:
            while not self._has_room():
                await self._wait()
            self.remaining -= 1
            self.outgoing += 1

    def update(self, response: ClientResponse, *, use_clock: bool = False) -> None:
        """Learn from an answer, which may not have counted what else is under way."""
        try:
            super().update(response, use_clock=use_clock)
            told = int(response.headers.get("X-RateLimit-Remaining", "0"))
        except (LookupError, ValueError, ArithmeticError, OSError):
            told = 0  # an odd header: one request at a time, soon again
            self.limit, self.reset_after = 1, 0.0
        self.limit = max(1, self.limit)
        self.reset_after = seconds_told(self.reset_after) or 0.0
        self.expires = self._loop.time() + self.reset_after
        self.remaining = max(0, min(self.remaining, told - (self.outgoing - 1)))

    async def __aexit__(self, *_: object) -> None:
        self.outgoing -= 1
        if self.expires is None and self.outgoing == 0:
            self._renew()  # nothing was learnt: the request failed, or the server tells no limits
        async with self._changed:
            self._changed.notify_all()

    def _has_room(self) -> bool:
        if self.is_expired():
            self._renew()
        return self.remaining > 0

    def _renew(self) -> None:
        self.reset()  # type: ignore[no-untyped-call]  # discord.py leaves this one untyped

    async def _wait(self) -> None:
        left = _FIRST_ANSWER if self.expires is None else self.expires - self._loop.time()
        if self.expires is not None and left > PATIENCE:
            raise RateLimited(left)
        try:
            async with asyncio.timeout(max(left, 0.001)):
                await self._changed.wait()
        except TimeoutError:
            if self.expires is None:
                self._renew()
