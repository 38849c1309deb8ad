"""Places where people talk, and what stands there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from cobot_nostr.testing.changes import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_nostr.event import Rumor
    from cobot_nostr.testing.server import NostrServer

ChatKind: TypeAlias = Literal["private", "old", "notes", "channel", "group"]

_SHOWN_AT_TIMEOUT = 5


@dataclass(slots=True, eq=False)
class Message:
    """One message, whoever wrote it.

    Attributes:
        event: the event or, in private, the rumor.
        chat: where it stands.
        text: what it says, decrypted.
        reactions: emoji by the public key of who reacted.
        deleted: its author asked for its deletion.
    """

    event: Rumor
    chat: Chat = field(repr=False)
    text: str
    reactions: dict[str, str] = field(default_factory=dict)
    deleted: bool = False

    @property
    def id(self) -> str:
        """The event's or the rumor's id."""
        return self.event.id

    @property
    def sender(self) -> str:
        """The author's public key."""
        return self.event.pubkey

    @property
    def reply_to(self) -> str | None:
        """The id of what it answers (the last `e` tag, or the one marked `reply`)."""
        tags = [tag for tag in self.event.tags if tag[0] == "e" and len(tag) > 1]
        marked = [tag for tag in tags if len(tag) > 3 and tag[3] == "reply"]
        found = marked or tags
        return found[-1][1] if found else None


@dataclass(slots=True, eq=False)
class Chat:
    """One place.

    Attributes:
        kind: `private` (NIP-17), `old` (NIP-04), `notes` (kind 1), `channel` (NIP-28) or `group`
            (NIP-29).
        members: of a private one, all public keys in it.
        id: of a channel or a group, its id.
    """

    world: NostrServer = field(repr=False)
    kind: ChatKind
    members: frozenset[str] = frozenset()
    id: str = ""
    all_messages: dict[str, Message] = field(default_factory=dict, repr=False)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What stands there now, in the order of arrival, without what was deleted."""
        with self.world.changes:
            return tuple(one for one in self.all_messages.values() if not one.deleted)

    @property
    def answers(self) -> tuple[Message, ...]:
        """The messages among them that no scripted person wrote."""
        people = {user.public for user in self.world.users}
        return tuple(message for message in self.messages if message.sender not in people)

    @property
    def texts(self) -> list[str]:
        """The texts of `answers`."""
        return [message.text for message in self.answers]

    def wait_for(
        self,
        text: str | None = None,
        *,
        count: int = 1,
        where: Callable[[Message], bool] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Message:
        """Block until `count` matching answers stand here; return the last of them.

        Args:
            text: the whole text; `None`: any.
            count: how many.
            where: a further condition, looked at again after each reaction and deletion.
            timeout: seconds.

        Raises:
            TimeoutError: it did not happen; the error shows what stands there.
        """
        return self.world.changes.wait(
            lambda: self._find(text, count, where), timeout, lambda: self._missed(text)
        )

    async def wait_for_async(
        self,
        text: str | None = None,
        *,
        count: int = 1,
        where: Callable[[Message], bool] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Message:
        """Do what `wait_for` does without blocking the event loop."""
        return await self.world.changes.wait_async(
            lambda: self._find(text, count, where), timeout, lambda: self._missed(text)
        )

    def _find(
        self, text: str | None, count: int, where: Callable[[Message], bool] | None
    ) -> Message | None:
        fitting = [
            message
            for message in self.answers
            if (text is None or message.text == text) and (where is None or where(message))
        ]
        return fitting[count - 1] if len(fitting) >= count else None

    def _missed(self, text: str | None) -> str:
        wanted = "the message" if text is None else repr(text)
        last = [message.text for message in self.messages[-_SHOWN_AT_TIMEOUT:]]
        return f"{wanted} did not come to this {self.kind} chat; last there: {last}"

    def add(self, rumor: Rumor, text: str) -> Message:
        """Put a message there, once."""
        if rumor.id not in self.all_messages:
            self.all_messages[rumor.id] = Message(rumor, self, text)
        return self.all_messages[rumor.id]
