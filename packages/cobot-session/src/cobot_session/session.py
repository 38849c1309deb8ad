"""The sync face of a session: every verb waits for the engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from cobot_session.config import load_config
from cobot_session.engine import Engine
from cobot_session.errors import WrongFace
from cobot_session.foreground import run_to_end, serve
from cobot_session.typing_kept import TypingKept

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from types import TracebackType

    from cobot_session.aio import AsyncSession
    from cobot_session.capabilities import Capabilities
    from cobot_session.config import Config
    from cobot_session.handling import Handler
    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Receipt
    from cobot_session.spool import Entry
    from cobot_session.status import Status

T = TypeVar("T")

SEND_SECONDS = 10.0
"""How long `send` and its kin wait for the outcome before they tell what is true so far."""


class Session:
    """One session between an agent and its channels.

    Every verb may be called from any thread, and blocks its caller only: also inside an agent's
    own event loop. A plugin's `async def` hooks use `aio` instead.

    Args:
        config: a path to `cobot.yml`, a mapping of the same shape, or nothing for the usual
            places (`COBOT_CONFIG`, `./cobot.yml`, the user's configuration folder). One that
            `load_config` returned is taken as it is.
        plugins: name -> class or factory of plugins that are not installed, or stand in for an
            installed one of that name.

    Raises:
        ConfigError: the file cannot be read, or is no YAML. Other mistakes are told by `start`.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None,
        *,
        plugins: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        self._engine = Engine(load_config(config, defer=True), self, plugins)

    # -- life

    def start(self) -> None:
        """Open the spool and start the channels; each connects by itself.

        Raises:
            ConfigError: the configuration has mistakes; all of them are named.
            PluginError: with `strict: true`, a plugin cannot be used.
            SpoolError: the spool cannot be used; `SpoolBusy` names the process that runs it.
        """
        self._engine.start()

    def stop(self, drain: float | None = None) -> None:
        """Receive no more, send what can be sent, stop. A second call does nothing.

        Args:
            drain: seconds the outbox may take to empty; default: the setting `session.drain`.
        """
        self._engine.stop(drain)

    def __enter__(self) -> Session:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine.leave(error)

    @property
    def aio(self) -> AsyncSession:
        """The asyncio face of this session, for use on a running event loop.

        Raises:
            WrongFace: there is no running event loop here.
        """
        from cobot_session.aio import AsyncSession  # each face offers the other

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise WrongFace(
                "`session.aio` is for `async def`; there is no event loop here: use `session`"
            ) from None
        return AsyncSession.over(self._engine)

    # -- receiving

    def run(self, handler: Handler, concurrency: int = 8) -> None:
        """Give each message to a handler, in order within a chat, until the session stops.

        Ctrl-C ends it, and so does SIGTERM where the program has no handler for it. Leaving `with`
        then takes a second or two; what is unfinished comes again.

        What the handler returns is the reply (text, an `OutgoingMessage`, or an iterator of text
        that is streamed: a handler may be a generator, `def` or `async def`); it is stored and the
        message acknowledged in one transaction. A handler that raises leaves its message
        unacknowledged: it comes again.

        Args:
            handler: `def handler(message)`, called in threads, or `async def`.
            concurrency: chats that are served at once.

        Raises:
            ConsumerBusy: another `run`, poll or `messages` is consuming.
        """
        engine = self._ready("run")
        try:
            serve(engine, handler, concurrency)
        except KeyboardInterrupt:  # a traceback would tell nobody anything
            engine.is_hurried = True

    def poll_all_channels(self, wait: float = 0.0, limit: int = 100) -> list[IncomingMessage]:
        """Return what has arrived, oldest first; never waits on a channel.

        The next poll acknowledges what this one returned; so does leaving `with` cleanly.

        Args:
            wait: seconds to wait for a first message.
            limit: at most so many.

        Raises:
            ConsumerBusy: another `run`, poll or `messages` is consuming.
        """
        engine = self._ready("poll_all_channels")
        with engine.consumer.claim("poll_all_channels"):
            entries = self._polled(engine, limit, wait)
        return [entry.message for entry in entries]

    def messages(self) -> Iterator[IncomingMessage]:
        """Iterate over messages as they arrive; asking for the next acknowledges the last.

        Raises:
            ConsumerBusy: another `run`, poll or `messages` is consuming.
        """
        engine = self._ready("messages")
        with engine.consumer.claim("messages"):
            while not engine.consumer.closed:
                for entry in self._polled(engine, 1, None):
                    yield entry.message

    def ack(self, message: IncomingMessage) -> None:
        """Be done with a message that is in hand, now.

        Raises:
            SessionError: it is not in hand.
        """
        self._wait(self._ready("ack").ack(message))

    def nack(self, message: IncomingMessage, delay: float = 0.0) -> None:
        """Put a message back; it comes again, and its chat waits for it.

        Args:
            message: one that is in hand.
            delay: seconds until it comes again.

        Raises:
            SessionError: it is not in hand.
        """
        self._ready("nack").nack(message, delay)

    # -- sending

    def send(self, message: OutgoingMessage, timeout: float | None = SEND_SECONDS) -> Receipt:
        """Send a message; the receipt is true when it was delivered or is safely stored.

        Args:
            message: without `channel_type` it goes to `session.default_channel`, without
                `channel_id` to that channel's default chat.
            timeout: seconds to wait for the outcome; then the receipt says `queued`, and delivery
                goes on. `None`: wait for the end.

        Raises:
            TypeError, ValueError: it is no message.
        """
        return self._wait(self._ready("send").dispatch.send(message, timeout))

    def reply(
        self,
        message: IncomingMessage,
        content: str | OutgoingMessage,
        timeout: float | None = SEND_SECONDS,
    ) -> Receipt:
        """Answer a message in its chat, quoting it."""
        dispatch = self._ready("reply").dispatch
        return self._wait(dispatch.send(dispatch.reply(message, content), timeout))

    def stream(self, message: IncomingMessage, chunks: Iterable[str]) -> Receipt:
        """Answer a message with a text that grows as its chunks come.

        It is shown by edits, or by drafts where the channel has them, `limits.edit_seconds` apart,
        while typing is kept on; a channel that can do neither gets the whole. The end is sent once,
        whatever became of what was shown before, and the receipt is the end's. Answered again after
        a crash, a message that is in hand has its answer go on where it stood.

        Raises:
            TypeError: a chunk is no text.
        """
        engine = self._ready("stream")
        return run_to_end(engine.stream(message).run(chunks))

    def broadcast(
        self,
        content: str | OutgoingMessage,
        exclude_channel: str | None = None,
        timeout: float | None = SEND_SECONDS,
    ) -> dict[str, Receipt]:
        """Send to the default chat of every channel that can send; a receipt for each."""
        return self._wait(self._ready("broadcast").broadcast(content, exclude_channel, timeout))

    def edit(
        self,
        channel_type: str,
        channel_id: str,
        msg_id: str,
        content: str,
        timeout: float | None = SEND_SECONDS,
    ) -> Receipt:
        """Replace the text of a message, named by its platform id or by a `Receipt.id`."""
        return self._change("edit", channel_type, channel_id, msg_id, content, timeout)

    def delete(
        self,
        channel_type: str,
        channel_id: str,
        msg_id: str,
        timeout: float | None = SEND_SECONDS,
    ) -> Receipt:
        """Delete a message, named by its platform id or by a `Receipt.id`."""
        return self._change("delete", channel_type, channel_id, msg_id, "", timeout)

    def react(
        self,
        channel_type: str,
        channel_id: str,
        msg_id: str,
        emoji: str,
        timeout: float | None = SEND_SECONDS,
    ) -> Receipt:
        """React to a message with an emoji; an empty one takes the reaction back."""
        return self._change("react", channel_type, channel_id, msg_id, emoji, timeout)

    # -- showing

    def typing(self, channel_type: str, channel_id: str) -> bool:
        """Show, once, that an answer is being written; returns at once.

        Returns:
            False when the channel cannot, or does not run.
        """
        return self._ready("typing").showing.typing(channel_type, channel_id)

    def typing_during(self, message: IncomingMessage) -> TypingKept:
        """Show typing in a message's chat for the time of a `with` block."""
        return TypingKept(self._ready("typing_during"), message)

    def presence(self, status: str) -> bool:
        """Show `online`, `away`, `busy` or `offline` on all channels that can.

        Returns:
            False when none can.
        """
        return self._ready("presence").showing.presence(status)

    # -- asking

    def fetch(self, media: Media, timeout: float | None = None) -> bytes:
        """Return the content of a received attachment.

        Raises:
            PermanentError: its channel cannot fetch.
            TimeoutError: it took longer than `timeout` seconds.
        """
        return self._wait(self._ready("fetch").fetch(media), timeout)

    def channels(self) -> list[str]:
        """Return the names of the channels that run."""
        return self._engine.roster.channels()

    def capabilities(self, channel_type: str) -> Capabilities:
        """Return what a channel can do: its hooks and its limits.

        Raises:
            SessionError: there is no such channel.
        """
        return self._engine.roster.capabilities(channel_type)

    def status(self) -> dict[str, Status]:
        """Return what is true of each plugin now."""
        return self._engine.roster.status()

    # -- inside

    def _ready(self, verb: str) -> Engine:
        self._engine.refuse_channel_loop(verb)
        self._engine.require_running()
        return self._engine

    def _polled(self, engine: Engine, limit: int, wait: float | None) -> list[Entry]:
        asked = engine.consumer.poll(limit, wait)
        try:
            return self._wait(asked)
        except BaseException:  # Ctrl-C, say: nobody will see what it hands out
            engine.consumer.take_back(asked)
            raise

    def _wait(self, future: Future[T], timeout: float | None = None) -> T:
        return future.result(timeout)

    def _change(
        self,
        op: Any,
        channel_type: str,
        channel_id: str,
        msg_id: str,
        content: str,
        timeout: float | None,
    ) -> Receipt:
        dispatch = self._ready(op).dispatch
        return self._wait(dispatch.change(op, channel_type, channel_id, msg_id, content, timeout))
