"""What has come and waits to be received."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_discord.marks import Marks
    from cobot_discord.places import Place
    from cobot_session.messages import IncomingMessage

RECENT_MARKS = 20_000
"""Ids remembered in memory: more than can be held back, and read from history, at once."""
MOST_WAITING = 5000
"""Events that may wait in memory; what is more is read from the history later."""


@dataclass(frozen=True, slots=True)
class Item:
    """One event in waiting.

    Attributes:
        place: where it happened.
        mark: the id of a new message, 0 for other events.
        message: what to receive; `None`: it only moves the mark.
    """

    place: Place
    mark: int
    message: IncomingMessage | None


class Inflow:
    """A queue of events, each of which passes once.

    Args:
        marks: what has passed it.
        is_whole: tells of a guild that no gap of it is being filled.
    """

    def __init__(self, marks: Marks, is_whole: Callable[[str], bool]) -> None:
        self._marks = marks
        self._is_whole = is_whole
        self._queue: deque[Item] = deque()
        self._recent: dict[int, None] = {}
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """No more than this should wait in memory."""
        return len(self._queue) >= MOST_WAITING

    def wake(self) -> None:
        """Let `wait` return."""
        self._woken.set()

    async def wait(self) -> None:
        """Return when there is something to receive."""
        await self._woken.wait()
        self._woken.clear()

    def offer(self, item: Item) -> bool:
        """Queue an event; `False`: it has come before."""
        if item.mark:
            if item.mark in self._recent or item.mark in self._marks.of(item.place):
                return False
            self._remember(item.mark)
            self._marks.add(item.place, item.mark)
        self._queue.append(item)
        if item.message is not None:  # a mark alone has time until something comes with it
            self.wake()
        return True

    def drain(self, limit: int) -> list[IncomingMessage]:
        """Take up to so many events out, in `session_receive`; their marks go into the state."""
        batch = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._marks.store([(item.place, item.mark) for item in batch if item.mark])
        if self._queue:
            self.wake()
        else:
            whole = [guild for guild in self._marks.guilds if self._is_whole(guild)]
            self._marks.settle(whole, moved=bool(batch))
        return [item.message for item in batch if item.message is not None]

    def _remember(self, mark: int) -> None:
        self._recent[mark] = None
        if len(self._recent) > RECENT_MARKS:
            del self._recent[next(iter(self._recent))]
