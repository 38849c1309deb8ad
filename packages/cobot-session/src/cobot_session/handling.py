"""Running a handler: in order within a chat, side by side across chats."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from cobot_session.errors import SpoolError
from cobot_session.failures import Failures
from cobot_session.mailbox import result_of
from cobot_session.retry import backoff, patience
from cobot_session.workers import Workers

if TYPE_CHECKING:
    from cobot_session.engine import Engine
    from cobot_session.messages import IncomingMessage, OutgoingMessage
    from cobot_session.spool import Entry, Item

log = logging.getLogger("cobot_session.run")

Answer: TypeAlias = "str | OutgoingMessage | Iterator[str] | AsyncIterable[str] | None"
Handler: TypeAlias = "Callable[[IncomingMessage], Answer | Awaitable[Answer]]"

_END_SECONDS = 1.0
"""How long a handler may take to be cancelled."""
_MOST_SPOOL_BACKOFF = 10.0
"""Seconds between two tries to store an answer, or to hand something out."""


class Handling:
    """Gives messages to a handler and stores what it answers.

    Args:
        engine: where messages come from.
        handler: `def` handlers run in threads, `async def` ones on the caller's loop.
        concurrency: chats that are served at once.
    """

    def __init__(self, engine: Engine, handler: Handler, concurrency: int) -> None:
        if concurrency < 1:
            raise ValueError(f"`concurrency` is at least 1, not {concurrency}")
        self._engine = engine
        self._handler = handler
        self._concurrency = concurrency
        self._workers = Workers("cobot-handler", concurrency)
        settings = engine.config.session
        self._redeliver_after = settings.redeliver_after
        self._failures = Failures(settings.max_deliveries, engine.house.told)
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._waiting: set[Entry] = set()
        """Handed out, and their handlers not called yet."""
        self._refused = 0
        """How often in a row nothing could be handed out."""

    async def run(self) -> None:
        """Serve until the session stops, or until cancelled.

        Messages whose handler is cancelled go back and are handed out again.
        """
        try:
            while not self._engine.consumer.closed:
                await self._serve_some()
        finally:
            await self._end()

    async def _end(self) -> None:
        """Cancel the handlers; one that does not end is named and left behind."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=_END_SECONDS)
            for task in left:
                log.error("the %s does not end and is left behind", task.get_name())
        self._engine.inbox.release(list(self._waiting), counts=False)
        self._workers.shutdown()

    async def _serve_some(self) -> None:
        free = self._concurrency - len(self._tasks)
        if free < 1:
            self._freed.clear()
            await self._freed.wait()
            return
        for entry in await self._take(free):
            self._waiting.add(entry)
            task = asyncio.create_task(self._serve(entry), name=f"handler {entry.message.key}")
            self._tasks.add(task)
            task.add_done_callback(self._free)

    def _free(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._freed.set()

    async def _take(self, limit: int) -> list[Entry]:
        consumer = self._engine.consumer
        taken = consumer.take(limit)
        try:
            entries = await result_of(taken)
        except asyncio.CancelledError:
            consumer.take_back(taken)
            raise
        except SpoolError as error:
            self._refused += 1
            log.warning("nothing can be handed out: %s; it is tried again", error)
            await asyncio.sleep(backoff(self._refused, _MOST_SPOOL_BACKOFF))
            return []
        self._refused = 0
        return entries

    async def _serve(self, entry: Entry) -> None:
        inbox, delivery = self._engine.inbox, entry.deliveries
        self._waiting.discard(entry)
        try:
            await self._answer(entry, delivery)
        except BaseException as error:
            mine = [] if inbox.was_put_back(entry, delivery) else [entry]
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                inbox.release(mine, stopped=True)
                raise
            delay = patience(entry.deliveries, self._redeliver_after)
            entry.failure = self._failures.tell(entry, error)
            inbox.release(mine, delay)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise

    async def _answer(self, entry: Entry, delivery: int) -> None:
        message = entry.message
        answer = await self._call(message)
        if self._engine.inbox.was_put_back(entry, delivery):
            if answer is not None:
                log.warning(
                    "the handler put message %r back, so what it returned is dropped", message.id
                )
            return
        replies = await self._replies(message, answer)
        if not self._engine.inbox.still_in_hand([entry]):  # the handler acknowledged by hand
            for item in replies:
                self._engine.dispatch.keep(item)
            return
        await self._store(entry, replies)

    async def _store(self, entry: Entry, replies: list[Item]) -> None:
        """Store an answer, however long the spool takes: the handler is not asked again for it."""
        failures = 0
        while True:
            stored = self._engine.inbox.answer(entry, replies, self._engine.dispatch.accept)
            try:
                await result_of(stored)
                return
            except SpoolError as error:
                failures += 1
                log.warning("an answer is not stored yet: %s; it is tried again", error)
                await asyncio.sleep(backoff(failures, _MOST_SPOOL_BACKOFF))

    async def _replies(self, message: IncomingMessage, answer: Any) -> list[Item]:
        reply = await self._reply(message, answer)
        if reply is None:
            return []
        if reply.refusal is not None:
            log.error(
                "the answer to message %r cannot be sent, and is a dead letter: %s",
                *(message.id, reply.refusal),
            )
        return [reply]

    async def _reply(self, message: IncomingMessage, answer: Any) -> Item | None:
        dispatch = self._engine.dispatch
        if isinstance(answer, AsyncIterable | Iterator):
            whole = await self._engine.stream(message).taken(answer)
            return dispatch.checked(whole) if whole.message.content.strip() else None
        if answer is None or answer == "":
            return None
        if not isinstance(answer, str) and not hasattr(answer, "content"):
            raise TypeError(
                "a handler returns a str, an `OutgoingMessage`, an iterator of str, or None;"
                f" this one returned {answer!r:.80}, which is of type {type(answer).__name__}"
            )
        return dispatch.reply_item(message, answer)

    async def _call(self, message: IncomingMessage) -> Any:
        if inspect.iscoroutinefunction(self._handler):
            return await self._handler(message)
        answer = await self._workers.run(lambda: self._handler(message))
        return await answer if inspect.isawaitable(answer) else answer
