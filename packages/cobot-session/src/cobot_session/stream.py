"""Answers that grow: shown while they are being written, delivered whole by the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from cobot_session.drafts import Drafts
from cobot_session.edits import Edits
from cobot_session.errors import SpoolError
from cobot_session.growing import Growing
from cobot_session.mailbox import result_of
from cobot_session.messages import new_id
from cobot_session.preview import Preview
from cobot_session.typing_kept import TypingKept
from cobot_session.workers import Workers

if TYPE_CHECKING:
    from cobot_session.engine import Engine
    from cobot_session.messages import IncomingMessage, OutgoingMessage, Receipt
    from cobot_session.preview import Way
    from cobot_session.spool import Item

_ID_BYTES = 10
_END = object()


class Stream:
    """One growing answer to one message.

    On a channel that has drafts, what is written is shown as one, and the end is the first that is
    sent. On one that can edit, and where there are no drafts, the first words are a stored send,
    what follows are edits that nobody waits for, and the end is stored and takes the place of what
    was shown. Another channel gets the whole. The answer to a message that is handed out again goes
    on where it stood: its id is made of the message's key.

    Args:
        engine: where it is sent.
        message: what it answers.

    Raises:
        SessionError: its channel does not run.
    """

    def __init__(self, engine: Engine, message: IncomingMessage) -> None:
        capabilities = engine.roster.capabilities(message.channel_type)
        self._engine = engine
        self._message = message
        self._limits = capabilities.limits
        self._can_draft = "draft" in capabilities and "send" in capabilities
        self._can_edit = "edit" in capabilities and "send" in capabilities
        self._id = _answer_id(message, engine.inbox.next_answer(message))

    async def run(self, chunks: AsyncIterable[str] | Iterable[str]) -> Receipt:
        """Take chunks until there are no more, and deliver the whole text.

        Raises:
            TypeError: a chunk is no text. What was shown stays.
        """
        return await result_of(self._engine.dispatch.put(await self.taken(chunks), None))

    async def taken(self, chunks: AsyncIterable[str] | Iterable[str]) -> Item:
        """Take chunks until there are no more, showing them; return the whole, not yet stored.

        Raises:
            TypeError: a chunk is no text. What was shown stays.
        """
        text = ""
        preview = Preview(self._ways(), self._limits.edit_seconds)
        async with TypingKept(self._engine, self._message):
            async with _running(preview), aclosing(_each(chunks)) as each:
                async for chunk in each:
                    text += chunk
                    preview.show(text)
            await preview.settle()
        return await self._whole(text, preview)

    def _ways(self) -> list[Way]:
        answer = Growing(self._engine, self._reply(""))
        ways: list[Way] = [Drafts(answer, self._limits)] if self._can_draft else []
        return [*ways, Edits(answer, self._limits)] if self._can_edit else ways

    async def _whole(self, text: str, preview: Preview) -> Item:
        answer = self._reply(text)
        if not await self._may_stand(preview.way):
            return self._engine.dispatch.item("send", answer)
        answer.id = new_id()
        item = self._engine.dispatch.item("answer", answer, self._id)
        pause = preview.next_call - asyncio.get_running_loop().time()
        if pause > 0:
            item.rest(pause)
        return item

    async def _may_stand(self, way: Way | None) -> bool:
        """Tell whether something of this answer may be there, for the end to take its place."""
        if not self._can_edit:
            return False
        if isinstance(way, Edits) and way.has_opened:
            return True
        chat = self._message.channel_type, self._message.channel_id
        try:
            return await result_of(self._engine.house.spool.receipt(self._id, chat)) is not None
        except SpoolError:
            return True

    def _reply(self, content: str) -> OutgoingMessage:
        dispatch = self._engine.dispatch
        reply = dispatch.outgoing(dispatch.reply(self._message, content))
        reply.id = self._id
        return dispatch.item("send", reply).message


def _answer_id(message: IncomingMessage, number: int | None) -> str:
    """Return an id that is the same whenever a message is handed out; a new one for others."""
    if number is None:
        return new_id()
    words = "\0".join((message.channel_type, message.key, str(number)))
    return blake2b(words.encode("utf-8", "surrogatepass"), digest_size=_ID_BYTES).hexdigest()


@asynccontextmanager
async def _running(preview: Preview) -> AsyncIterator[None]:
    """Let a preview run meanwhile."""
    running = asyncio.create_task(preview.run(), name="preview of an answer")
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _each(chunks: AsyncIterable[str] | Iterable[str]) -> AsyncGenerator[str, None]:
    """Iterate over either kind; a blocking iterator runs in a thread."""
    if isinstance(chunks, AsyncIterable):
        async with AsyncExitStack() as stack:
            if isinstance(chunks, AsyncGenerator):
                await stack.enter_async_context(aclosing(chunks))
            async for chunk in chunks:
                yield _checked(chunk)
        return
    iterator: Iterator[Any] = iter(chunks)
    workers = Workers("cobot-stream", 1)
    try:
        while (chunk := await workers.run(partial(next, iterator, _END))) is not _END:
            yield _checked(chunk)
    finally:
        workers.shutdown()


def _checked(chunk: Any) -> str:
    if not isinstance(chunk, str):
        raise TypeError(f"a chunk of an answer is a str, not {type(chunk).__name__}")
    return chunk
