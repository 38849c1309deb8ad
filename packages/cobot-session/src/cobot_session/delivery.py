"""One item of an outbox carried out: tried, tried again, given up, told."""

from __future__ import annotations

import asyncio
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING

from cobot_session.errors import (
    AuthError,
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    RateLimited,
    SpoolError,
)
from cobot_session.rendering import rendered
from cobot_session.retry import backoff, pause_after
from cobot_session.spool.codec import dumps
from cobot_session.steps import steps_of
from cobot_session.targets import Targets

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from cobot_session.door import Door
    from cobot_session.mailbox import Mailbox
    from cobot_session.messages import Receipt, ReceiptStatus, Sent
    from cobot_session.outbox import Outbox
    from cobot_session.plugin import Limits
    from cobot_session.spool import Item, Spool
    from cobot_session.steps import Step

_MOST_BACKOFF = 300.0
_MOST_SPOOL_BACKOFF = 10.0
"""Seconds between two tries to store what became of an item."""
_LONG_SECONDS = 10.0
"""A rate limit of so long is told in the log."""


class Delivery:
    """Carries items out through one plugin object, on its loop.

    Args:
        outbox: where items come from and leave when they are at an end.
        door: the channel.
        spool: where progress is stored.
        mailbox: of the loop this runs on.
        limits: the channel's.
        max_age: seconds after which what was not delivered is given up.
        resend_unknown: try again also when the outcome of a call is unknown.
        may_not: returns why the agent may not write to a chat; `None`: it may.
        on_end: told of each item that is at an end, what became of it, and whether it is a dead
            letter; in any thread.
        told: returns what a channel says, in a bounded line without secrets.
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
        may_not: Callable[[str], str | None],
        on_end: Callable[[Item, Receipt, bool], None],
        told: Callable[[object], str],
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    ) -> None:
        self.closing = False
        self.resting: set[str] = set()
        """Chats that wait for a time to come."""
        self._outbox = outbox
        self._door = door
        self._spool = spool
        self._mailbox = mailbox
        self._targets = Targets(spool, mailbox)
        self._limits = limits
        self._max_age = max_age
        self._resend_unknown = resend_unknown
        self._may_not = may_not
        self._on_end = on_end
        self._words = told
        self._log = log
        self._channel_due = 0.0
        self._told: set[str] = set()

    def resume(self, heads: Iterable[Item]) -> None:
        """Take up the pauses of the whole channel that stored items tell of."""
        for item in heads:
            if item.whole_channel:
                self._channel_due = max(self._channel_due, item.due)

    async def carry_out(self, item: Item) -> None:
        """Try until the item is at an end, or until `closing`.

        Raises:
            AuthError: the platform refuses the channel's credentials; the item stays.
        """
        failures = 0
        while not self.closing:
            try:
                await self._attempt(item)
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything: judged below
                failures = 0 if isinstance(error, RateLimited) else failures + 1
                if await self._is_the_end(item, error):
                    return
                await self._failed(item, error, pause_after(error, failures, _MOST_BACKOFF))
            else:
                await self._finish(item, "sent")
                return

    # -- trying

    async def _attempt(self, item: Item) -> None:
        if item.in_flight:
            raise OutcomeUnknown("it was cut off while the channel was being called")
        if (refusal := self._may_not(item.message.channel_id)) is not None:
            raise PermanentError(refusal)
        await self._rest(item)
        if item.parts is None and item.op in {"send", "edit", "answer"}:
            item.parts = await rendered(self._door, item.message, self._limits)
        targets = await self._targets.of(item)
        steps = steps_of(item, self._door, targets)
        if not steps:
            raise PermanentError(f"there is nothing to {item.op}: it was rendered to no parts")
        await self._take(item, steps, targets)

    async def _take(self, item: Item, steps: list[Step], targets: list[str]) -> None:
        """Take the steps that are left."""
        gone: set[str | None] = set()
        while item.done < len(steps):
            if item.done and self._pause(item) > 0:  # a stop or crash meanwhile forgets no part
                await self._mailbox.wait(self._spool.progress(item))
            await self._rest(item)
            step = steps[item.done]
            await self._before(item, step)
            try:
                outcome = await step.call()
            except PermanentError:
                if step.instead is None:
                    raise
                gone.add(step.about)
                steps[item.done] = step.instead
                continue
            self._after(item, step, outcome)
            if item.op in {"edit", "answer"}:
                touched = gone | {step.about for step in steps[: item.done]}
                item.standing = item.message_ids + [id_ for id_ in targets if id_ not in touched]

    async def _before(self, item: Item, step: Step) -> None:
        """Record, before a call, that it may have happened; where repeating is safe, only news."""
        self._door.check()
        item.attempts += 1
        item.whole_channel = False
        safe = step.repeatable or self._limits.idempotent
        item.in_flight = not safe
        noted = item.done == 0 and (item.parts is None or item.parts_stored)
        if safe and noted and item.lasts:
            return
        try:
            await self._mailbox.wait(
                self._spool.lasting() if safe and noted else self._spool.progress(item)
            )
        except Exception:
            item.in_flight = False  # it was not recorded, and will not be called
            raise
        item.lasts = True
        item.parts_stored = item.parts is not None

    def _after(self, item: Item, step: Step, outcome: Sent) -> None:
        item.in_flight = False
        item.done += 1
        item.message_ids += step.leaves(outcome)
        try:
            dumps(outcome.detail)
        except (ValueError, RecursionError) as error:
            self._tell_once(error)
        else:
            item.detail.update(outcome.detail)

    # -- failing

    async def _is_the_end(self, item: Item, error: Exception) -> bool:
        """Give an item up when its error says so, and return whether it did."""
        if isinstance(error, AuthError):
            await self._record(item, error)
            raise error
        reason = self._words(error) or type(error).__name__
        if isinstance(error, PermanentError):
            await self._give_up(item, reason)
            return True
        if isinstance(error, OutcomeUnknown) and item.in_flight and not self._resend_unknown:
            await self._give_up(item, reason, "unknown")
            return True
        if not isinstance(error, RateLimited):
            self._tell_once(error)
        return False

    async def _failed(self, item: Item, error: Exception, pause: float) -> None:
        """Record a failed attempt and let the lane, or the channel, rest."""
        item.rest(pause)
        item.whole_channel = isinstance(error, RateLimited) and error.scope == "channel"
        if item.whole_channel:
            self._channel_due = max(self._channel_due, item.due)
        if isinstance(error, RateLimited) and pause >= _LONG_SECONDS:
            self._tell_pause(item, error, pause)
        await self._record(item, error)

    def _tell_pause(self, item: Item, error: RateLimited, pause: float) -> None:
        chat = "every chat" if item.whole_channel else f"the chat {item.message.channel_id!r}"
        self._log.warning("%s waits for %.0f s: %s", chat, pause, self._words(error))

    async def _record(self, item: Item, error: Exception) -> None:
        self._door.check()
        item.in_flight = False
        words = self._words(error)
        item.error = f"{type(error).__name__}: {words}" if words else type(error).__name__
        try:
            await self._mailbox.wait(self._spool.progress(item))
            item.parts_stored = item.parts is not None
        except SpoolError as refusal:
            self._tell_once(refusal)

    async def _rest(self, item: Item) -> None:
        """Wait out a pause of this lane and any of the channel.

        Raises:
            PermanentError: the item is too old.
        """
        chat = item.message.channel_id
        try:
            while (left := self._pause(item)) > 0:
                self.resting.add(chat)
                await asyncio.sleep(left)
        finally:
            self.resting.discard(chat)
        if time.monotonic() >= item.since + self._max_age:
            raise PermanentError(f"not delivered within {self._max_age:g} s (max_age)")

    def _pause(self, item: Item) -> float:
        """Return how many seconds an item still has to wait, which is no longer than it may."""
        due = max(item.due, self._channel_due)
        return min(due, item.since + self._max_age) - time.monotonic()

    # -- ending

    async def _give_up(self, item: Item, reason: str, status: ReceiptStatus | None = None) -> None:
        item.error = reason
        if status is None:
            status = "partial" if item.done else "failed"
        self._log.error(
            "message %s to %r: %s, tried %d time%s: %s",
            item.id,
            item.message.channel_id,
            status,
            item.attempts,
            "s" * (item.attempts != 1),
            reason,
        )
        await self._finish(item, status, dead=reason if item.is_message else None)

    async def _finish(self, item: Item, status: ReceiptStatus, dead: str | None = None) -> None:
        """Store what became of it, however long the spool takes, and tell."""
        receipt = item.receipt(status)
        failures = 0
        while True:
            self._door.check()
            stored = self._spool.finish(item, receipt, dead)
            stored.add_done_callback(partial(self._ended, item, receipt, dead is not None))
            try:
                await self._mailbox.wait(stored)
                return
            except SpoolError as error:
                failures += 1
                self._tell_once(error)
                await asyncio.sleep(backoff(failures, _MOST_SPOOL_BACKOFF))

    def _ended(self, item: Item, receipt: Receipt, dead: bool, stored: Future[None]) -> None:
        """Tell of an end that is stored, whether or not its lane is still there to wait for it."""
        if stored.exception() is None:
            self._outbox.remove(item, receipt, partial(self._on_end, item, receipt, dead))

    def _tell_once(self, error: Exception) -> None:
        """Log the traceback of what is no word of the contract, once for each place it is from."""
        frame = traceback.extract_tb(error.__traceback__)[-1:]
        place = f"{type(error).__name__} {frame[0].filename}:{frame[0].lineno}" if frame else ""
        if place in self._told:
            return
        self._told.add(place)
        if isinstance(error, ChannelError | SpoolError):
            self._log.warning("%s; it is tried again", self._words(error))
        else:
            self._log.warning("unexpected; it is tried again", exc_info=error)
