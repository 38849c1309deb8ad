"""Places and what was said there."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cobot_telegram.testing.changes import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_telegram.testing.changes import Changes
    from cobot_telegram.testing.drafts import Draft
    from cobot_telegram.testing.files import StoredFile
    from cobot_telegram.testing.text import Entity

ChatKind: TypeAlias = Literal["private", "group", "supergroup", "channel"]
_SHOWN_AT_TIMEOUT = 5


@dataclass(slots=True, eq=False)
class Message:
    """One message in a chat, whoever wrote it.

    Attributes:
        chat: where it stands.
        id: unique within its chat only, as on Telegram.
        sender: the API's `from`; `None` for a channel's post.
        by_bot: a bot wrote it.
        fields: the remaining fields of the API's Message object.
        files: attachments.
        reply_to: the message it answers.
        date: seconds since 1970.
        topic: the forum topic it is in.
        reactions: user or bot id -> emoji.
        deleted: it has been taken away.
        earlier: its texts before each edit, oldest first.
    """

    chat: Chat
    id: int
    sender: dict[str, Any] | None
    by_bot: bool
    fields: dict[str, Any]
    files: tuple[StoredFile, ...] = ()
    reply_to: Message | None = None
    date: int = field(default_factory=lambda: int(time.time()))
    topic: int | None = None
    reactions: dict[int, list[str]] = field(default_factory=dict)
    deleted: bool = False
    earlier: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its text, or its caption."""
        return str(self.fields.get("text", self.fields.get("caption", "")))

    @property
    def entities(self) -> list[Entity]:
        """The entities over `text`."""
        found = self.fields.get("entities", self.fields.get("caption_entities", []))
        return list(found)

    @property
    def silent(self) -> bool:
        """It was sent without a notification."""
        return bool(self.fields.get("disable_notification"))

    def json(self, *, quoted: bool = True) -> dict[str, Any]:
        """Return the API's Message object; `quoted`: with what it answers, one level deep."""
        body: dict[str, Any] = {"message_id": self.id, "date": self.date, "chat": self.chat.json()}
        if self.sender is not None:
            body["from"] = self.sender
        body.update({k: v for k, v in self.fields.items() if k not in _UNSEEN})
        if self.topic is not None:
            body |= {"message_thread_id": self.topic, "is_topic_message": True}
        if self.reply_to is not None and quoted:
            body["reply_to_message"] = self.reply_to.json(quoted=False)
        return body

    def __repr__(self) -> str:
        who = (self.sender or {}).get("first_name", self.chat.title)
        return f"<Message {self.id} by {who}: {self.text[:60]!r}>"


_UNSEEN = frozenset({"disable_notification", "link_preview_options"})
"""Parameters kept for the test to look at; no API object shows them."""


