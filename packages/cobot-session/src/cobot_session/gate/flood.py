"""How fast people may write: no one fills the disk, and no one keeps the others waiting."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.config.settings import RateSettings
    from cobot_session.messages import IncomingMessage

MOST_BUCKETS = 4096
"""Senders, and chats, of one channel whose rate is known; who has been silent longest goes."""
OLD_SECONDS = 120.0
"""A message that was written so long ago was not sent just now: the bot was away."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """A token bucket for each key, in bounded memory and bounded time.

    Args:
        per_minute: tokens that come back; 0: there is no bound.
        burst: tokens that there are at most.
    """

    def __init__(self, per_minute: float, burst: float) -> None:
        self._rate = per_minute / 60
        self._burst = max(1.0, float(burst))
        self._known: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> bool:
        """Take a token; false when there is none.

        Args:
            key: whose.
            now: seconds of a clock that nobody sets.
        """
        if not self._rate:
            return True
        bucket = self._known.get(key)
        if bucket is None:
            bucket = self._known[key] = _Bucket(self._burst, now)
            if len(self._known) > MOST_BUCKETS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        bucket.tokens = min(self._burst, bucket.tokens + max(0.0, now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def __len__(self) -> int:
        return len(self._known)


class Flood:
    """Judges how fast one channel's people write.

    What was written long before it arrived is a backlog: the bot was away, or a network was. It
    has buckets of its own, so that a person's messages of a day may come at once; `backlog` bounds
    them still, because on some networks the sender chooses the time.
    """

    def __init__(
        self,
        rates: RateSettings,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._today = today
        self._senders = Buckets(rates.sender, rates.sender_burst)
        self._chats = Buckets(rates.chat, rates.chat_burst)
        self._old_senders = Buckets(rates.sender, rates.backlog)
        self._old_chats = Buckets(rates.chat, 4 * rates.backlog)

    def too_fast(self, message: IncomingMessage, *, admitted: bool) -> bool:
        """Tell whether a message is one too many; what strangers write takes nothing of a chat's.

        Args:
            message: which came in.
            admitted: its sender may write here.
        """
        old = self._today() - message.timestamp.timestamp() > OLD_SECONDS
        senders = self._old_senders if old else self._senders
        now = self._clock()
        if message.sender_id and not senders.take(message.sender_id, now):
            return True
        chats = self._old_chats if old else self._chats
        return admitted and not chats.take(message.channel_id, now)
