"""How fast messages go out.

Nothing is slowed before Telegram asks for it. After a 429 the published limits are kept for some
minutes, by the chat that was refused, or by the bot when it was the bot's limit: https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

CAREFUL_SECONDS = 300.0
"""How long the published limits are kept after a 429."""
_BOT = (30, 1.0)
_CHAT = (3, 3.0)
"""One message a second, in bursts of three."""
_GROUP = (20, 60.0)
_CHATS_REMEMBERED = 10_000
_MANY_CHATS = 3
"""So many chats refused within a few seconds mean that it is the bot's own limit."""
_SAME_FLOOD_SECONDS = 3.0


class Window:
    """At most `most` events within `seconds`."""

    __slots__ = ("_most", "_seconds", "_times")

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=most)

    def note(self, at: float) -> None:
        """Count one event."""
        self._times.append(at)

    def delay(self, now: float) -> float:
        """Return seconds until there is room for one more."""
        if len(self._times) < self._most:
            return 0.0
        return max(0.0, self._times[0] + self._seconds - now)


class Pace:
    """Counts what is sent, and says how long the next message should wait.

    Args:
        strict: keep to the published limits all the time.
        clock: monotonic seconds.
    """

    def __init__(
        self, *, strict: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._strict = strict
        self._clock = clock
        self._bot_careful_until = float("-inf")
        self._careful_until: OrderedDict[object, float] = OrderedDict()
        self._bot = Window(*_BOT)
        self._chats: OrderedDict[object, tuple[Window, ...]] = OrderedDict()
        self._refusals: deque[tuple[float, object]] = deque(maxlen=16)

    def delay(self, chat: int | str) -> tuple[float, Literal["chat", "channel"]]:
        """Return how many seconds a message to a chat should wait, and by whose limit."""
        now = self._clock()
        careful = self._strict or now < self._careful_until.get(chat, 0.0)
        own = max(window.delay(now) for window in self._windows(chat)) if careful else 0.0
        careful = self._strict or now < self._bot_careful_until
        everybody = self._bot.delay(now) if careful else 0.0
        return (own, "chat") if own >= everybody else (everybody, "channel")

    def note(self, chat: int | str, count: int = 1) -> None:
        """Count messages that go out now."""
        now = self._clock()
        for window in (self._bot, *self._windows(chat)):
            for _ in range(count):
                window.note(now)

    def refused(self, chat: object) -> Literal["chat", "channel"]:
        """Take note of a 429 and tell whose limit it was: the chat's, or the bot's.

        Telegram does not say. It is the chat's, unless several chats are refused at once, or the
        bot as a whole was too fast and this chat was not.
        """
        now = self._clock()
        self._refusals.append((now, chat))
        if self._is_the_bots(chat, now):
            self._bot_careful_until = now + CAREFUL_SECONDS
            return "channel"
        self._careful_until[chat] = now + CAREFUL_SECONDS
        self._careful_until.move_to_end(chat)
        if len(self._careful_until) > _CHATS_REMEMBERED:
            self._careful_until.popitem(last=False)
        return "chat"

    def _is_the_bots(self, chat: object, now: float) -> bool:
        recent = {one for at, one in self._refusals if at > now - _SAME_FLOOD_SECONDS}
        if chat is None or len(recent) >= _MANY_CHATS:
            return True
        own = any(window.delay(now) > 0 for window in self._windows(chat))
        return not own and self._bot.delay(now) > 0

    def _windows(self, chat: object) -> tuple[Window, ...]:
        if chat not in self._chats:
            group = not isinstance(chat, int) or chat < 0
            self._chats[chat] = (Window(*_CHAT), *([Window(*_GROUP)] if group else []))
        self._chats.move_to_end(chat)
        if len(self._chats) > _CHATS_REMEMBERED:
            self._chats.popitem(last=False)
        return self._chats[chat]
