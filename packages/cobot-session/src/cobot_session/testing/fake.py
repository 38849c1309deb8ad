"""A chat network in memory, for tests of agents and of the session itself."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cobot_session.messages import IncomingMessage, Media, OutgoingMessage
from cobot_session.plugin import Limits, Plugin, PluginMeta
from cobot_session.status import Health

_WAIT_SECONDS = 25.0


@dataclass
class FakeChannel:
    """A chat network in memory and the channel that speaks to it.

    Its method `plugin` is the factory, so a channel that is started anew finds its network again:

        fake = FakeChannel()
        with Session({}, plugins={"fake": fake.plugin}) as session:
            fake.says("hello")

    Attributes:
        limits: the physics it claims.
        sent: what people see, in the order it came.
        edits: `(channel_id, msg_id, content)`.
        deleted: `(channel_id, msg_id)`.
        reactions: `(channel_id, msg_id, emoji)`.
        typings: chat ids.
        presences: in the order they were shown.
        failures: raised by the next sends, one each.
    """

    limits: Limits = field(default_factory=Limits)
    sent: list[OutgoingMessage] = field(default_factory=list)
    edits: list[tuple[str, str, str]] = field(default_factory=list)
    deleted: list[tuple[str, str]] = field(default_factory=list)
    reactions: list[tuple[str, str, str]] = field(default_factory=list)
    typings: list[str] = field(default_factory=list)
    presences: list[str] = field(default_factory=list)
    failures: deque[Exception] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._unacknowledged: list[IncomingMessage] = []
        self._new: deque[IncomingMessage] = deque()
        self._bells: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def plugin(self) -> Plugin:
        """Return a fresh channel object that speaks to this network."""
        limits = self.limits

        class Fake(_Fake):
            pass

        Fake.limits = limits
        return Fake(self)

    def says(
        self, content: str, *, chat: str = "chat", sender: str = "alice", **fields: Any
    ) -> IncomingMessage:
        """Let a person say something; returns the message as the network has it."""
        number = next(self._numbers)
        message = IncomingMessage(
            id=fields.pop("id", f"m{number}"),
            channel_type="",
            channel_id=chat,
            sender_id=sender,
            sender_name=fields.pop("sender_name", sender.title()),
            content=content,
            timestamp=fields.pop("timestamp", datetime.now(UTC)),
            **{"direct": True, **fields},
        )
        with self._changed:
            self._new.append(message)
            self._ring()
        return message

    def wait_for_sent(self, count: int = 1, timeout: float = 10.0) -> list[OutgoingMessage]:
        """Return what was sent once it is at least so many messages.

        Raises:
            TimeoutError: it was fewer after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.sent) >= count, timeout):
                raise TimeoutError(f"{len(self.sent)} of {count} messages after {timeout:g} s")
            return list(self.sent)

    def texts(self, chat: str | None = None) -> list[str]:
        """Return the texts people see, in all chats or in one."""
        return [one.content for one in self.sent if chat in {None, one.channel_id}]

    # -- the network's side

    def receive(self) -> list[IncomingMessage]:
        """Return what is new, again and again until it is acknowledged."""
        with self._changed:
            self._unacknowledged.extend(self._new)
            self._new.clear()
            return list(self._unacknowledged)

    def acknowledge(self) -> None:
        """Forget what the last call returned."""
        with self._changed:
            self._unacknowledged.clear()

    def subscribe(self, loop: asyncio.AbstractEventLoop, bell: asyncio.Event) -> None:
        """Ring a bell when there is something new."""
        with self._changed:
            self._bells = [(loop, bell)]

    def post(self, message: OutgoingMessage) -> str:
        """Take a message; fails as `failures` says."""
        with self._changed:
            if self.failures:
                raise self.failures.popleft()
            self.sent.append(message)
            self._changed.notify_all()
            return f"s{next(self._numbers)}"

    def _ring(self) -> None:
        for loop, bell in self._bells:
            if not loop.is_closed():
                loop.call_soon_threadsafe(bell.set)


class _Fake(Plugin):
    meta = PluginMeta(id="fake", version="1.0.0")

    def __init__(self, network: FakeChannel) -> None:
        self._network = network

    async def start(self) -> None:
        self._bell = asyncio.Event()
        self._network.subscribe(asyncio.get_running_loop(), self._bell)

    async def session_receive(self) -> list[IncomingMessage]:
        self._network.acknowledge()
        self._bell.clear()
        if batch := self._network.receive():
            return batch
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._bell.wait()
        except TimeoutError:
            return []
        return self._network.receive()

    async def session_send(self, message: OutgoingMessage) -> str:
        return self._network.post(message)

    async def session_typing(self, channel_id: str) -> None:
        self._network.typings.append(channel_id)

    async def session_presence(self, status: str) -> None:
        self._network.presences.append(status)

    async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
        self._network.edits.append((channel_id, msg_id, content))

    async def session_delete(self, channel_id: str, msg_id: str) -> None:
        self._network.deleted.append((channel_id, msg_id))

    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> None:
        self._network.reactions.append((channel_id, msg_id, emoji))

    async def session_fetch(self, media: Media) -> bytes:
        return f"content of {media.id}".encode()

    async def session_health(self) -> Health:
        return Health(True)
