"""What an observer has yet to be told: a bounded queue that nothing waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable

    from cobot_session.door import Door
    from cobot_session.mailbox import Mailbox

_MOST = 1000


class News:
    """Holds the latest news for one plugin until it takes them, one at a time.

    An observer that is slower than the news for long loses the oldest, and the log says so.
    """

    def __init__(self, hooks: frozenset[str], log: logging.Logger) -> None:
        self._hooks = hooks
        self._log = log
        self._queue: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._arrived: asyncio.Event | None = None
        self._mailbox: Mailbox | None = None
        self._lost = 0

    def tell(self, hook: str, *arguments: Any) -> None:
        """Add one; nothing happens when the plugin has no such hook. Thread-safe."""
        if hook not in self._hooks:
            return
        if len(self._queue) >= _MOST:
            self._queue.popleft()
            self._lost += 1
            if self._lost in {1, _MOST} or self._lost % (10 * _MOST) == 0:
                self._log.warning("too slow: %d news lost so far (%s)", self._lost, hook)
        self._queue.append((hook, arguments))
        mailbox, arrived = self._mailbox, self._arrived
        if mailbox is not None and arrived is not None:
            mailbox.post(arrived.set)

    async def deliver(self, door: Door, mailbox: Mailbox) -> None:
        """Tell an observer, for ever."""
        self._arrived, self._mailbox = asyncio.Event(), mailbox
        while True:
            self._arrived.clear()
            await self._tell_all(door)
            await self._arrived.wait()

    async def flush(self, door: Door, seconds: float) -> None:
        """Tell what is left, for a bounded time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._tell_all(door)

    async def _tell_all(self, door: Door) -> None:
        """Tell all there is; an observer that raises is logged and goes on."""
        calls: dict[str, Callable[..., Awaitable[None]]] = {
            "session_on_receive": door.on_receive,
            "session_on_send": door.on_send,
            "session_on_status": door.on_status,
        }
        while self._queue:
            hook, arguments = self._queue.popleft()
            try:
                await calls[hook](*arguments)
            except Exception:  # noqa: BLE001 - an observer's trouble is its own
                self._log.exception("%s failed", hook)
