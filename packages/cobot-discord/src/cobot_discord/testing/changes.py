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


class Alarm:
    """An `asyncio.Event` that any thread may set."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake who waits; harmless once its loop is gone."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    def clear(self) -> None:
        """Forget earlier rings."""
        self._event.clear()

    async def wait(self) -> None:
        """Return at the next ring, or at once when there was one since `clear`."""
        await self._event.wait()


class Changes:
    """Guards the server's world: hold it to read or write, and `notify` after writing."""

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.RLock())
        self._alarms: set[Alarm] = set()
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
            for alarm in self._alarms:
                alarm.ring()

    def wait(self, probe: Callable[[], T | None], timeout: float, what: Callable[[], str]) -> T:
        """Block until `probe` answers something truthy, looking after every change.

        Raises:
            TimeoutError: after `timeout` seconds; its text is `what()`.
            RuntimeError: called on the server's own event loop, which it would stop.
        """
        self._refuse_to_deadlock()
        end = time.monotonic() + timeout
        with self._condition:
            while not (found := probe()):
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{what()} (waited {timeout:g} s)")
                self._condition.wait(left)
            return found

    async def wait_async(
        self, probe: Callable[[], T | None], timeout: float, what: Callable[[], str]
    ) -> T:
        """Do what `wait` does without blocking the event loop."""
        alarm = Alarm()
        with self._condition:
            self._alarms.add(alarm)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    alarm.clear()
                    with self._condition:
                        if found := probe():
                            return found
                    await alarm.wait()
        except TimeoutError:
            with self._condition:
                raise TimeoutError(f"{what()} (waited {timeout:g} s)") from None
        finally:
            with self._condition:
                self._alarms.discard(alarm)

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
