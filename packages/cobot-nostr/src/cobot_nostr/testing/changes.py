"""Waiting for something to become true in the server's world, from threads and from event loops."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")

DEFAULT_TIMEOUT = 30.0
"""Seconds a wait of the scripted API lasts unless told otherwise."""


def _nothing() -> str:
    return "what was waited for did not happen"


class Changes:
    """The lock of the server's world. Hold it to look or to change; `notify` after a change."""

    def __init__(self) -> None:
        self._lock = threading.Condition(threading.RLock())
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that serves the sockets."""

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def notify(self) -> None:
        """Let everything that waits look again."""
        with self._lock:
            self._lock.notify_all()
            for event, loop in self._waiting.items():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(event.set)

    def wait(
        self,
        look: Callable[[], T | None],
        timeout: float = DEFAULT_TIMEOUT,
        missed: Callable[[], str] = _nothing,
    ) -> T:
        """Block until `look` returns something true, and return that.

        Raises:
            TimeoutError: after `timeout` seconds, with the text of `missed`.
            RuntimeError: on the loop that serves the sockets, which this would stop.
        """
        if self.loop is not None and _running_loop() is self.loop:
            raise RuntimeError("this would block the server's own loop: await `…_async` instead")
        deadline = time.monotonic() + timeout
        with self._lock:
            while not (found := look()):
                if not self._lock.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"{missed()} (waited {timeout:g} s)")
            return found

    async def wait_async(
        self,
        look: Callable[[], T | None],
        timeout: float = DEFAULT_TIMEOUT,
        missed: Callable[[], str] = _nothing,
    ) -> T:
        """Do what `wait` does without blocking the loop it is awaited in."""
        event = asyncio.Event()
        with self._lock:
            self._waiting[event] = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                while True:
                    event.clear()
                    with self._lock:
                        if found := look():
                            return found
                    await event.wait()
        except TimeoutError:
            raise TimeoutError(f"{missed()} (waited {timeout:g} s)") from None
        finally:
            with self._lock:
                del self._waiting[event]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
