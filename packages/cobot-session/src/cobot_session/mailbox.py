"""Calls from other threads into an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


class Mailbox:
    """Calls from other threads into one loop; many calls, one wake-up.

    Each wake-up is a system call that lets go of the interpreter: a thread that resolves many
    futures would wait for each to get it back.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._woken = False

    def post(self, call: Callable[..., object], *arguments: Any) -> bool:
        """Call it soon on the loop; false when the loop has ended."""
        self._calls.append((call, arguments))
        if self._woken:
            return True
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            return False
        return True

    async def wait(self, future: Future[T]) -> T:
        """Wait, on the loop, for a future that another thread resolves."""
        waiter: asyncio.Future[T] = self._loop.create_future()
        future.add_done_callback(lambda done: self.post(_pass_on, done, waiter))
        return await waiter

    def _deliver(self) -> None:
        self._woken = False
        for _ in range(len(self._calls)):  # what comes meanwhile waits for the next turn
            call, arguments = self._calls.popleft()
            try:
                call(*arguments)
            except Exception as error:  # noqa: BLE001 - the calls behind it are others'
                told = {"message": f"{call} was called from another thread", "exception": error}
                self._loop.call_exception_handler(told)


_mailboxes: dict[asyncio.AbstractEventLoop, Mailbox] = {}


async def result_of(future: Future[T]) -> T:
    """Wait for a future that another thread resolves; being cancelled does not cancel it."""
    loop = asyncio.get_running_loop()
    mailbox = _mailboxes.get(loop)
    if mailbox is None:
        for ended in [other for other in list(_mailboxes) if other.is_closed()]:
            _mailboxes.pop(ended, None)
        mailbox = _mailboxes[loop] = Mailbox(loop)
    return await mailbox.wait(future)


def _pass_on(done: Future[T], waiter: asyncio.Future[T]) -> None:
    if waiter.done():
        return
    if done.cancelled():
        waiter.cancel()
    elif (error := done.exception()) is not None:
        waiter.set_exception(error)
    else:
        waiter.set_result(done.result())
