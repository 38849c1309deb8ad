"""Rate limits: buckets by route and channel, and the one over all.

https://discord.com/developers/docs/topics/rate-limits
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass


@dataclass(slots=True)
class Window:
    """The state of one bucket."""

    limit: int
    per: float
    used: int = 0
    ends: float = 0.0

    def take(self) -> bool:
        """Count a request; `False`: there is no room for it."""
        now = time.monotonic()
        if now >= self.ends:
            self.used, self.ends = 0, now + self.per
        self.used += 1
        return self.used <= self.limit

    @property
    def left(self) -> float:
        """Seconds until it begins anew."""
        return max(0.0, self.ends - time.monotonic())


class Rates:
    """All buckets.

    Attributes:
        limits: request -> (how many, in how many seconds); of one chat or guild.
        default: for requests without an entry.
    """

    def __init__(self) -> None:
        self.limits: dict[str, tuple[int, float]] = {}
        self.default = (1000, 1.0)
        self.global_until = 0.0
        self._windows: dict[tuple[str, str], Window] = {}

    def take(self, name: str, major: str) -> tuple[bool, dict[str, str]]:
        """Count a request; return whether it may pass, and the headers to answer with."""
        limit, per = self.limits.get(name, self.default)
        window = self._windows.get((name, major))
        if window is None or (window.limit, window.per) != (limit, per):
            window = self._windows[name, major] = Window(limit, per)
        allowed = window.take()
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - window.used)),
            "X-RateLimit-Reset": f"{time.time() + window.left:.3f}",
            "X-RateLimit-Reset-After": f"{window.left:.3f}",
            "X-RateLimit-Bucket": f"{zlib.crc32(name.encode()):08x}",
        }
        return allowed, headers

    def left(self, name: str, major: str) -> float:
        """Return the seconds until the bucket begins anew."""
        return self._windows[name, major].left

    def block_all(self, seconds: float) -> None:
        """Refuse every request for so long (a global limit)."""
        self.global_until = time.monotonic() + seconds

    @property
    def global_left(self) -> float:
        """Seconds for which every request is still refused."""
        return max(0.0, self.global_until - time.monotonic())
