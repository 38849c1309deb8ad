"""One channel's thread and event loop: made for one plugin object, thrown away with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cobot_session.mailbox import Mailbox
from cobot_session.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")

log = logging.getLogger("cobot_session.channel")

_SWEEP_SECONDS = 2.0
"""How long tasks that a plugin left behind may take to be cancelled."""


class Channel:
    """A thread that runs one coroutine to its end on a loop of its own.

    Args:
        name: the thread's name.
        main: what to run.
        on_end: called in that thread when all is over.
    """

    def __init__(
        self,
        name: str,
        main: Callable[[Channel], Coroutine[Any, Any, None]],
        on_end: Callable[[Channel], None],
    ) -> None:
        self.name = name
        self.loop = asyncio.new_event_loop()
        self.mailbox = Mailbox(self.loop)
        self.workers = Workers(f"{name}-hook")
        self.loop.set_default_executor(self.workers)
        self.retired = False
        self._asked: dict[Future[Any], Exception] = {}
        """What was asked of the loop and is not answered, and what it fails with."""
        self._is_ending = False
        self._main = main
        self._on_end = on_end
        self._pinged: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def here(self) -> bool:
        """The caller runs in this channel's thread."""
        return threading.current_thread() is self._thread

    def ping(self) -> float:
        """Return for how many seconds the loop has not come round, and ask it again."""
        now = time.monotonic()
        if self._pinged is not None:
            return now - self._pinged
        self._pinged = now
        self.mailbox.post(self._pong)
        return 0.0

    def excuse(self) -> None:
        """Forget for how long the loop has not come round."""
        if self._pinged is not None:
            self._pinged = time.monotonic()

    def call(self, make: Callable[[], Coroutine[Any, Any, T]], gone: Exception) -> Future[T]:
        """Run a coroutine on the loop.

        Args:
            make: makes it, on the loop: one that is made and never begun would be told of.
            gone: what the future fails with when the loop ends before it.
        """
        answer: Future[T] = Future()
        self._asked[answer] = gone
        answer.add_done_callback(self._asked.pop)
        if not self.mailbox.post(self._answer, make, answer, gone) or self._is_ending:
            _fail(answer, gone)
        return answer

    def join(self, timeout: float) -> bool:
        """Wait for the end; false when it took too long."""
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def _answer(
        self, make: Callable[[], Coroutine[Any, Any, T]], answer: Future[T], gone: Exception
    ) -> None:
        if not answer.done() and not self._is_ending:
            task = self.loop.create_task(make())
            task.add_done_callback(partial(_pass_on, answer, gone))

    def _pong(self) -> None:
        self._pinged = None

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._main(self))
        except asyncio.CancelledError:
            log.debug("%s: cancelled", self.name)
        except Exception:
            log.exception("%s: ended by a defect", self.name)
        finally:
            self._is_ending = True
            try:
                self._sweep()
            finally:
                for answer, gone in list(self._asked.items()):
                    _fail(answer, gone)
                self._on_end(self)

    def _sweep(self) -> None:
        """Cancel what the plugin left on the loop, and close it."""
        try:
            self.loop.run_until_complete(_cancel_all(self.name))
            self.loop.run_until_complete(_close_generators(self.loop))
        finally:
            self.workers.shutdown()
            asyncio.set_event_loop(None)
            self.loop.close()


def _pass_on(answer: Future[T], gone: Exception, task: asyncio.Task[T]) -> None:
    error = gone if task.cancelled() else task.exception()
    if error is not None:
        _fail(answer, error)
        return
    with contextlib.suppress(InvalidStateError):
        answer.set_result(task.result())


def _fail(answer: Future[T], error: BaseException) -> None:
    with contextlib.suppress(InvalidStateError):  # it has failed already
        answer.set_exception(error)


async def _close_generators(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SWEEP_SECONDS):
            await loop.shutdown_asyncgens()


async def _cancel_all(name: str) -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    _, left = await asyncio.wait(tasks, timeout=_SWEEP_SECONDS)
    for task in left:
        log.warning("%s: the task %s does not end and is left behind", name, task.get_name())


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait, for a bounded time, until they end; what they raise is theirs."""
    for task in tasks:
        task.cancel()
    if tasks:
        ended, _ = await asyncio.wait(tasks, timeout=_SWEEP_SECONDS)
        for task in ended:
            if not task.cancelled():
                task.exception()


async def first_of(*waits: Awaitable[Any]) -> None:
    """Return when the first is done, or raise what it raised; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(*tasks)
