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
_CHAT = (3, 3.1)
"""One message a second, in bursts of three; a later one may take a little less on its way."""
_GROUP = (20, 60.1)
_CHATS_REMEMBERED = 10_000
_MANY_CHATS = 3
"""So many chats refused within a few seconds, none too fast itself: it is the bot's limit."""
_SAME_FLOOD_SECONDS = 3.0
_SLOT_SECONDS = 5.0
"""How long a moment that was given is kept for who was to come."""


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
        self._refusals: deque[tuple[float, object]] = deque(maxlen=64)
        self._slots: OrderedDict[tuple[object, int | None], float] = OrderedDict()

    def turn(self, chat: int | str, topic: int | None = None, count: int = 1) -> float:
        """Count messages that go out now and return 0, or return for how many seconds not.

        Who has to wait for the bot's own limit is given a moment of its own, so that thousands of
        chats that wait do not all ask again at once.
        """
        now = self._clock()
        slot = self._slots.pop((chat, topic), None)
        if slot is not None and now < slot:
            self._slots[chat, topic] = slot
            return slot - now
        if slot is not None and now < slot + _SLOT_SECONDS:
            return 0.0
        delay = self._delay(chat, now)
        if delay > 0:
            return delay
        delay = self._bot.delay(now) if self._strict or now < self._bot_careful_until else 0.0
        self._note(chat, count, now + delay)
        if delay > 0:
            self._slots[chat, topic] = now + delay
            if len(self._slots) > _CHATS_REMEMBERED:
                self._slots.popitem(last=False)
        return delay

    def _delay(self, chat: int | str, now: float) -> float:
        careful = self._strict or now < self._careful_until.get(chat, 0.0)
        return max(window.delay(now) for window in self._windows(chat)) if careful else 0.0

    def _note(self, chat: int | str, count: int, at: float) -> None:
        for window in (self._bot, *self._windows(chat)):
            for _ in range(count):
                window.note(at)

    def refused(self, chat: object) -> Literal["chat", "channel"]:
        """Take note of a 429 and tell whose limit it was: the chat's, or the bot's.

        Telegram does not say. It is the chat's, unless several chats that were not too fast
        themselves are refused at once, or the bot as a whole was too fast and this chat was not.
        """
        now = self._clock()
        if self._is_the_bots(chat, now):
            self._bot_careful_until = now + CAREFUL_SECONDS
            return "channel"
        self._careful_until[chat] = now + CAREFUL_SECONDS
        self._careful_until.move_to_end(chat)
        if len(self._careful_until) > _CHATS_REMEMBERED:
            self._careful_until.popitem(last=False)
        return "chat"

    def _is_the_bots(self, chat: object, now: float) -> bool:
        if chat is None:
            return True
        if any(window.delay(now) > 0 for window in self._windows(chat)):
            return False
        self._refusals.append((now, chat))
        recent = {one for at, one in self._refusals if at > now - _SAME_FLOOD_SECONDS}
        return len(recent) >= _MANY_CHATS or self._bot.delay(now) > 0

    def _windows(self, chat: object) -> tuple[Window, ...]:
        if chat not in self._chats:
            group = not isinstance(chat, int) or chat < 0
            self._chats[chat] = (Window(*_CHAT), *([Window(*_GROUP)] if group else []))
        self._chats.move_to_end(chat)
        if len(self._chats) > _CHATS_REMEMBERED:
            self._chats.popitem(last=False)
        return self._chats[chat]
