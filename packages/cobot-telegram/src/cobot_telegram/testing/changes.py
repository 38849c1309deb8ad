"""A lock, and waits for what it guards: from threads and from event loops, never by sleeping."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEFAULT_TIMEOUT = 30.0
"""Seconds a wait of the scripted API lasts unless told otherwise."""


class Changes:
    """Guards the server's world. Hold it to read or write; call `notify` after writing."""

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.RLock())
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.serving: asyncio.AbstractEventLoop | None = None
        """The loop the server runs in; a blocking wait inside it would never end."""

    def __enter__(self) -> Self:
        self._condition.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._condition.release()

    def notify(self) -> None:
        """Wake all that wait, to look again."""
        with self._condition:
            self._condition.notify_all()
            for loop, event in self._sleepers:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(event.set)

    def wait(
        self,
        probe: Callable[[], T | None],
        timeout: float = DEFAULT_TIMEOUT,
        what: Callable[[], str] = lambda: "nothing that was waited for",
    ) -> T:
        """Return the first truthy answer of `probe`, looking after every change; block until then.

        Raises:
            TimeoutError: after `timeout` seconds; its text is `what()`.
            RuntimeError: called on the server's own event loop, which it would stop.
        """
        self._refuse_to_deadlock()
        end = time.monotonic() + timeout
        with self._condition:
            while not (found := probe()):
                left = end - time.monotonic()
                if left <= 0 or not self._condition.wait(left):
                    found = probe()
                    if found:
                        return found
                    raise TimeoutError(f"{what()} (waited {timeout:g} s)")
            return found

    async def wait_async(
        self,
        probe: Callable[[], T | None],
        timeout: float = DEFAULT_TIMEOUT,
        what: Callable[[], str] = lambda: "nothing that was waited for",
    ) -> T:
        """Do what `wait` does without blocking the event loop."""
        event = asyncio.Event()
        sleeper = (asyncio.get_running_loop(), event)
        with self:
            self._sleepers.add(sleeper)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    event.clear()
                    with self:
                        if found := probe():
                            return found
                    await event.wait()
        except TimeoutError:
            with self:
                if found := probe():
                    return found
                raise TimeoutError(f"{what()} (waited {timeout:g} s)") from None
        finally:
            with self:
                self._sleepers.discard(sleeper)

    def _refuse_to_deadlock(self) -> None:
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return
        if running is self.serving:
            raise RuntimeError(
                "this wait blocks the event loop the server runs in and would never end: "
                "await the verb that ends in _async"
            )
