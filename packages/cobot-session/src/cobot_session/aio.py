"""The asyncio face of a session: every verb is awaited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cobot_session.mailbox import result_of
from cobot_session.session import SEND_SECONDS, Session
from cobot_session.typing_kept import TypingKept

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
    from types import TracebackType

    from cobot_session.capabilities import Capabilities
    from cobot_session.config import Config
    from cobot_session.engine import Engine
    from cobot_session.handling import Handler
    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Receipt
    from cobot_session.spool import Entry
    from cobot_session.status import Status


class AsyncSession:
    """One session between an agent and its channels, for asyncio.

    The verbs are those of `Session` and mean the same; those that only tell (`channels`,
    `capabilities`, `status`) are plain, all others are awaited. Cancelling one undoes nothing
    that has been stored.

    Args:
        config: a path to `cobot.yml`, a mapping of the same shape, or nothing for the usual
            places.
        plugins: name -> class or factory of plugins that are not installed.

    Raises:
        ConfigError: the file cannot be read, or is no YAML. Other mistakes are told by `start`.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None,
        *,
        plugins: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        self._engine = Session(config, plugins=plugins)._engine

    @classmethod
    def over(cls, engine: Engine) -> AsyncSession:
        """Return the face of an engine that is there already."""
        face = cls.__new__(cls)
        face._engine = engine
        return face

    # -- life

    async def start(self) -> None:
        """Open the spool and start the channels; each connects by itself."""
        await asyncio.to_thread(self._engine.start)

    async def stop(self, drain: float | None = None) -> None:
        """Receive no more, send what can be sent, stop. A second call does nothing."""
        await asyncio.to_thread(self._engine.stop, drain)

    async def __aenter__(self) -> AsyncSession:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._engine.leave, error)

    # -- receiving

    async def run(self, handler: Handler, concurrency: int = 8) -> None:
        """Give each message to a handler, in order within a chat, until the session stops."""
        engine = self._ready()
        with engine.consumer.claim("run"):
            await engine.handling(handler, concurrency).run()

    async def poll_all_channels(self, wait: float = 0.0, limit: int = 100) -> list[IncomingMessage]:
        """Return what has arrived, oldest first; the next poll acknowledges it."""
        with self._ready().consumer.claim("poll_all_channels"):
            return [entry.message for entry in await self._poll(limit, wait)]

    async def messages(self) -> AsyncIterator[IncomingMessage]:
        """Iterate over messages as they arrive; asking for the next acknowledges the last."""
        engine = self._ready()
        with engine.consumer.claim("messages"):
            while not engine.consumer.closed:
                for entry in await self._poll(1, None):
                    yield entry.message

    async def ack(self, message: IncomingMessage) -> None:
        """Be done with a message that is in hand, now."""
        await result_of(self._ready().ack(message))

    async def nack(self, message: IncomingMessage, delay: float = 0.0) -> None:
        """Put a message back; it comes again after `delay` seconds, and its chat waits."""
        self._ready().nack(message, delay)

    # -- sending

    async def send(self, message: OutgoingMessage, timeout: float | None = SEND_SECONDS) -> Receipt:
        """Send a message; the receipt is true when it was delivered or is safely stored."""
        return await result_of(self._ready().dispatch.send(message, timeout))

    async def reply(
        self,
        message: IncomingMessage,
        content: str | OutgoingMessage,
        timeout: float | None = SEND_SECONDS,
    ) -> Receipt:
        """Answer a message in its chat, quoting it."""
        return await self.send(self._ready().dispatch.reply(message, content), timeout)

    async def stream(
        self, message: IncomingMessage, chunks: AsyncIterable[str] | Iterable[str]
    ) -> Receipt:
        """Answer a message with a text that grows as its chunks come; see `Session.stream`."""
        return await self._ready().stream(message).run(chunks)

    async def broadcast(
        self,
        content: str | OutgoingMessage,
        exclude_channel: str | None = None,
        timeout: float | None = SEND_SECONDS,
    ) -> dict[str, Receipt]:
        """Send to the default chat of every channel that can send; a receipt for each."""
        future = self._ready().broadcast(content, exclude_channel, timeout)
        return await result_of(future)

    async def edit(
        self,
        channel_type: str,
        channel_id: str,
        msg_id: str,
        content: str,
        timeout: float | None = SEND_SECONDS,
    ) -> Receipt:
        """Replace the text of a message, named by its platform id or by a `Receipt.id`."""
        return await self._change("edit", channel_type, channel_id, msg_id, content, timeout)

    async def delete(
        self,
        channel_type: str,
        channel_id: str,
        msg_id: str,
        timeout: float | None = SEND_SECONDS,
    ) -> Receipt:
        """Delete a message, named by its platform id or by a `Receipt.id`."""
        return await self._change("delete", channel_type, channel_id, msg_id, "", timeout)

    async def react(
        self,
        channel_type: str,
        channel_id: str,
        msg_id: str,
        emoji: str,
        timeout: float | None = SEND_SECONDS,
    ) -> Receipt:
        """React to a message with an emoji; an empty one takes the reaction back."""
        return await self._change("react", channel_type, channel_id, msg_id, emoji, timeout)

    # -- showing

    async def typing(self, channel_type: str, channel_id: str) -> bool:
        """Show, once, that an answer is being written; returns at once."""
        return self._ready().showing.typing(channel_type, channel_id)

    def typing_during(self, message: IncomingMessage) -> TypingKept:
        """Show typing in a message's chat for the time of an `async with` block."""
        return TypingKept(self._ready(), message)

    async def presence(self, status: str) -> bool:
        """Show `online`, `away`, `busy` or `offline` on all channels that can."""
        return self._ready().showing.presence(status)

    # -- asking

    async def fetch(self, media: Media, timeout: float | None = None) -> bytes:
        """Return the content of a received attachment."""
        async with asyncio.timeout(timeout):
            return await asyncio.wrap_future(self._ready().fetch(media))

    def channels(self) -> list[str]:
        """Return the names of the channels that run."""
        return self._engine.roster.channels()

    def capabilities(self, channel_type: str) -> Capabilities:
        """Return what a channel can do: its hooks and its limits."""
        return self._engine.roster.capabilities(channel_type)

    def status(self) -> dict[str, Status]:
        """Return what is true of each plugin now."""
        return self._engine.roster.status()

    # -- inside

    def _ready(self) -> Engine:
        self._engine.require_running()
        return self._engine

    async def _poll(self, limit: int, wait: float | None) -> list[Entry]:
        consumer = self._engine.consumer
        asked = consumer.poll(limit, wait)
        try:
            return await result_of(asked)
        except asyncio.CancelledError:
            consumer.take_back(asked)
            raise

    async def _change(
        self,
        op: Any,
        channel_type: str,
        channel_id: str,
        msg_id: str,
        content: str,
        timeout: float | None,
    ) -> Receipt:
        dispatch = self._ready().dispatch
        future = dispatch.change(op, channel_type, channel_id, msg_id, content, timeout)
        return await result_of(future)
