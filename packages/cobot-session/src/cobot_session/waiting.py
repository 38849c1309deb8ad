"""What waits to be handed out: by chat in order of arrival, and over all chats oldest first."""

from __future__ import annotations

import bisect
import heapq
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.spool import Entry
    from cobot_session.spool.records import Chat
    from cobot_session.timers import Timers


@dataclass(slots=True)
class _Line:
    """One chat: what waits in it, and how many entries in hand hold it."""

    waiting: deque[Entry] = field(default_factory=deque)
    holders: int = 0


class Waiting:
    """Entries that wait to be handed out. Not thread-safe: the inbox's lock guards it.

    Args:
        timers: for entries that are not due yet.
        on_due: told, in the timers' thread, of a chat whose next entry has become due.
    """

    def __init__(self, timers: Timers, on_due: Callable[[Chat], None]) -> None:
        self._timers = timers
        self._on_due = on_due
        self._lines: dict[Chat, _Line] = {}
        self._ready: list[tuple[int, Chat]] = []

    def add(self, entry: Entry) -> None:
        """Put an entry in its place: what arrived earlier goes first, whenever it comes back."""
        waiting = self._lines.setdefault(entry.chat, _Line()).waiting
        if not waiting or waiting[-1].seq < entry.seq:
            waiting.append(entry)
        else:
            bisect.insort(waiting, entry, key=attrgetter("seq"))
        if waiting[0] is entry:
            self.offer(entry.chat)

    def is_free(self, chat: Chat) -> bool:
        """Return whether an entry that a chat now gets would be `first` at once."""
        return chat not in self._lines and self.first() is None

    def first(self) -> Entry | None:
        """Return the oldest entry whose turn it is."""
        while self._ready:
            seq, chat = self._ready[0]
            line = self._lines.get(chat)
            if line is not None and not line.holders and line.waiting:
                entry = line.waiting[0]
                if entry.seq == seq and entry.due <= time.monotonic():
                    return entry
            heapq.heappop(self._ready)  # a place of a chat that has been held since
        return None

    def take(self, entry: Entry, *, hold: bool) -> None:
        """Take out the entry that is `first`; with `hold` its chat waits until `let_go`."""
        line = self._lines[entry.chat]
        line.waiting.popleft()
        line.holders += hold
        self.offer(entry.chat)

    def let_go(self, chat: Chat) -> None:
        """End one hold of a chat."""
        self._lines[chat].holders -= 1
        self.offer(chat)

    def offer(self, chat: Chat) -> None:
        """Let a chat's next entry have its turn as soon as it is due; forget an empty chat."""
        line = self._lines.get(chat)
        if line is None or line.holders:
            return
        if not line.waiting:
            del self._lines[chat]
            return
        entry = line.waiting[0]
        delay = entry.due - time.monotonic()
        if delay > 0:
            self._timers.later(delay, partial(self._on_due, chat))
        else:
            heapq.heappush(self._ready, (entry.seq, chat))
