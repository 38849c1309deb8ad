"""Those who wait for something to be handed out."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.spool import Entry


@dataclass(slots=True, eq=False)
class Taker:
    """Someone who wants entries.

    Attributes:
        limit: at most so many.
        one_per_chat: hold a chat's next entry back until the one in hand is settled.
        keep: told what is handed out before the future is.
        answer: the entries, as soon as there is one.
    """

    limit: int
    one_per_chat: bool
    keep: Callable[[list[Entry]], object]
    answer: Future[list[Entry]] = field(default_factory=Future)


class Takers:
    """First come, first served. Not thread-safe: the inbox's lock guards it."""

    def __init__(self) -> None:
        self._waiting: deque[Taker] = deque()

    def add(self, taker: Taker) -> None:
        """Let one wait behind the others."""
        self._waiting.append(taker)

    def first(self) -> Taker | None:
        """Return whose turn it is; who does not want anything any more is forgotten."""
        while self._waiting:
            if not self._waiting[0].answer.cancelled():
                return self._waiting[0]
            self._waiting.popleft()
        return None

    def serve(self) -> bool:
        """Let the first go; false when it does not want anything any more."""
        return self._waiting.popleft().answer.set_running_or_notify_cancel()

    def remove(self, answer: Future[list[Entry]]) -> bool:
        """Let one go by its future; false when it does not wait."""
        for taker in self._waiting:
            if taker.answer is answer:
                self._waiting.remove(taker)
                return True
        return False
