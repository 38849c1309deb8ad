"""Questions to one relay, each asked once and answered by what it has stored."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cobot_nostr.wire import Page

if TYPE_CHECKING:
    from cobot_nostr.event import Event
    from cobot_nostr.line import Line
    from cobot_nostr.wire import Filters

_MOST_IN_ANSWER = 5000
_PREFIX = "q"


@dataclass(slots=True)
class Question:
    """One question while its answer comes in.

    Attributes:
        page: what was asked.
        events: what came, the first few thousand.
        done: the answer is complete, or none will come.
    """

    page: Page
    events: list[Event] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, event: Event) -> None:
        """Take an event of the answer."""
        self.page.count(event.created_at)
        if len(self.events) < _MOST_IN_ANSWER:
            self.events.append(event)

    def told_all(self) -> None:
        """Take the end of the answer."""
        self.page.done = True
        self.done.set()


class Questions:
    """The questions that are open; each is asked again in a new connection."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._open: dict[str, Question] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._open)

    def get(self, name: str) -> Question | None:
        """Return the open question of that name."""
        return self._open.get(name)

    @staticmethod
    def names(name: str) -> bool:
        """Tell whether a question may have had that name: its answer comes late."""
        return name.startswith(_PREFIX)

    def connected(self) -> None:
        """Ask everything, in a new connection."""
        for name, question in self._open.items():
            self._line.send("REQ", name, *question.page.filters)

    def disconnected(self) -> None:
        """Wait for no answer any more."""
        for question in self._open.values():
            question.done.set()

    async def fetch(self, filters: Filters, patience: float) -> list[Event]:
        """Return the stored events that match, or those that came within `patience` seconds."""
        question = Question(Page(filters, int(time.time())))
        with contextlib.suppress(TimeoutError):
            await self.ask(question, patience)
        return question.events

    async def ask(self, question: Question, patience: float) -> None:
        """Ask, and return when the answer is complete.

        Raises:
            TimeoutError: it is not, after `patience` seconds.
        """
        self._serial += 1
        name = f"{_PREFIX}{self._serial}"
        self._open[name] = question
        self._line.send("REQ", name, *question.page.filters)
        try:
            async with asyncio.timeout(patience):
                await question.done.wait()
        finally:
            del self._open[name]
            self._line.send("CLOSE", name)
