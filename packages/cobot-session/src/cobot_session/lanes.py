"""Lanes at work: what waits in an outbox is carried out, chat by chat, until it has a receipt."""

from __future__ import annotations

import asyncio
import time
import traceback
from typing import TYPE_CHECKING

from cobot_session import text
from cobot_session.errors import (
    AuthError,
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    RateLimited,
    SpoolError,
)
from cobot_session.retry import backoff
from cobot_session.steps import Step, steps_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from cobot_session.channel import Mailbox
    from cobot_session.door import Door
    from cobot_session.messages import OutgoingMessage, Receipt, ReceiptStatus
    from cobot_session.outbox import Outbox
    from cobot_session.plugin import Limits
    from cobot_session.spool import Item, Spool

_MOST_BACKOFF = 300.0
_SETTLE_SECONDS = 1.0
"""How long a call that is under way may still take when the lanes are closed."""


class Lanes:
    """Carries out an outbox through one plugin object, on its loop: a task for each busy chat.

    Args:
        outbox: what there is to do.
        door: the channel.
        spool: where progress is stored.
        mailbox: of the loop this runs on.
        limits: the channel's.
        max_age: seconds after which what was not delivered is given up.
        resend_unknown: try again also when the outcome of a call is unknown.
        on_end: told of each item that is at an end, and what became of it.
        on_auth_error: told when the platform refuses the channel's credentials.
        log: the channel's logger.
    """

    def __init__(
        self,
        outbox: Outbox,
        door: Door,
        spool: Spool,
        mailbox: Mailbox,
        *,
        limits: Limits,
        max_age: float,
        resend_unknown: bool,
        on_end: Callable[[Item, Receipt, bool], None],
        on_auth_error: Callable[[AuthError], None],
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    ) -> None:
        self._outbox = outbox
        self._door = door
        self._spool = spool
        self._mailbox = mailbox
        self._limits = limits
        self._max_age = max_age
        self._resend_unknown = resend_unknown
        self._on_end = on_end
        self._on_auth_error = on_auth_error
        self._log = log
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._calling: set[str] = set()
        self._channel_free = 0.0
        self._closing = False
        self._told: set[str] = set()
        self._wake = lambda chat: mailbox.post(self._work_on, chat)

    def open(self) -> None:
        """Begin with what waits, and with whatever comes."""
        chats = self._outbox.attach(self._wake)
        for item in self._outbox.heads():
            if item.whole_channel:
                self._pause_channel(item.not_before)
        for chat in chats:
            self._work_on(chat)

    def abandon(self) -> None:
        """Take nothing new from the outbox; what is under way comes to nothing. Thread-safe."""
        self._closing = True
        self._outbox.detach(self._wake)

    async def close(self, drain: float) -> None:
        """Go on for up to `drain` seconds with what can be sent now, then stop.

        A call that is under way then has a moment more to end: its outcome would be unknown.
        """
        loop = asyncio.get_running_loop()
        await self._until_idle(loop.time() + drain)
        self._closing = True
        self._outbox.detach(self._wake)
        for chat, task in list(self._tasks.items()):
            if chat not in self._calling:
                task.cancel()
        await self._until_idle(loop.time() + _SETTLE_SECONDS)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_idle(self, deadline: float) -> None:
        """Wait until no lane is calling the channel, or until the deadline."""
        loop = asyncio.get_running_loop()
        while busy := [self._tasks[chat] for chat in self._calling if chat in self._tasks]:
            left = deadline - loop.time()
            if left <= 0:
                return
            await asyncio.wait(busy, timeout=min(left, 0.05), return_when=asyncio.FIRST_COMPLETED)

    # -- one lane

    def _work_on(self, chat: str) -> None:
        if chat not in self._tasks and not self._closing:
            self._tasks[chat] = asyncio.create_task(self._work(chat), name=f"lane {chat}")

    async def _work(self, chat: str) -> None:
        try:
            while not self._closing and (item := self._outbox.head(chat)) is not None:
                self._calling.add(chat)
                await self._carry_out(item)
        except AuthError as error:
            self._on_auth_error(error)
        finally:
            self._calling.discard(chat)
            del self._tasks[chat]

    async def _carry_out(self, item: Item) -> None:
        """Try until the item is at an end."""
        failures = 0
        await self._rest(item, item.not_before - time.time())
        while not self._closing:
            if time.time() >= item.created + self._max_age:
                await self._give_up(item, f"not delivered within {self._max_age:g} s (max_age)")
                return
            try:
                await self._attempt(item)
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything: judged below
                failures = 0 if isinstance(error, RateLimited) else failures + 1
                if await self._is_the_end(item, error):
                    return
                await self._failed(item, error, _delay(error, failures))
            else:
                await self._finish(item, "sent")
                return

    async def _is_the_end(self, item: Item, error: Exception) -> bool:
        """Give an item up when its error says so, and return whether it did."""
        if isinstance(error, AuthError):
            await self._record(item, error)
            raise error
        reason = str(error) or type(error).__name__
        if isinstance(error, PermanentError):
            await self._give_up(item, reason)
            return True
        if isinstance(error, OutcomeUnknown) and item.in_flight and not self._resend_unknown:
            await self._give_up(item, reason, "unknown")
            return True
        if not isinstance(error, RateLimited):
            self._tell_once(error)
        return False

    async def _attempt(self, item: Item) -> None:
        if item.in_flight:
            raise OutcomeUnknown("it was cut off while the channel was being called")
        if item.parts is None and item.op in {"send", "edit"}:
            item.parts = await self._rendered(item.message)
        steps = steps_of(item, self._door, await self._targets(item))
        while item.done < len(steps):
            step = steps[item.done]
            await self._before(item, step)
            outcome = await step.call()
            item.in_flight = False
            item.done += 1
            item.message_ids += outcome.message_ids or (
                [step.message_id] if step.message_id else []
            )
            item.detail.update(outcome.detail)

    async def _before(self, item: Item, step: Step) -> None:
        """Record, before a call, that it may have happened; where repeating is safe, only news."""
        self._door.check()
        item.attempts += 1
        item.whole_channel = False
        safe = step.repeatable or self._limits.idempotent
        item.in_flight = not safe
        if safe and item.done == 0 and (item.parts is None or item.parts_stored):
            return
        try:
            await self._mailbox.wait(self._spool.progress(item))
        except SpoolError:
            item.in_flight = False  # it was not recorded, and will not be called
            raise
        item.parts_stored = item.parts is not None

    async def _rendered(self, message: OutgoingMessage) -> list[OutgoingMessage]:
        if "session_render" not in self._door.hooks:
            return text.render(message, self._limits)
        parts = await self._door.render(message)
        for number, part in enumerate(parts):
            part.channel_type = message.channel_type
            part.channel_id = part.channel_id or message.channel_id
            part.id = text.part_id(message.id, number)
        return parts

    async def _targets(self, item: Item) -> list[str]:
        """Return the platform's ids of the message that an item is about."""
        if item.target is None:
            return []
        receipt = await self._mailbox.wait(self._spool.receipt(item.target))
        if receipt is None:
            return [item.target]
        if not receipt.message_ids:
            raise PermanentError(
                f"message {item.target} is {receipt.status} and has no id on the platform,"
                f" so there is nothing to {item.op}"
            )
        return list(receipt.message_ids)

    # -- pauses

    async def _failed(self, item: Item, error: Exception, delay: float) -> None:
        """Record a failed attempt and let the lane, or the channel, rest."""
        item.not_before = time.time() + delay
        item.whole_channel = isinstance(error, RateLimited) and error.scope == "channel"
        if item.whole_channel:
            self._pause_channel(item.not_before)
        await self._record(item, error)
        await self._rest(item, delay)

    async def _record(self, item: Item, error: Exception) -> None:
        self._door.check()
        item.in_flight = False
        item.error = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        try:
            await self._mailbox.wait(self._spool.progress(item))
            item.parts_stored = item.parts is not None
        except SpoolError as refusal:
            self._tell_once(refusal)

    def _pause_channel(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        self._channel_free = max(self._channel_free, loop.time() + until - time.time())

    async def _rest(self, item: Item, delay: float) -> None:
        """Wait out a pause of this lane, then any of the channel, or until the item is too old."""
        loop = asyncio.get_running_loop()
        chat = item.message.channel_id
        too_old = loop.time() + item.created + self._max_age - time.time()
        mine = loop.time() + delay
        self._calling.discard(chat)
        while (left := min(max(mine, self._channel_free), too_old) - loop.time()) > 0:  # noqa: ASYNC110 - a deadline, not an event; another lane may move it
            await asyncio.sleep(left)
        self._calling.add(chat)

    # -- ends

    async def _give_up(self, item: Item, reason: str, status: ReceiptStatus | None = None) -> None:
        item.error = reason
        if status is None:
            status = "partial" if item.done else "failed"
        self._log.error(
            "message %s to %r: %s after %d attempts: %s",
            item.id,
            item.message.channel_id,
            status,
            item.attempts,
            reason,
        )
        await self._finish(item, status, dead=reason if item.op == "send" else None)

    async def _finish(self, item: Item, status: ReceiptStatus, dead: str | None = None) -> None:
        """Store what became of it, however long the spool takes, then tell."""
        self._door.check()
        receipt = item.receipt(status)
        failures = 0
        while True:
            try:
                await self._mailbox.wait(self._spool.finish(item, receipt, dead))
                if item.op == "edit" and item.target and status == "sent":
                    await self._mailbox.wait(self._spool.retarget(item.target, item.message_ids))
                break
            except SpoolError as error:
                failures += 1
                self._tell_once(error)
                await asyncio.sleep(backoff(failures, _MOST_BACKOFF))
        self._outbox.remove(item, receipt)
        self._on_end(item, receipt, dead is not None)

    def _tell_once(self, error: Exception) -> None:
        """Log the traceback of what is no word of the contract, once for each place it is from."""
        frame = traceback.extract_tb(error.__traceback__)[-1:]
        place = f"{type(error).__name__} {frame[0].filename}:{frame[0].lineno}" if frame else ""
        known = isinstance(error, ChannelError)
        if place in self._told:
            return
        self._told.add(place)
        if known or isinstance(error, SpoolError):
            self._log.warning("%s; it is tried again", error)
        else:
            self._log.warning("unexpected; it is tried again", exc_info=error)


def _delay(error: Exception, failures: int) -> float:
    if isinstance(error, RateLimited):
        return error.retry_after
    return backoff(failures, _MOST_BACKOFF)
