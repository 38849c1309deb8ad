"""The people and places of the server, and what one can let them do.

Their verbs are the scripted API. They may be called from any thread and return at once; the waits
(`Chat.wait_for`) block up to a bound and have a twin that ends in `_async`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cobot_discord.testing.changes import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cobot_discord.testing.world import World

DM, TEXT, VOICE, NEWS, PUBLIC_THREAD, PRIVATE_THREAD, FORUM = 1, 0, 2, 5, 11, 12, 15
"""Channel types: https://discord.com/developers/docs/resources/channel#channel-object-channel-types."""

Match: TypeAlias = "str | Callable[[Message], bool] | None"


@dataclass(frozen=True, slots=True)
class File:
    """An upload: a name, its bytes, and what it says of itself."""

    name: str
    data: bytes = field(repr=False)
    mime_type: str = "application/octet-stream"
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it hangs on a message."""

    id: str
    file: File


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a guild."""

    id: str
    name: str
    bot_id: str | None = None


@dataclass(slots=True, eq=False)
class Message:
    """One message as the server holds it.

    Attributes:
        pings: whom it notified: user ids, role ids, `@everyone`, `@here`.
        reactions: emoji (`👍` or `name:id`) -> ids of the users who reacted.
    """

    id: str
    chat: Chat
    author: User
    content: str
    created: datetime
    kind: int = 0
    reply_to: Message | None = None
    reference: str | None = None
    attachments: tuple[Attachment, ...] = ()
    embeds: list[dict[str, Any]] = field(default_factory=list)
    stickers: list[dict[str, Any]] = field(default_factory=list)
    pings: list[str] = field(default_factory=list)
    nonce: str | None = None
    edited: datetime | None = None
    flags: int = 0
    reactions: dict[str, list[str]] = field(default_factory=dict)
    deleted: bool = False
    webhook: bool = False


@dataclass(slots=True, eq=False)
class User:
    """A person, or a bot. `world.bot` is the bot under test."""

    world: World = field(repr=False)
    id: str
    name: str
    display_name: str
    bot: bool = False
    dms_open: bool = True

    @property
    def dm(self) -> Chat:
        """The direct message channel with the bot under test."""
        return self.world.direct(self)

    def says(
        self,
        content: str = "",
        chat: Chat | None = None,
        *,
        files: Sequence[File] = (),
        **more: Any,
    ) -> Message:
        """Write a message, in the direct chat with the bot unless told otherwise.

        Args:
            content: the text, in Discord's Markdown.
            chat: where.
            files: attachments.
            more: `sent_at` (an aware datetime in the past), `kind` (message type), `stickers`,
                `embeds`, `flags`, `webhook` (written by a webhook of that name).
        """
        return self.world.post(chat or self.dm, self, content, files=files, **more)

    def replies(self, message: Message, content: str, *, ping: bool = True) -> Message:
        """Answer a message, which pings its author unless told otherwise."""
        return self.world.post(message.chat, self, content, reply_to=message, ping=ping)

    def reacts(self, message: Message, emoji: str) -> None:
        """Add a reaction: a Unicode emoji, or `name:id`."""
        self.world.react(message, self, emoji)

    def unreacts(self, message: Message, emoji: str) -> None:
        """Take a reaction back."""
        self.world.unreact(message, self, emoji)

    def edits(self, message: Message, content: str) -> None:
        """Replace the text of a message."""
        self.world.edit(message, content=content)

    def deletes(self, message: Message) -> None:
        """Delete a message."""
        self.world.delete(message)

    def posts(self, forum: Chat, title: str, content: str) -> Chat:
        """Open a forum post: a thread that begins with a message."""
        thread = self.world.open_thread(forum, title, owner=self)
        self.world.post(thread, self, content, message_id=thread.id)
        return thread

    def closes_direct_messages(self) -> None:
        """Take no direct messages from the bot any more."""
        with self.world.changes:
            self.dms_open = False


