"""What has been said at the terminal, under the short numbers that a person can type."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

_REMEMBERED = 1000


@dataclass(slots=True)
class Entry:
    """One message.

    Attributes:
        text: what it says now.
        typed: the person wrote it, not the agent.
    """

    text: str
    typed: bool


class Transcript:
    """The latest thousand messages; what is older can no longer be referred to.

    Attributes:
        next_number: what the next message will have.
        last_typed: number of the latest message that the person wrote.
    """

    def __init__(self) -> None:
        self.next_number = 1
        self.last_typed: str | None = None
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def add(self, text: str, *, typed: bool) -> str:
        """Remember a message and return its number."""
        number = str(self.next_number)
        self.next_number += 1
        self._entries[number] = Entry(text, typed)
        self.last_typed = number if typed else self.last_typed
        if len(self._entries) > _REMEMBERED:
            self._entries.popitem(last=False)
        return number

    def get(self, number: str) -> Entry | None:
        """Return a message, `None` when there is none of that number any more."""
        return self._entries.get(number)

    def remove(self, number: str) -> bool:
        """Forget a message; false when there was none."""
        return self._entries.pop(number, None) is not None
