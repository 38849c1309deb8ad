"""A chat network in memory, for tests of agents and of the session itself."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cobot_session.errors import OutcomeUnknown, TemporaryError
from cobot_session.messages import IncomingMessage, Media, OutgoingMessage
from cobot_session.plugin import Limits, Plugin, PluginMeta
from cobot_session.status import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WAIT_SECONDS = 25.0


@dataclass
class Post:
    """A message of the channel, as people see it now."""

    id: str
    message: OutgoingMessage
    text: str
    reactions: list[str] = field(default_factory=list)


@dataclass
class FakeChannel:
    """A chat network in memory and the channel that speaks to it.

    Its method `plugin` is the factory, so a channel that is started anew finds its network again:

        fake = FakeChannel()
        with Session({}, plugins={"fake": fake.plugin}) as session:
            fake.says("hello")

    Attributes:
        limits: the physics it claims; with `idempotent` a repeated id is taken once.
        sent: messages in the order they came.
        posts: id -> what people see now; deleted ones are gone.
        edits: `(channel_id, msg_id, content)`.
        shows_drafts: answers that grow are shown as drafts, not by edits.
        drafts: `(channel_id, id, content)`, in the order they were shown.
        draft: chat id -> the draft that people see now; what is sent there takes it away.
        deleted: `(channel_id, msg_id)`.
        reactions: `(channel_id, msg_id, emoji)`.
        typings: chat ids.
        presences: in the order they were shown.
        failures: raised by the next sends, one each; after `OutcomeUnknown` the message is there.
        is_cut: nothing goes in or out.
    """

    limits: Limits = field(default_factory=Limits)
    sent: list[OutgoingMessage] = field(default_factory=list)
    posts: dict[str, Post] = field(default_factory=dict)
    edits: list[tuple[str, str, str]] = field(default_factory=list)
    deleted: list[tuple[str, str]] = field(default_factory=list)
    reactions: list[tuple[str, str, str]] = field(default_factory=list)
    typings: list[str] = field(default_factory=list)
    presences: list[str] = field(default_factory=list)
    failures: deque[Exception] = field(default_factory=deque)
    is_cut: bool = False
    shows_drafts: bool = False
    drafts: list[tuple[str, str, str]] = field(default_factory=list)
    draft: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._waiting: deque[Any] = deque()
        self._handed_out = 0
        self._taken: dict[str, str] = {}
        self._bell: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._check_health: Callable[[], None] = lambda: None

    def plugin(self) -> Plugin:
        """Return a fresh channel object that speaks to this network."""
        return FakePlugin(self)

    # -- what people do

    def says(
        self,
        content: str,
        *,
        chat: str = "chat",
        sender: str = "alice",
        files: Mapping[str, bytes] | None = None,
        **fields: Any,
    ) -> IncomingMessage:
        """Let a person say something; returns the message as the network has it.

        Args:
            content: the words.
            chat: where.
            sender: who.
            files: name -> content of what is attached.
            fields: any other field of an `IncomingMessage`.
        """
        number = next(self._numbers)
        media = [
            Media("document", data=data, filename=name) for name, data in (files or {}).items()
        ]
        message = IncomingMessage(
            **{
                "id": f"m{number}",
                "channel_type": "",
                "channel_id": chat,
                "sender_id": sender,
                "sender_name": sender.title(),
                "content": content,
                "timestamp": datetime.now(UTC),
                "media": media,
                "direct": True,
                "key": f"k{number}",
                **fields,
            }
        )
        self.delivers(message)
        return message

    def delivers(self, anything: Any) -> None:
        """Let the network deliver something, be it a message or not."""
        with self._changed:
            self._waiting.append(anything)
            self._ring()

    def cuts(self) -> None:
        """Break the connection."""
        with self._changed:
            self.is_cut = True
            self._ring()
        self._check_health()

    def mends(self) -> None:
        """Make the connection again."""
        self.is_cut = False
        self._check_health()

    # -- what people see

    def texts(self, chat: str | None = None) -> list[str]:
        """Return the texts that were sent, to all chats or to one."""
        return [one.content for one in self.sent if chat in {None, one.channel_id}]

    def wait_for_sent(self, count: int = 1, timeout: float = 30.0) -> list[OutgoingMessage]:
        """Return what was sent once it is at least so many messages.

        Raises:
            TimeoutError: it was fewer after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.sent) >= count, timeout):
                raise TimeoutError(f"{len(self.sent)} of {count} messages after {timeout:g} s")
            return list(self.sent)

    def wait_for_acknowledged(self, timeout: float = 30.0) -> None:
        """Wait until the channel has acknowledged everything that was delivered.

        Raises:
            TimeoutError: it has not within `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._waiting, timeout):
                raise TimeoutError(f"{len(self._waiting)} not acknowledged after {timeout:g} s")

    # -- the network's side of the channel

    def receive(self) -> list[Any]:
        """Return what waits; it goes on waiting until it is acknowledged."""
        self.check()
        with self._changed:
            self._handed_out = len(self._waiting)
            return list(self._waiting)

    def acknowledge(self) -> None:
        """Forget what the last `receive` returned."""
        with self._changed:
            for _ in range(self._handed_out):
                self._waiting.popleft()
            self._handed_out = 0
            self._changed.notify_all()

    def connect(self, bell: asyncio.Event, check_health: Callable[[], None]) -> None:
        """Ring a bell on this loop when there is something new; nothing is handed out yet."""
        with self._changed:
            self._check_health = check_health
            self._bell = asyncio.get_running_loop(), bell
            self._handed_out = 0

    def check(self) -> None:
        """Raise when the connection is broken."""
        if self.is_cut:
            raise TemporaryError("the connection is cut")

    def post(self, message: OutgoingMessage) -> str:
        """Take a message and return its id; fails as `failures` says."""
        self.check()
        with self._changed:
            failure = self.failures.popleft() if self.failures else None
            if failure is not None and not isinstance(failure, OutcomeUnknown):
                raise failure
            id_ = self._posted(message)
            self._changed.notify_all()
            if failure is not None:
                raise failure
            return id_

    def show_draft(self, message: OutgoingMessage) -> bool:
        """Show a draft, where there are such."""
        self.check()
        if self.shows_drafts:
            with self._changed:
                self.drafts.append((message.channel_id, message.id, message.content))
                self.draft[message.channel_id] = message.content
        return self.shows_drafts

    def _posted(self, message: OutgoingMessage) -> str:
        if self.limits.idempotent and message.id in self._taken:
            return self._taken[message.id]
        id_ = f"s{next(self._numbers)}"
        self._taken[message.id] = id_
        self.sent.append(message)
        self.posts[id_] = Post(id_, message, message.content)
        self.draft.pop(message.channel_id, None)
        return id_

    def _ring(self) -> None:
        if self._bell is not None and not self._bell[0].is_closed():
            loop, bell = self._bell
            loop.call_soon_threadsafe(bell.set)


class FakeConfig(BaseModel):
    """A network in memory has no settings."""


class FakePlugin(Plugin):
    """The channel object of a `FakeChannel`."""

    meta = PluginMeta(id="fake", version="1.0.0")
    config_model = FakeConfig

    def __init__(self, network: FakeChannel) -> None:
        self.network = network
        self.limits = network.limits  # type: ignore[misc]  # each network has its own physics

    async def start(self) -> None:
        self._bell = asyncio.Event()
        self.network.connect(self._bell, self.context.check_health)

    async def session_receive(self) -> list[IncomingMessage]:
        self.network.acknowledge()
        self._bell.clear()
        if batch := self.network.receive():
            return batch
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._bell.wait()
        except TimeoutError:
            return []
        return self.network.receive()

    async def session_send(self, message: OutgoingMessage) -> str:
        return self.network.post(message)

    async def session_typing(self, channel_id: str) -> None:
        self.network.typings.append(channel_id)

    async def session_presence(self, status: str) -> None:
        self.network.presences.append(status)

    async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
        self.network.check()
        self.network.edits.append((channel_id, msg_id, content))
        if msg_id in self.network.posts:
            self.network.posts[msg_id].text = content

    async def session_draft(self, message: OutgoingMessage) -> bool:
        return self.network.show_draft(message)

    async def session_delete(self, channel_id: str, msg_id: str) -> None:
        self.network.deleted.append((channel_id, msg_id))
        self.network.posts.pop(msg_id, None)

    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> None:
        self.network.reactions.append((channel_id, msg_id, emoji))
        if msg_id in self.network.posts:
            self.network.posts[msg_id].reactions = [emoji] if emoji else []

    async def session_fetch(self, media: Media) -> bytes:
        return media.data or b""

    async def session_health(self) -> Health:
        return Health(not self.network.is_cut, "the connection is cut")
