"""What the agent has in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobot_session.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cobot_session.messages import IncomingMessage
    from cobot_session.spool import Entry


class Hands:
    """Entries that were handed out and are not settled.

    One that may have killed an agent, a suspect, is in hand alone. Not thread-safe: the inbox's
    lock guards it.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], tuple[Entry, bool]] = {}
        self._suspects = 0

    def may_take(self, entry: Entry) -> bool:
        """Return whether an entry may be in hand beside those that are."""
        return not self._entries or not (entry.suspect or self._suspects)

    def take(self, entry: Entry, *, holds: bool) -> None:
        """Take an entry, and note whether it holds its chat."""
        self._suspects += entry.suspect
        self._entries[_key(entry)] = entry, holds

    def let_go(self, entry: Entry) -> bool:
        """Let an entry go; return whether it held its chat."""
        self._suspects -= entry.suspect
        _, held = self._entries.pop(_key(entry))
        return held

    def of(self, message: IncomingMessage) -> Entry:
        """Return the entry of a message.

        Raises:
            SessionError: it is not in hand: it was acknowledged, or never handed out.
        """
        found = self.find(message)
        if found is None:
            raise SessionError(
                f"message {message.id!r} of {message.channel_type} is not in hand:"
                " it has been acknowledged or put back already"
            )
        return found

    def find(self, message: IncomingMessage) -> Entry | None:
        """Return the entry of a message, `None` when it is not in hand."""
        return self._entries.get((message.channel_type, message.key), (None,))[0]

    def still(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return those of some entries that are in hand."""
        return [one for one in entries if self._entries.get(_key(one), (None,))[0] is one]


def _key(entry: Entry) -> tuple[str, str]:
    return entry.message.channel_type, entry.message.key
