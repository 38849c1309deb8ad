"""The messages that the agent has in its hands, from a poll until it is done with each."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import asyncio

    from cobot_session.messages import IncomingMessage
    from cobot_session.spool import Entry
    from cobot_session.typing_kept import TypingKept

Key: TypeAlias = "tuple[str, str, str]"
"""Channel, chat and message, as the agent knows it."""


@dataclass(slots=True, eq=False)
class Turn:
    """One message that the agent was given.

    Attributes:
        entry: what is settled when it is done.
        id: the message's id as the agent knows it.
        task: in which the agent handles it; `None` until it begins.
        answered: the answer is stored and the message acknowledged.
        failed: the answer could not be stored: the message comes again.
        typing: shown in its chat.
    """

    entry: Entry
    id: str
    task: asyncio.Task[object] | None = None
    answered: bool = False
    failed: bool = False
    typing: TypingKept | None = None

    @property
    def message(self) -> IncomingMessage:
        """The message."""
        return self.entry.message

    def show_typing(self, typing: TypingKept) -> None:
        """Show typing until `end_typing`."""
        self.typing = typing
        typing.__enter__()

    def end_typing(self) -> None:
        """Show it no more."""
        if self.typing is not None:
            self.typing.__exit__(None, None, None)
            self.typing = None


class Turns:
    """The turns since the last poll."""

    def __init__(self) -> None:
        self._turns: dict[Key, Turn] = {}
        self._numbers = itertools.count(2)

    def take(self, entry: Entry) -> Turn:
        """Begin a turn.

        The agent handles an id once in an hour: what comes again, and an event that carries the id
        of the message it is about, has one of its own.
        """
        message = entry.message
        again = message.kind != "message" or message.metadata.get("redelivered")
        id_ = f"{message.id}#{next(self._numbers)}" if again else message.id
        turn = Turn(entry, id_)
        self._turns[message.channel_type, message.channel_id, id_] = turn
        return turn

    def get(self, channel_type: str, channel_id: str, id_: str | None) -> Turn | None:
        """Return the turn of a message, by the id that the agent knows."""
        return self._turns.get((channel_type, channel_id, id_ or ""))

    def at_work(self) -> bool:
        """Tell whether the agent still handles one of them."""
        return any(one.task is not None and not one.task.done() for one in self._turns.values())

    def untouched(self) -> list[Entry]:
        """Return those that the agent has not begun."""
        return [one.entry for one in self._turns.values() if one.task is None]

    def clear(self) -> None:
        """Forget them."""
        self._turns.clear()
