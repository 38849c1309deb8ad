"""People, scripted: what a person does in a Telegram app."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cobot_telegram.testing.changes import DEFAULT_TIMEOUT
from cobot_telegram.testing.text import utf16

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobot_telegram.testing.bots import BotAccount
    from cobot_telegram.testing.chats import Chat, Message
    from cobot_telegram.testing.files import Attachment
    from cobot_telegram.testing.text import Entity
    from cobot_telegram.testing.world import World


@dataclass(slots=True, eq=False)
class Press:
    """A press on an inline button.

    Attributes:
        id: the `callback_query.id`.
        data: what the button carries.
        message: the message it is under.
        answer: what the bot answered; `None` until it has.
    """

    id: str
    data: str
    message: Message
    world: World = field(repr=False)
    answer: dict[str, Any] | None = None

    def wait_for_answer(self, timeout: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Block until the bot has answered the press, and return the answer's fields."""
        return self.world.changes.wait(
            lambda: self.answer, timeout, lambda: f"the press {self.data!r} was not answered"
        )


@dataclass(slots=True, eq=False)
class User:
    """One person.

    Attributes:
        world: the server.
        id: up to 52 bits.
        name: the first name.
        username: without the `@`.
        blocked: ids of the bots this person has blocked.
    """

    world: World = field(repr=False)
    id: int
    name: str
    username: str | None = None
    blocked: set[int] = field(default_factory=set)

    def json(self) -> dict[str, Any]:
        """Return the API's User object."""
        body: dict[str, Any] = {"id": self.id, "is_bot": False, "first_name": self.name}
        if self.username:
            body["username"] = self.username
        return body

    @property
    def chat(self) -> Chat:
        """The private chat with the server's first bot."""
        return self.chat_with(self.world.bot)

    def chat_with(self, bot: BotAccount) -> Chat:
        """Return the private chat with a bot. The bot cannot write there before the person has."""
        return self.world.private_chat(self, bot)

    def starts(self, bot: BotAccount | None = None) -> Message:
        """Press Start: `/start` to a bot, which may then write."""
        return self.says("/start", chat=self.chat_with(bot or self.world.bot))

    def says(
        self,
        text: str = "",
        *,
        chat: Chat | None = None,
        files: Sequence[Attachment] = (),
        reply_to: Message | None = None,
        quote: str | None = None,
        topic: int | None = None,
        entities: Sequence[Entity] | None = None,
        **fields: Any,
    ) -> Message:
        """Send a message and return it; with several files an album, whose first it returns.

        Args:
            text: the text, or the caption when there are files.
            chat: where; by default the private chat with the server's first bot.
            files: attachments.
            reply_to: what it answers.
            quote: the part of that message which is quoted.
            topic: the forum topic, from `chat.topic(name)`.
            entities: its formatting, offsets in UTF-16 code units; by default links, mentions,
                hashtags and commands are found.
            fields: more fields of the API's Message object, such as `forward_origin`.

        Raises:
            ValueError: the chat has no such topic.
        """
        chat = chat or self.chat
        if topic is not None:
            _check_topic(chat, topic)
        if quote is not None:
            fields["quote"] = {"text": quote, "position": _position(reply_to, quote)}
        return self.world.post(
            chat,
            text,
            sender=self.json(),
            files=files,
            reply_to=reply_to,
            topic=topic if topic is not None or reply_to is None else reply_to.topic,
            entities=entities,
            fields=fields,
        )

    def replies(self, message: Message, text: str, **options: Any) -> Message:
        """Answer a message, in its chat and topic; the options are those of `says`."""
        return self.says(text, chat=message.chat, reply_to=message, **options)

    def edits(self, message: Message, text: str) -> Message:
        """Change the text (or the caption) of a message of one's own."""
        return self.world.edit(message, text)

    def reacts(self, message: Message, emoji: str) -> None:
        """React to a message with one emoji; an empty one takes the reaction back."""
        self.world.react(message, self, [emoji] if emoji else [])

    def presses(self, message: Message, button: str) -> Press:
        """Press an inline button, named by its text or its data.

        Raises:
            ValueError: the message has no such button.
        """
        rows = message.fields.get("reply_markup", {}).get("inline_keyboard", [])
        for entry in (entry for row in rows for entry in row):
            if button in (entry.get("text"), entry.get("callback_data")):
                return self.world.press(message, self, str(entry.get("callback_data", "")))
        raise ValueError(f"message {message.id} has no button {button!r}")

    def blocks(self, bot: BotAccount | None = None) -> None:
        """Block a bot: its messages are refused with 403."""
        with self.world.changes:
            self.blocked.add((bot or self.world.bot).id)

    def unblocks(self, bot: BotAccount | None = None) -> None:
        """Let a bot write again."""
        with self.world.changes:
            self.blocked.discard((bot or self.world.bot).id)


def _check_topic(chat: Chat, topic: int) -> None:
    if topic not in chat.topics:
        there = ", ".join(f"{number} ({name})" for number, name in chat.topics.items())
        raise ValueError(
            f"chat {chat.id} ({chat.title}) has no topic {topic!r}. Topics: {there or 'none'};"
            " `chat.topic(name)` opens one and returns its number"
        )


def _position(message: Message | None, quote: str) -> int:
    before, found, _ = (message.text if message else "").partition(quote)
    return utf16(before) if found else 0
