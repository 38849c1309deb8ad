"""Daemon threads for blocking calls: each may hang, and none keeps the process from ending."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
P = ParamSpec("P")

_IDLE_SECONDS = 30.0
"""A thread that nothing came for in this time ends."""


class Workers(ThreadPoolExecutor):
    """An executor whose threads are daemons, made as needed and never joined.

    It is a `ThreadPoolExecutor` by name only, since an event loop takes no other as its default:
    `asyncio.to_thread` in a plugin then ends with the process, too.

    Args:
        name: what the threads are called.
        limit: how many `run` calls go on at once; one that was given up no longer counts.
    """

    def __init__(self, name: str, limit: int = 32) -> None:
        super().__init__(max_workers=1)  # never used: `submit` is ours
        self._name = name
        self._waiting: list[queue.SimpleQueue[Callable[[], None] | None]] = []
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._free = asyncio.Semaphore(limit)
        self._closed = False

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in a thread, in the caller's context, and return what it returns."""
        async with self._free:
            context = contextvars.copy_context()
            return await asyncio.wrap_future(self.submit(context.run, call))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call in a thread of its own; more calls make more threads."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except StopIteration as error:  # a coroutine that awaits a future cannot raise it
                future.set_exception(RuntimeError(f"raised {error!r}").with_traceback(None))
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                future.set_exception(error)
            else:
                future.set_result(result)

        self._dispatch(work)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads as they become idle; waits for none."""
        with self._guard:
            self._closed = True
            idle, self._waiting = self._waiting, []
        for waiting in idle:
            waiting.put(None)

    def _dispatch(self, work: Callable[[], None]) -> None:
        with self._guard:
            waiting = self._waiting.pop() if self._waiting else None
        if waiting is not None:
            waiting.put(work)
            return
        name = f"{self._name}-{next(self._numbers)}"
        threading.Thread(target=self._serve, args=(work,), name=name, daemon=True).start()

    def _serve(self, first: Callable[[], None]) -> None:
        mine: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        work: Callable[[], None] | None = first
        while work is not None:
            work()
            work = None  # let go of what it holds while waiting
            work = self._next(mine) if self._offer(mine) else None

    def _offer(self, mine: queue.SimpleQueue[Callable[[], None] | None]) -> bool:
        with self._guard:
            if not self._closed:
                self._waiting.append(mine)
            return not self._closed

    def _next(
        self, mine: queue.SimpleQueue[Callable[[], None] | None]
    ) -> Callable[[], None] | None:
        try:
            return mine.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            with self._guard:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    return None
            return mine.get()  # it was chosen at this very moment
