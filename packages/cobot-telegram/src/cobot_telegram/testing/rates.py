"""The limits Telegram publishes, kept on demand: https://core.telegram.org/bots/faq#broadcasting."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_telegram.testing.chats import Chat


@dataclass(slots=True)
class Rates:
    """Refuses what comes too fast, as Telegram does.

    Attributes:
        total: messages a bot may send within `total_seconds`.
        total_seconds: length of that window.
        chat: messages to one chat within `chat_seconds`.
        chat_seconds: length of that window.
        group: messages to one group or channel within `group_seconds`.
        group_seconds: length of that window.
    """

    total: int = 30
    total_seconds: float = 1.0
    chat: int = 3
    chat_seconds: float = 3.0
    group: int = 20
    group_seconds: float = 60.0
    _seen: dict[object, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def delay(self, chat: Chat, count: int = 1) -> int:
        """Count `count` messages, or return for how many seconds they are refused."""
        rules: list[tuple[object, int, float]] = [
            ("total", self.total, self.total_seconds),
            (("chat", chat.id), self.chat, self.chat_seconds),
        ]
        if chat.kind != "private":
            rules.append((("group", chat.id), self.group, self.group_seconds))
        now = time.monotonic()
        wait = 0.0
        for key, most, window in rules:
            seen = self._seen[key]
            while seen and seen[0] <= now - window:
                seen.popleft()
            if len(seen) + count > most and seen:
                wait = max(wait, seen[0] + window - now)
        if wait > 0:
            return math.ceil(wait)
        for key, _, _ in rules:
            self._seen[key].extend([now] * count)
        return 0
