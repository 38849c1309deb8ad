"""Lanes at work: what waits in an outbox is carried out, chat by chat, in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cobot_session.errors import AuthError
from cobot_session.retry import backoff

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from cobot_session.delivery import Delivery
    from cobot_session.mailbox import Mailbox
    from cobot_session.outbox import Outbox

_MOST_BACKOFF = 60.0


class Lanes:
    """Works an outbox off through one plugin object, on its loop: a task for each busy chat.

    Args:
        outbox: what there is to do.
        delivery: does one thing, until it is at an end.
        mailbox: of the loop this runs on.
        on_auth_error: told when the platform refuses the channel's credentials.
        log: the channel's logger.
    """

    def __init__(
        self,
        outbox: Outbox,
        delivery: Delivery,
        mailbox: Mailbox,
        *,
        on_auth_error: Callable[[AuthError], None],
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    ) -> None:
        self._outbox = outbox
        self._delivery = delivery
        self._on_auth_error = on_auth_error
        self._log = log
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = lambda chat: mailbox.post(self._work_on, chat)

    def open(self) -> None:
        """Begin with what waits, and with whatever comes."""
        chats = self._outbox.attach(self._wake)
        self._delivery.resume(self._outbox.heads())
        for chat in chats:
            self._work_on(chat)

    def abandon(self) -> None:
        """Take nothing new from the outbox; what is under way comes to nothing. Thread-safe."""
        self._delivery.closing = True
        self._outbox.detach(self._wake)

    async def close(self, drain: float, settle: float) -> None:
        """Go on for up to `drain` seconds with what can be sent now, then stop.

        A call that is under way then has `settle` seconds more: cut off, its outcome is unknown.
        """
        loop = asyncio.get_running_loop()
        await self._until_idle(loop.time() + drain)
        self.abandon()
        for chat, task in list(self._tasks.items()):
            if chat in self._delivery.resting:
                task.cancel()
        await self._until_idle(loop.time() + settle)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_idle(self, deadline: float) -> None:
        """Wait until no lane is at work, but resting or at its end, or until the deadline."""
        loop = asyncio.get_running_loop()
        resting = self._delivery.resting
        while busy := [task for chat, task in self._tasks.items() if chat not in resting]:
            left = deadline - loop.time()
            if left <= 0:
                return
            await asyncio.wait(busy, timeout=min(left, 0.05), return_when=asyncio.FIRST_COMPLETED)

    def _work_on(self, chat: str) -> None:
        if chat not in self._tasks and not self._delivery.closing:
            self._tasks[chat] = asyncio.create_task(self._work(chat), name=f"lane {chat}")

    async def _work(self, chat: str) -> None:
        defects = 0
        try:
            while not self._delivery.closing and (item := self._outbox.head(chat)) is not None:
                try:
                    await self._delivery.carry_out(item)
                    defects = 0
                except AuthError:
                    raise
                except Exception:  # noqa: BLE001 - a lane that ended here would never go on
                    defects += 1
                    self._log.exception("a defect holds up the chat %r; it is tried again", chat)
                    await asyncio.sleep(backoff(defects, _MOST_BACKOFF))
        except AuthError as error:
            self._on_auth_error(error)
        finally:
            del self._tasks[chat]
