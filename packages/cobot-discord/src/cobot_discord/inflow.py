"""What has come and waits to be received, and the marks that tell what was received.

A mark is the id of a message. For each chat the greatest few are stored in the transaction that
stores the messages themselves, and for each guild the floor: all that came before it, in whatever
channel of it, is stored. A few instead of one, because events may overtake each other: what was
overtaken is still missing from the marks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cobot_discord.places import Place
    from cobot_session.messages import IncomingMessage
    from cobot_session.plugin import State

KEPT_MARKS = 16
DIRECT_SPACE = "@me"
"""Stands for a guild where direct chats are meant. Its floor stays where it began: Discord lists no
direct chats, so that one which was missed shows only when the person writes again."""
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
    """A queue of events, and the marks of what has passed it.

    Args:
        state: where marks are kept.
        is_whole: tells of a guild that no gap of it is being filled.
    """

    def __init__(self, state: State, is_whole: Callable[[str], bool]) -> None:
        self._state = state
        self._is_whole = is_whole
        self._queue: deque[Item] = deque()
        self._marks: dict[str, list[int]] = {}
        self._reached: dict[str, int] = {}
        self._recent: dict[int, None] = {}
        self._dropped: set[str] = set()
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

    async def wait(self, seconds: float) -> None:
        """Return when there is something to receive, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    def offer(self, item: Item) -> bool:
        """Queue an event; `False`: it has come before."""
        if item.mark:
            marks = self.marks(item.place)
            if item.mark in marks or item.mark in self._recent:
                return False
            self._remember(item.mark)
            self._marks[_name(item.place)] = _greatest([*marks, item.mark])
            if item.place.guild:
                guild = item.place.guild
                self._reached[guild] = max(self._reached.get(guild, 0), item.mark)
        self._queue.append(item)
        if item.message is not None:  # a mark alone has time until something comes with it
            self.wake()
        return True

    def drain(self, limit: int) -> list[IncomingMessage]:
        """Take up to so many events out, in `session_receive`; their marks go into the state."""
        batch = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        marks: dict[str, list[int]] = {}
        for item in batch:
            if item.mark:
                marks.setdefault(_name(item.place), []).append(item.mark)
        self._drop_marks()
        for name, new in marks.items():
            self._state[name] = _greatest([*self._stored(name), *new])
        self._raise_floors()
        if self._queue:
            self.wake()
        return [item.message for item in batch if item.message is not None]

    def marks(self, place: Place) -> list[int]:
        """Return the greatest ids that came from a chat, in this process or before."""
        name = _name(place)
        if name not in self._marks:
            self._marks[name] = self._stored(name)
        return self._marks[name]

    def gap_begins(self, place: Place) -> int | None:
        """Return the id after which messages of a chat may be missing; `None`: none can be."""
        marks = self.marks(place)
        if marks:
            return marks[0]
        return self.floor(place.guild or DIRECT_SPACE)

    def floor(self, guild: str) -> int | None:
        """Return the id before which nothing of a guild is missing; `None`: it is new."""
        stored = self._state.get(f"floor/{guild}")
        return None if stored is None else int(stored)

    def begin(self, guild: str, floor: int) -> None:
        """Begin with a guild (or `DIRECT_SPACE`), at once: what came before is not for us."""
        self._state[f"floor/{guild}"] = str(floor)

    def forget(self, name: str) -> None:
        """Drop the marks of a chat that is gone."""
        self._dropped.add(name)
        self._marks.pop(name, None)
        self.wake()

    def known(self, kind: str) -> Iterator[tuple[str, list[str], int]]:
        """Yield the chats that spoke: name of their marks, ids, greatest mark.

        Args:
            kind: `dm` for direct chats, `seen` for the others.
        """
        for name in {*self._state, *self._marks}:
            marks = self._marks.get(name) or self._stored(name)
            first, *ids = name.split("/")
            if first == kind and marks:
                yield name, ids, marks[-1]

    def _stored(self, name: str) -> list[int]:
        if name in self._dropped:
            return []
        return [int(mark) for mark in self._state.get(name) or ()]

    def _remember(self, mark: int) -> None:
        self._recent[mark] = None
        if len(self._recent) > RECENT_MARKS:
            del self._recent[next(iter(self._recent))]

    def _drop_marks(self) -> None:
        while self._dropped:
            name = self._dropped.pop()
            if name in self._state:
                del self._state[name]

    def _raise_floors(self) -> None:
        """Move the floors of guilds of which nothing waits and nothing is being fetched."""
        if self._queue:
            return
        for guild, reached in list(self._reached.items()):
            if self._is_whole(guild):
                self._state[f"floor/{guild}"] = str(max(reached, self.floor(guild) or 0))
                del self._reached[guild]


def _name(place: Place) -> str:
    return f"seen/{place.address}" if place.guild else f"dm/{place.address}"


def _greatest(marks: list[int]) -> list[int]:
    return sorted(set(marks))[-KEPT_MARKS:]
