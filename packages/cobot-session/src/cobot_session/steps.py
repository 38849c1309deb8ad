"""What carrying out an item of a lane takes: one platform call a step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from cobot_session.errors import PermanentError

if TYPE_CHECKING:
    from cobot_session.door import Door
    from cobot_session.messages import OutgoingMessage, Sent
    from cobot_session.spool import Item

Call: TypeAlias = Callable[[], "Awaitable[Sent]"]

NEEDED_HOOK = {
    "send": "session_send",
    "edit": "session_edit",
    "delete": "session_delete",
    "react": "session_react",
    "preview": "session_send",
    "answer": "session_send",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the channel.

    Attributes:
        call: makes it.
        about: the platform's id of the message that it changes; `None`: it makes a new one.
        stays: there is a message afterwards.
        instead: what is done when the platform refuses it for good.
    """

    call: Call
    about: str | None = None
    stays: bool = True
    instead: Step | None = None

    @property
    def repeatable(self) -> bool:
        """Doing it twice is doing it once, whatever the channel."""
        return self.about is not None

    def leaves(self, outcome: Sent) -> list[str]:
        """Return the platform's ids of what is there afterwards."""
        if not self.stays:
            return []
        unchanged = [self.about] if self.about is not None else []
        return list(outcome.message_ids) or unchanged


def steps_of(item: Item, door: Door, targets: list[str]) -> list[Step]:
    """Return what carrying out an item takes, in order.

    Args:
        item: with `parts` filled in, for a send and an edit.
        door: the channel.
        targets: the platform messages it is about; none for a send, and for an answer of which
            nothing stands there.
    """
    chat = item.message.channel_id
    parts = item.parts or []
    match item.op:
        case "send" | "preview":
            return [_send(door, part) for part in parts]
        case "edit":
            return _edit(door, chat, parts, targets)
        case "answer":
            return _answer(door, parts, _edit(door, chat, parts, targets))
        case "delete":
            return [_delete(door, chat, target) for target in targets]
        case "react":
            emoji = item.message.content
            return [Step(lambda: door.react(chat, targets[0], emoji), targets[0])]


def _edit(door: Door, chat: str, parts: list[OutgoingMessage], targets: list[str]) -> list[Step]:
    """Edit part by part; a text that grew sends the rest, one that shrank deletes the surplus."""
    steps = [
        Step(_edit_call(door, chat, target, part), target)
        for part, target in zip(parts, targets, strict=False)
    ]
    steps += [_send(door, part) for part in parts[len(targets) :]]
    if "session_delete" in door.hooks:
        steps += [_delete(door, chat, target) for target in targets[len(parts) :]]
    return steps


def _answer(door: Door, parts: list[OutgoingMessage], steps: list[Step]) -> list[Step]:
    """Send a part where its preview cannot be edited, because somebody has deleted it, say."""
    return [
        replace(step, instead=_send(door, part)) if step.about is not None else step
        for step, part in zip(steps, parts, strict=False)
    ] + steps[len(parts) :]


def _edit_call(door: Door, chat: str, target: str, part: OutgoingMessage) -> Call:
    return lambda: door.edit(chat, target, part.content, part)


def _send(door: Door, part: OutgoingMessage) -> Step:
    if "session_send" not in door.hooks:
        raise PermanentError("this channel cannot send, and the text needs one more message")
    return Step(lambda: door.send(part))


def _delete(door: Door, chat: str, target: str) -> Step:
    return Step(lambda: door.delete(chat, target), target, stays=False)