@dataclass(slots=True, eq=False)
class Chat:
    """A channel, a thread or a direct message channel."""

    world: World = field(repr=False)
    id: str
    name: str
    kind: int
    guild: Guild | None = field(default=None, repr=False)
    parent: Chat | None = field(default=None, repr=False)
    person: User | None = field(default=None, repr=False)
    owner_id: str = ""
    archived: bool = False
    log: list[Message] = field(default_factory=list, repr=False)
    forbidden: set[str] = field(default_factory=set, repr=False)
    typing: int = 0

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread or a forum post."""
        return self.kind in {10, PUBLIC_THREAD, PRIVATE_THREAD}

    @property
    def messages(self) -> list[Message]:
        """What stands in it now, oldest first."""
        with self.world.changes:
            return [message for message in self.log if not message.deleted]

    def by_bot(self) -> list[Message]:
        """What the bot under test wrote here and did not delete, oldest first."""
        return [message for message in self.messages if message.author is self.world.bot]

    def thread(self, name: str, *, private: bool = False) -> Chat:
        """Open a thread in this channel."""
        return self.world.open_thread(self, name, private=private)

    def archive(self) -> None:
        """Archive a thread: it leaves the list that GUILD_CREATE gives."""
        self.world.archive(self)

    def forbid(self, *acts: str) -> None:
        """Take permissions from the bot: `view`, `send`, `history`, `react`."""
        with self.world.changes:
            self.forbidden |= set(acts)

    def permit(self, *acts: str) -> None:
        """Give permissions back."""
        with self.world.changes:
            self.forbidden -= set(acts)

    def wait_for(
        self, match: Match = None, *, count: int = 1, timeout: float = DEFAULT_TIMEOUT
    ) -> Message:
        """Block until the bot has written here, and return the message that completes `count`.

        Args:
            match: a part of the text, or a claim about the message; none: any message.
            count: how many such messages there must be.
            timeout: seconds.

        Raises:
            TimeoutError: they did not come; its text tells what did.
        """
        return self.world.changes.wait(self._probe(match, count), timeout, self._story)

    async def wait_for_async(
        self, match: Match = None, *, count: int = 1, timeout: float = DEFAULT_TIMEOUT
    ) -> Message:
        """Do what `wait_for` does without blocking the event loop."""
        return await self.world.changes.wait_async(self._probe(match, count), timeout, self._story)

    def _probe(self, match: Match, count: int) -> Callable[[], Message | None]:
        def probe() -> Message | None:
            found = [message for message in self.by_bot() if _fits(message, match)]
            return found[count - 1] if len(found) >= count else None

        return probe

    def _story(self) -> str:
        texts = [message.content[:60] for message in self.by_bot()[-5:]]
        return f"in {self.name} the bot wrote only {texts!r}"


@dataclass(slots=True, eq=False)
class Guild:
    """A guild ("server") that the bot is a member of."""

    world: World = field(repr=False)
    id: str
    name: str
    roles: dict[str, Role] = field(default_factory=dict, repr=False)
    members: dict[str, list[str]] = field(default_factory=dict, repr=False)
    chats: dict[str, Chat] = field(default_factory=dict, repr=False)
    emojis: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def channel(self, name: str) -> Chat:
        """Make a text channel."""
        return self.world.open_channel(self, name, TEXT)

    def voice(self, name: str) -> Chat:
        """Make a voice channel; it has a text chat."""
        return self.world.open_channel(self, name, VOICE)

    def forum(self, name: str) -> Chat:
        """Make a forum; people open posts in it with `user.posts`."""
        return self.world.open_channel(self, name, FORUM)

    def role(self, name: str) -> Role:
        """Make a role."""
        return self.world.add_role(self, name)

    def permit(self, *acts: str, by: Literal["role", "member", "deletion"] = "role") -> None:
        """Give permissions back in every channel, and tell the bot what was changed for it.

        Args:
            acts: `view`, `send`, `history`, `react`.
            by: a role of the bot is changed, the bot is given another one, or a role that was in
                its way is deleted.
        """
        self.world.change_roles(self, acts, by)

    def give(self, user: User, *roles: Role) -> None:
        """Give roles to a user, who becomes a member."""
        with self.world.changes:
            self.members.setdefault(user.id, []).extend(role.id for role in roles)


def _fits(message: Message, match: Match) -> bool:
    if match is None:
        return True
    return match in message.content if isinstance(match, str) else match(message)