@dataclass(slots=True, eq=False)
class Chat:
    """One place: a private chat, a group, a supergroup or a channel.

    Attributes:
        id: as the Bot API has it (`-100…` for supergroups and channels).
        kind: which of the four.
        title: its name; of a private chat, the person's.
        changes: the server's lock.
        fields: more fields of its API object.
        members: ids of the bots in it.
        kicked: ids of the bots thrown out of it.
        topics: forum topics, id -> name.
        actions: every chat action a bot has sent, in order (`typing`).
        drafts: every state of every draft a bot has shown, in order.
        draft_seconds: how long a draft is seen; a test may shorten it.
        migrated_to: the supergroup that this group has become.
    """

    id: int
    kind: ChatKind
    title: str
    changes: Changes = field(repr=False)
    fields: dict[str, Any] = field(default_factory=dict)
    members: set[int] = field(default_factory=set)
    kicked: set[int] = field(default_factory=set)
    topics: dict[int, str] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    draft_seconds: float = 30.0
    migrated_to: Chat | None = None
    all_messages: dict[int, Message] = field(default_factory=dict, repr=False)
    next_message_id: int = 1
    _draft: Draft | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """What stands there now, oldest first: everybody's, without what was deleted."""
        with self.changes:
            return tuple(m for m in self.all_messages.values() if not m.deleted)

    @property
    def answers(self) -> tuple[Message, ...]:
        """The bots' messages among them."""
        return tuple(message for message in self.messages if message.by_bot)

    @property
    def texts(self) -> list[str]:
        """The texts of `answers`."""
        return [message.text for message in self.answers]

    @property
    def draft(self) -> Draft | None:
        """The draft that people see now: the latest, until the bot writes here or it fades."""
        with self.changes:
            draft = self._draft
            fresh = draft is not None and time.monotonic() < draft.at + self.draft_seconds
            return draft if fresh else None

    def json(self) -> dict[str, Any]:
        """Return the API's Chat object."""
        name = "first_name" if self.kind == "private" else "title"
        return {"id": self.id, "type": self.kind, name: self.title, **self.fields}

    def topic(self, name: str) -> int:
        """Open a forum topic and return its `message_thread_id`."""
        with self.changes:
            self.fields["is_forum"] = True
            number = self.take_message_id()
            self.topics[number] = name
            return number

    def take_message_id(self) -> int:
        """Return the next free message id."""
        number = self.next_message_id
        self.next_message_id += 1
        return number

    def add(self, message: Message) -> None:
        """Put a message there; one of a bot takes the place of its draft."""
        self.all_messages[message.id] = message
        if message.by_bot:
            self._draft = None
        self.changes.notify()

    def show_draft(self, draft: Draft) -> None:
        """Show a draft in place of any other."""
        self.drafts.append(draft)
        self._draft = draft
        self.changes.notify()

    def get(self, message_id: int) -> Message | None:
        """Return a message that stands there."""
        message = self.all_messages.get(message_id)
        return None if message is None or message.deleted else message

    def wait_for(
        self,
        text: str | None = None,
        *,
        count: int = 1,
        where: Callable[[Message], bool] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Message:
        """Block until bots have written `count` matching messages here; return the last of them.

        Args:
            text: the whole text; `None`: any.
            count: how many.
            where: a further condition, looked at again after each edit, reaction and deletion.
            timeout: seconds.

        Raises:
            TimeoutError: it did not happen; the error shows what stands there.
        """
        return self.changes.wait(self._probe(text, count, where), timeout, self._missed(text))

    async def wait_for_async(
        self,
        text: str | None = None,
        *,
        count: int = 1,
        where: Callable[[Message], bool] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Message:
        """Do what `wait_for` does without blocking the event loop."""
        probe, missed = self._probe(text, count, where), self._missed(text)
        return await self.changes.wait_async(probe, timeout, missed)

    def wait_for_action(self, action: str = "typing", timeout: float = DEFAULT_TIMEOUT) -> None:
        """Block until a bot has shown this chat action here."""
        self.changes.wait(lambda: action in self.actions, timeout, lambda: f"no {action} came")

    def wait_for_draft(self, text: str | None = None, timeout: float = DEFAULT_TIMEOUT) -> Draft:
        """Block until a bot shows a draft here, with this text; return it.

        Raises:
            TimeoutError: it did not happen; the error shows the drafts there were.
        """
        return self.changes.wait(self._draft_probe(text), timeout, self._missed_draft)

    async def wait_for_draft_async(
        self, text: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> Draft:
        """Do what `wait_for_draft` does without blocking the event loop."""
        return await self.changes.wait_async(self._draft_probe(text), timeout, self._missed_draft)

    def _draft_probe(self, text: str | None) -> Callable[[], Draft | None]:
        def probe() -> Draft | None:
            draft = self.draft
            return draft if draft is not None and text in {None, draft.text} else None

        return probe

    def _missed_draft(self) -> str:
        last = [one.text for one in self.drafts[-_SHOWN_AT_TIMEOUT:]]
        return f"the draft did not come to chat {self.id} ({self.title}); last there: {last}"

    def _probe(
        self, text: str | None, count: int, where: Callable[[Message], bool] | None
    ) -> Callable[[], Message | None]:
        def probe() -> Message | None:
            fitting = [
                message
                for message in self.answers
                if (text is None or message.text == text) and (where is None or where(message))
            ]
            return fitting[count - 1] if len(fitting) >= count else None

        return probe

    def _missed(self, text: str | None) -> Callable[[], str]:
        def missed() -> str:
            wanted = "the message" if text is None else f"{text!r}"
            last = list(self.messages[-_SHOWN_AT_TIMEOUT:])
            return f"{wanted} did not come to chat {self.id} ({self.title}); last there: {last}"

        return missed
