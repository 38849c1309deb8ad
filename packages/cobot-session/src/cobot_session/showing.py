"""What people are shown beside messages, stored nowhere: previews, drafts, typing, presence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from cobot_session.errors import PermanentError, SessionError
from cobot_session.futures import failed
from cobot_session.rendering import rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from cobot_session.door import Door
    from cobot_session.house import House
    from cobot_session.messages import OutgoingMessage
    from cobot_session.roster import Roster

T = TypeVar("T")

_PRESENCES = ("online", "away", "busy", "offline")


class Showing:
    """Has channels show what is no message. Thread-safe."""

    def __init__(self, house: House, roster: Roster) -> None:
        self._house = house
        self._roster = roster

    def rendered(self, message: OutgoingMessage, content: str) -> Future[list[OutgoingMessage]]:
        """Return the parts that a message would have with this content, as its channel has it."""
        supervisor = self._roster.get(message.channel_type)
        if supervisor is None:
            return failed(SessionError(self._roster.absence(message.channel_type)))
        limits = supervisor.record.limits
        whole = replace(message, content=content)
        return supervisor.call(lambda door: rendered(door, whole, limits))

    def preview(self, msg_id: str, part: OutgoingMessage) -> Future[Any]:
        """Show a rendered part in place of a message; it is stored nowhere."""
        return self._show(part, lambda door: door.edit(part.channel_id, msg_id, part.content, part))

    def draft(self, part: OutgoingMessage) -> Future[bool]:
        """Show a rendered part as a draft, stored nowhere; false: there are none in its chat."""
        return self._show(part, lambda door: door.draft(part))

    def _show(
        self, part: OutgoingMessage, call: Callable[[Door], Coroutine[Any, Any, T]]
    ) -> Future[T]:
        supervisor = self._roster.get(part.channel_type)
        if supervisor is None:
            return failed(SessionError(self._roster.absence(part.channel_type)))
        if (refusal := supervisor.gate.reach.refusal(part.channel_id)) is not None:
            return failed(PermanentError(refusal))
        return supervisor.call(call)

    def typing(
        self, channel_type: str, channel_id: str, still: Callable[[], bool] = lambda: True
    ) -> bool:
        """Show that an answer is being written; false when the channel cannot, or may not there.

        `still` is asked when the channel comes to it, on its loop: a late one would be shown
        beside the answer.
        """
        supervisor = self._roster.get(channel_type)
        if supervisor is None or "session_typing" not in supervisor.record.hooks:
            return False
        if supervisor.gate.reach.refusal(channel_id) is not None:
            return False

        async def show(door: Door) -> None:
            if still():
                await door.typing(channel_id)

        return supervisor.aside(show)

    def presence(self, status: str) -> bool:
        """Wish for a presence on every channel that has it; false when none has."""
        if status not in _PRESENCES:
            raise ValueError(f"presence is one of {', '.join(_PRESENCES)}, not {status!r}")
        self._house.presence = status
        able = self._roster.with_hook("session_presence")
        for supervisor in able:
            supervisor.aside(lambda door: door.presence(status))
        return bool(able)
