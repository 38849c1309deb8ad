"""What happens between people, bots and places."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cobot_telegram.testing.changes import DEFAULT_TIMEOUT
from cobot_telegram.testing.chats import Chat, Message
from cobot_telegram.testing.people import Press, User
from cobot_telegram.testing.places import Places
from cobot_telegram.testing.written import passes_privacy_mode, written_by_person

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cobot_telegram.testing.bots import BotAccount
    from cobot_telegram.testing.files import Attachment, StoredFile
    from cobot_telegram.testing.text import Entity

_FIRST_USER = 1_001
ANONYMOUS_ADMIN = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
"""The `from` of a message by an anonymous group administrator."""


class World(Places):
    """The state of the server, and the script's verbs over it. All of it is thread-safe."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.presses: dict[str, Press] = {}

    def user(self, name: str, *, username: str | None = None, user_id: int | None = None) -> User:
        """Bring a person in."""
        with self.changes:
            number = user_id or _FIRST_USER + len(self.users)
            person = User(self, number, name, username)
            self.users[number] = person
            return person

    def posts(self, channel: Chat, text: str = "", files: Sequence[Attachment] = ()) -> Message:
        """Write in a channel, as the channel."""
        return self.post(
            channel, text, sender=None, files=files, fields={"sender_chat": channel.json()}
        )

    def says_anonymously(self, group: Chat, text: str) -> Message:
        """Write in a group as an anonymous administrator."""
        return self.post(group, text, sender=ANONYMOUS_ADMIN, fields={"sender_chat": group.json()})

    def post(
        self,
        chat: Chat,
        text: str = "",
        *,
        sender: dict[str, Any] | None,
        files: Sequence[Attachment] = (),
        reply_to: Message | None = None,
        topic: int | None = None,
        entities: Sequence[Entity] | None = None,
        fields: dict[str, Any] | None = None,
    ) -> Message:
        """Put a person's message in a chat and tell the bots; an album for several files."""
        given = dict(fields or {})
        with self.changes:
            stored = [self.files.store(file) for file in files]
            if len(stored) > 1:
                given["media_group_id"] = str(10**16 + next(self.numbers))
            made = []
            for position, group in enumerate([[file] for file in stored] or [[]]):
                body = {
                    **written_by_person(text if position == 0 else "", entities, group),
                    **given,
                }
                made.append(
                    self.add_message(
                        chat, body, sender=sender, files=group, reply_to=reply_to, topic=topic
                    )
                )
            for message in made:
                self._meet(chat)
                self._tell_of(message, "channel_post" if chat.kind == "channel" else "message")
            return made[0]

    def add_message(
        self,
        chat: Chat,
        fields: dict[str, Any],
        *,
        sender: dict[str, Any] | None,
        by_bot: bool = False,
        files: Sequence[StoredFile] = (),
        reply_to: Message | None = None,
        topic: int | None = None,
    ) -> Message:
        """Put a message in a chat without telling anybody."""
        with self.changes:
            message = Message(
                chat=chat,
                id=chat.take_message_id(),
                sender=sender,
                by_bot=by_bot,
                fields=fields,
                files=tuple(files),
                reply_to=reply_to,
                topic=topic,
            )
            chat.add(message)
            return message

    def edit(self, message: Message, text: str) -> Message:
        """Change a person's message and tell the bots."""
        with self.changes:
            message.earlier.append(message.text)
            for name in ("text", "entities", "caption", "caption_entities"):
                message.fields.pop(name, None)
            message.fields.update(written_by_person(text, None, message.files))
            message.fields["edit_date"] = int(time.time())
            is_post = message.chat.kind == "channel"
            self._tell_of(message, "edited_channel_post" if is_post else "edited_message")
            self.changes.notify()
            return message

    def react(self, message: Message, user: User, emoji: list[str]) -> None:
        """Let a person react and tell the bots that asked for it."""
        with self.changes:
            before = message.reactions.get(user.id, [])
            message.reactions[user.id] = emoji
            change = {
                "chat": message.chat.json(),
                "message_id": message.id,
                "user": user.json(),
                "date": int(time.time()),
                "old_reaction": [{"type": "emoji", "emoji": e} for e in before],
                "new_reaction": [{"type": "emoji", "emoji": e} for e in emoji],
            }
            for bot in self._bots_in(message.chat):
                bot.updates.push("message_reaction", change)
            self.changes.notify()

    def press(self, message: Message, user: User, data: str) -> Press:
        """Let a person press a button and tell the bot whose message it is under."""
        with self.changes:
            press = Press(str(10**17 + next(self.numbers)), data, message, self)
            self.presses[press.id] = press
            owner = (message.sender or {}).get("id")
            for bot in self.bots:
                if bot.id == owner:
                    query = {
                        "id": press.id,
                        "from": user.json(),
                        "message": message.json(),
                        "chat_instance": str(message.chat.id),
                        "data": data,
                    }
                    bot.updates.push("callback_query", query)
            return press

    def migrate(self, group: Chat) -> Chat:
        """Turn a basic group into a supergroup: its id changes, and both places say so."""
        supergroup = self.group(group.title)
        supergroup.members = set(group.members)
        supergroup.topics = dict(group.topics)
        with self.changes:
            group.migrated_to = supergroup
            self._tell_of(self._service(group, migrate_to_chat_id=supergroup.id), "message")
            self._tell_of(self._service(supergroup, migrate_from_chat_id=group.id), "message")
        return supergroup

    def joins(self, user: User, group: Chat) -> Message:
        """Let a person join a group: a service message."""
        with self.changes:
            message = self._service(group, new_chat_members=[user.json()])
            self._tell_of(message, "message")
            return message

    def kick(self, chat: Chat, bot: BotAccount | None = None) -> None:
        """Throw a bot out of a group or channel."""
        with self.changes:
            chat.members.discard((bot or self.bot).id)
            chat.kicked.add((bot or self.bot).id)

    def wait_for(
        self,
        probe: Callable[[], Any],
        timeout: float = DEFAULT_TIMEOUT,
        what: str = "what was waited for did not happen",
    ) -> Any:
        """Block until `probe()` is truthy, looking after every change, and return what it says."""
        return self.changes.wait(probe, timeout, lambda: what)

    async def wait_for_async(
        self,
        probe: Callable[[], Any],
        timeout: float = DEFAULT_TIMEOUT,
        what: str = "what was waited for did not happen",
    ) -> Any:
        """Do what `wait_for` does without blocking the event loop."""
        return await self.changes.wait_async(probe, timeout, lambda: what)

    def _service(self, chat: Chat, **fields: Any) -> Message:
        sender = next(iter(self.users.values())).json() if self.users else ANONYMOUS_ADMIN
        return self.add_message(chat, fields, sender=sender)

    def _meet(self, chat: Chat) -> None:
        if chat.kind == "private":
            chat.members.update(
                bot.id for bot in self.bots if self.chats.get((bot.id, chat.id)) is chat
            )

    def _bots_in(self, chat: Chat) -> list[BotAccount]:
        return [bot for bot in self.bots if bot.id in chat.members]

    def _tell_of(self, message: Message, kind: str) -> None:
        for bot in self._bots_in(message.chat):
            if bot.reads_all or passes_privacy_mode(message, bot):
                bot.updates.push(kind, message.json())
