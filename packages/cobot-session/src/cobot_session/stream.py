"""Answers that grow: shown while they are being written, delivered whole by the outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cobot_session import text
from cobot_session.futures import done
from cobot_session.mailbox import result_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from cobot_session.engine import Engine
    from cobot_session.messages import IncomingMessage, Receipt

log = logging.getLogger("cobot_session.stream")


class Stream:
    """One growing answer to one message.

    The first words are a stored send, what follows are edits that nobody waits for (the latest
    wins), the end is a stored edit with the whole text. A channel that cannot edit gets the whole.

    Args:
        engine: where it is sent.
        message: what it answers.
    """

    def __init__(self, engine: Engine, message: IncomingMessage) -> None:
        self._engine = engine
        self._message = message
        capabilities = engine.roster.capabilities(message.channel_type)
        self._limits = capabilities.limits
        self._grows = "edit" in capabilities and "send" in capabilities
        self._text = ""
        self._shown = ""
        self._first: Receipt | None = None
        self._showing: Future[Any] = done(None)

    async def run(self, chunks: AsyncIterator[str] | Iterable[str]) -> Receipt:
        """Take chunks until there are no more, and deliver the whole text."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        async for chunk in _each(chunks):
            self._text += chunk
            if self._grows and loop.time() >= due and self._text.strip():
                await self._show()
                due = loop.time() + self._limits.edit_seconds
        return await self._finish()

    async def _show(self) -> None:
        if self._first is None:
            self._first = await self._send(self._text)
            self._shown = self._text
            return
        ids = self._first.message_ids
        preview = self._preview()
        if ids and preview != self._shown and self._showing.done():
            self._shown = preview
            message = self._message
            self._showing = self._engine.preview(
                message.channel_type, message.channel_id, ids[0], preview
            )

    def _preview(self) -> str:
        """Return what fits one message of the text so far."""
        return text.split(self._text, self._limits.text, self._limits.unit)[0]

    async def _finish(self) -> Receipt:
        if self._first is None:
            return await self._send(self._text)
        if self._first.status == "failed":
            return self._first
        await self._last_preview()
        message = self._message
        changed = self._engine.dispatch.change(
            "edit", message.channel_type, message.channel_id, self._first.id, self._text, None
        )
        return await result_of(changed)

    async def _last_preview(self) -> None:
        """Wait until no preview can overtake the end; what became of it does not matter."""
        waiting = asyncio.wrap_future(self._showing)
        await asyncio.wait([waiting], timeout=self._limits.send_seconds)
        if waiting.done() and not waiting.cancelled() and (error := waiting.exception()):
            log.info("a preview was not shown: %s", error)

    async def _send(self, content: str) -> Receipt:
        reply = self._engine.dispatch.reply(self._message, content)
        return await result_of(self._engine.dispatch.send(reply, None))


async def _each(chunks: AsyncIterator[str] | Iterable[str]) -> AsyncIterator[str]:
    """Iterate over either kind; a blocking iterator runs in a thread."""
    if isinstance(chunks, AsyncIterator):
        async for chunk in chunks:
            yield chunk
        return
    iterator: Iterator[str] = iter(chunks)
    while (part := await asyncio.to_thread(_next, iterator)) is not None:
        yield part


def _next(iterator: Iterator[str]) -> str | None:
    return next(iterator, None)
