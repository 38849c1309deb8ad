"""What exists on the server and what happens there. Both the script and REST act through it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cobot_discord.testing import payloads
from cobot_discord.testing.changes import Changes
from cobot_discord.testing.model import (
    DM,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    Attachment,
    Chat,
    File,
    Guild,
    Message,
    Role,
    User,
)
from cobot_discord.testing.pings import pings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cobot_discord.testing.payloads import Payload

EPOCH = 1420070400000
"""Milliseconds: the first second of 2015, where snowflakes begin."""

GUILD_KINDS = {"message": 1 << 9, "reaction": 1 << 10, "typing": 1 << 11}
DIRECT_KINDS = {"message": 1 << 12, "reaction": 1 << 13, "typing": 1 << 14}
GUILDS = 1


class World:
    """Users, guilds, chats and messages.

    Attributes:
        emit: how an event reaches the gateway: name, chat concerned, intent needed, and the
            payload for a bot that may (or may not) read message content.
    """

    def __init__(self, bot_name: str) -> None:
        self.changes = Changes()
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.chats: dict[str, Chat] = {}
        self.nonces: dict[tuple[str, str], Message] = {}
        self.presence: dict[str, Any] = {"status": "offline", "activities": []}
        self.files: dict[str, File] = {}
        self.cdn_root = ""
        self.cdn_age = 0
        self.emit: Callable[[str, Chat | None, int, Callable[[bool], Payload]], None]
        self.emit = lambda *_: None
        self._last_id = 0
        self._backdated = 0
        self.bot = self.user(bot_name, bot=True)

    def new_id(self, moment: datetime | None = None) -> str:
        """Return a fresh snowflake; later ones are greater, but for one with a `moment`."""
        now = int((moment or datetime.now(UTC)).timestamp() * 1000) - EPOCH
        if moment is not None:
            self._backdated += 1
            return str((now << 22) + self._backdated)
        with self.changes:
            self._last_id = max(self._last_id + 1, now << 22)
            return str(self._last_id)

    def user(self, name: str, *, bot: bool = False) -> User:
        """Make a user."""
        with self.changes:
            made = User(self, self.new_id(), name, name.capitalize(), bot=bot)
            self.users[made.id] = made
            return made

    def guild(self, name: str) -> Guild:
        """Make a guild with the bot and its role in it; a connected bot is told."""
        with self.changes:
            made = Guild(self, self.new_id(), name)
            made.roles[made.id] = Role(made.id, "@everyone")
            own = Role(self.new_id(), self.bot.name, bot_id=self.bot.id)
            made.roles[own.id] = own
            made.members[self.bot.id] = [own.id]
            self.guilds[made.id] = made
            self.emit("GUILD_CREATE", None, GUILDS, lambda _: payloads.guild(made))
            return made

    def add_role(self, guild: Guild, name: str) -> Role:
        """Make a role."""
        with self.changes:
            made = Role(self.new_id(), name)
            guild.roles[made.id] = made
            body = {"guild_id": guild.id, "role": payloads.role(made)}
            self.emit("GUILD_ROLE_CREATE", None, GUILDS, lambda _: body)
            return made

    def change_roles(self, guild: Guild, acts: Sequence[str], by: str) -> None:
        """Give permissions back in a guild; the bot is told of itself whatever it asked for."""
        with self.changes:
            for chat in guild.chats.values():
                chat.forbidden -= set(acts)
            (own, *_) = guild.members[self.bot.id]
            place = {"guild_id": guild.id}
            told: dict[str, tuple[str, Payload]] = {
                "role": ("GUILD_ROLE_UPDATE", {"role": payloads.role(guild.roles[own])}),
                "member": ("GUILD_MEMBER_UPDATE", payloads.member(guild, self.bot, with_user=True)),
                "deletion": ("GUILD_ROLE_DELETE", {"role_id": self.new_id()}),
            }
            event, body = told[by]
            self.emit(event, None, GUILDS, lambda _: body | place)

    def open_channel(self, guild: Guild, name: str, kind: int) -> Chat:
        """Make a channel."""
        with self.changes:
            made = Chat(self, self.new_id(), name, kind, guild)
            self.chats[made.id] = guild.chats[made.id] = made
            self.emit("CHANNEL_CREATE", made, GUILDS, lambda _: payloads.chat(made))
            return made

    def open_thread(
        self, parent: Chat, name: str, *, owner: User | None = None, private: bool = False
    ) -> Chat:
        """Open a thread."""
        with self.changes:
            kind = PRIVATE_THREAD if private else PUBLIC_THREAD
            made = Chat(self, self.new_id(), name, kind, parent.guild, parent)
            made.owner_id = (owner or self.bot).id
            self.chats[made.id] = made
            if parent.guild:
                parent.guild.chats[made.id] = made
            body = {**payloads.chat(made), "newly_created": True}
            self.emit("THREAD_CREATE", made, GUILDS, lambda _: body)
            return made

    def archive(self, thread: Chat, *, archived: bool = True) -> None:
        """Archive a thread, or bring it back."""
        with self.changes:
            thread.archived = archived
            self.emit("THREAD_UPDATE", thread, GUILDS, lambda _: payloads.chat(thread))

    def direct(self, user: User) -> Chat:
        """Return the direct chat between a user and the bot."""
        with self.changes:
            for chat in self.chats.values():
                if chat.person is user:
                    return chat
            made = Chat(self, self.new_id(), f"@{user.name}", DM, person=user)
            self.chats[made.id] = made
            return made

    def post(
        self,
        chat: Chat,
        author: User,
        content: str,
        *,
        files: Sequence[File] = (),
        reply_to: Message | None = None,
        ping: bool = True,
        mentions: Payload | None = None,
        sent_at: datetime | None = None,
        message_id: str | None = None,
        **more: Any,
    ) -> Message:
        """Add a message and tell the gateway.

        Args:
            chat: where.
            author: who; joins the guild if need be.
            content: the text.
            files: attachments.
            reply_to: the message answered.
            ping: a reply notifies the author of what it answers.
            mentions: an `allowed_mentions` object; none: everything that is written pings.
            sent_at: backdate it (the gateway is not told: it is history).
            message_id: choose its id.
            more: other fields of `Message`.
        """
        with self.changes:
            if chat.guild:
                chat.guild.members.setdefault(author.id, [])
            if chat.archived:
                self.archive(chat, archived=False)
            hung = tuple(Attachment(self.new_id(), each) for each in files)
            made = Message(
                message_id or self.new_id(sent_at),
                chat,
                author,
                content,
                sent_at or datetime.now(UTC),
                kind=more.pop("kind", 19 if reply_to else 0),
                reply_to=reply_to,
                reference=more.pop("reference", reply_to.id if reply_to else None),
                attachments=hung,
                **more,
            )
            self.files |= {each.id: each.file for each in hung}
            made.pings = pings(made, mentions, ping=ping)
            chat.log.append(made)
            chat.log.sort(key=lambda each: int(each.id))
            if sent_at is None:
                self._tell("MESSAGE_CREATE", made)
            self.changes.notify()
            return made

    def repeat(self, message: Message) -> None:
        """Tell the gateway of a message once more."""
        with self.changes:
            self._tell("MESSAGE_CREATE", message)

    def edit(self, message: Message, mentions: Payload | None = None, **fields: Any) -> None:
        """Change a message and tell the gateway."""
        with self.changes:
            for name, value in fields.items():
                setattr(message, name, value)
            message.edited = datetime.now(UTC)
            message.pings = pings(message, mentions, ping=False)
            self._tell("MESSAGE_UPDATE", message)
            self.changes.notify()

    def delete(self, message: Message) -> None:
        """Delete a message and tell the gateway."""
        with self.changes:
            message.deleted = True
            body = {"id": message.id} | _place(message.chat)
            self.emit(
                "MESSAGE_DELETE", message.chat, _intent(message.chat, "message"), lambda _: body
            )
            self.changes.notify()

    def react(self, message: Message, user: User, emoji: str) -> None:
        """Add a reaction and tell the gateway; a second one of the same user is nothing new."""
        with self.changes:
            users = message.reactions.setdefault(emoji, [])
            if user.id not in users:
                users.append(user.id)
                self._tell_reaction("MESSAGE_REACTION_ADD", message, user, emoji)

    def unreact(self, message: Message, user: User, emoji: str) -> None:
        """Take a reaction back and tell the gateway."""
        with self.changes:
            users = message.reactions.get(emoji, [])
            if user.id in users:
                users.remove(user.id)
                if not users:
                    del message.reactions[emoji]
                self._tell_reaction("MESSAGE_REACTION_REMOVE", message, user, emoji)

    def type(self, chat: Chat, user: User) -> None:
        """Show a user typing."""
        with self.changes:
            if user is self.bot:
                chat.typing += 1
            body = {"user_id": user.id, "timestamp": int(datetime.now(UTC).timestamp())}
            intent = _intent(chat, "typing")
            self.emit("TYPING_START", chat, intent, lambda _: body | _place(chat))
            self.changes.notify()

    def find(self, chat: Chat, message_id: str) -> Message | None:
        """Return a message that is there."""
        return next((m for m in chat.log if m.id == message_id and not m.deleted), None)

    def cdn_url(self, message: Message, attachment: Attachment) -> str:
        """Return a download link as it is valid now; `expire_links` ends it."""
        name = attachment.file.name
        path = f"{message.chat.id}/{attachment.id}/{name}"
        return f"{self.cdn_root}/attachments/{path}?hm={self.cdn_age:x}"

    def _tell(self, event: str, message: Message) -> None:
        intent = _intent(message.chat, "message")
        body = payloads.dispatched(message, nonce=event == "MESSAGE_CREATE")
        self.emit(
            event,
            message.chat,
            intent,
            lambda allowed: payloads.withheld(body, message, allowed=allowed),
        )

    def _tell_reaction(self, event: str, message: Message, user: User, emoji: str) -> None:
        body: Payload = {"user_id": user.id, "message_id": message.id, "burst": False, "type": 0}
        body |= {"emoji": payloads.emoji(emoji)} | _place(message.chat)
        if event == "MESSAGE_REACTION_ADD":
            body["message_author_id"] = message.author.id
            if message.chat.guild:
                body["member"] = payloads.member(message.chat.guild, user, with_user=True)
        self.emit(event, message.chat, _intent(message.chat, "reaction"), lambda _: body)
        self.changes.notify()


def _place(chat: Chat) -> Payload:
    place = {"channel_id": chat.id}
    return place | {"guild_id": chat.guild.id} if chat.guild else place


def _intent(chat: Chat, kind: str) -> int:
    return (GUILD_KINDS if chat.guild else DIRECT_KINDS)[kind]
