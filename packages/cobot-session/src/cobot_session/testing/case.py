"""What an author tells the kit: which channel, and who sits on the other side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cobot_session.registry import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Refusal = Literal["temporary", "permanent", "rate_limited", "unknown", "auth"]


@dataclass(frozen=True, slots=True)
class ChannelCase:
    """The channel under test.

    Attributes:
        name: of its entry point.
        options: its own keys in `cobot.yml`, enough to start against the wire.
        plugin: class or factory of one that is not installed; the packaging tests are skipped.
        chat: a chat that the channel can send to.
        boundary: seconds that anything may take on a busy machine before a test fails.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    plugin: Callable[[], object] | None = None
    chat: str = "chat"
    boundary: float = 30.0

    @property
    def given(self) -> dict[str, Callable[[], object]]:
        """What a session takes as `plugins`."""
        return {} if self.plugin is None else {self.name: self.plugin}

    def config(self, workspace: object, **session: Any) -> dict[str, Any]:
        """Return a configuration that runs this channel and no other."""
        others = {one.name: {"enabled": False} for one in installed() if one.name != self.name}
        own = {"access": {"open": True}, "poll_interval": 0.1, **self.options}
        return {
            "plugins": {
                **others,
                "session": {"events": "all", "drain": 1.0, **session},
                "workspace": {"path": str(workspace)},
                self.name: own,
            }
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as the person on the other side sees it now.

    Attributes:
        id: the platform's message id, as the channel names it.
        text: what it says.
        reply_to: id of the message it quotes.
        files: names of what is attached.
        reactions: emoji that the channel put on it.
    """

    id: str
    text: str
    reply_to: str | None = None
    files: Sequence[str] = ()
    reactions: Sequence[str] = ()


class Absent(Exception):
    """This wire cannot do that; the test is skipped and the report says so."""


class Wire:
    """A person on the other side of the channel, in the chat `ChannelCase.chat`.

    `says` and `seen` are needed; every other verb makes more of the contract provable. What a
    verb that is not overridden proves is skipped, visibly.

    Verbs return when the platform has taken what they did; none waits for the channel.
    """

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        """Say something, quoting a message or with files attached; returns the message's id."""
        raise NotImplementedError

    def seen(self) -> Sequence[Seen]:
        """Return the channel's messages in the chat, oldest first, deleted ones left out."""
        raise NotImplementedError

    def repeats(self) -> None:
        """Let the platform deliver the person's last message once more."""
        raise Absent

    def edits(self, message_id: str, text: str) -> None:
        """Change the text of a message of the person."""
        raise Absent

    def deletes(self, message_id: str) -> None:
        """Delete a message of the person."""
        raise Absent

    def reacts(self, message_id: str, emoji: str) -> None:
        """React to a message."""
        raise Absent

    def presses(self, data: str) -> None:
        """Press a button with this data, under a message of the channel."""
        raise Absent

    def forwards(self, text: str) -> None:
        """Forward a message with this text that somebody who is let in wrote."""
        raise Absent

    def garbles(self) -> None:
        """Let the platform deliver something that no channel can read."""
        raise Absent

    def refuses(self, how: Refusal, retry_after: float = 1.0) -> None:
        """Let the platform treat the next send so; `unknown`: it takes it, no answer comes."""
        raise Absent

    def is_typed_to(self) -> bool:
        """Return whether the person was shown typing."""
        raise Absent

    def draft(self) -> str | None:
        """Return the text of the draft that the person is shown now, `None`: there is none."""
        raise Absent

    def presence(self) -> str | None:
        """Return the presence shown, as the session names it."""
        raise Absent

    def cuts(self) -> None:
        """Break the connection and keep it broken."""
        raise Absent

    def mends(self) -> None:
        """Let the connection be made again."""
        raise Absent

    def person_id(self) -> str:
        """Return the person's id, as `access: {users: …}` names it."""
        raise Absent

    def strangers(self) -> Mapping[str, Wire]:
        """Return people who must not reach the agent, each a wire in a chat of their own.

        Five have a meaning. While only the person is listed: `stranger`, somebody else in a
        direct chat with the channel; `namesake`, another such one with the person's names;
        `group`, somebody else where several people are; `neighbour`, somebody else in
        `ChannelCase.chat` itself. While only that chat is listed: `elsewhere`, the person in
        another one. Further names are the platform's own kinds of impostor, for both.
        """
        raise Absent
