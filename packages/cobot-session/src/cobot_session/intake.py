"""The way in: a channel is asked, what it has is checked, stored, and told."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from cobot_session.errors import AuthError, SpoolError
from cobot_session.lines import in_a_line
from cobot_session.normalise import incoming
from cobot_session.retry import backoff, pause_after

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

    from cobot_session.channel import Channel
    from cobot_session.door import Door
    from cobot_session.gate import Gate
    from cobot_session.house import House
    from cobot_session.messages import IncomingMessage
    from cobot_session.outbox import Outbox
    from cobot_session.spool import Entry
    from cobot_session.state import PluginState, Stage
    from cobot_session.vitals import Vitals

_TRIES = 5
"""Failures in a row of `session_receive` before the channel is made anew."""
_MOST_BACKOFF = 60.0
_MOST_SPOOL_BACKOFF = 10.0
"""Seconds between two tries to store a batch."""
_FIRST_PAUSE = 0.05
"""Seconds until a channel that had something is asked again; doubles up to `poll_interval`."""

_IN_A_ROW = 50
"""Messages that are looked at before the rest of the channel gets its turn."""


class Intake:
    """Asks one channel, again and again, and never before the last answer is stored.

    Args:
        channel_type: what is stamped on messages.
        channel: whose loop this runs on.
        door: the channel's hooks.
        state: the plugin's.
        gate: who may pass.
        outbox: while it is full, the channel is not asked: the agent could not answer.
        vitals: where counts and troubles are told.
        house: the rest of the session.
        poll_interval: seconds between two looks at a channel that has nothing.
        on_life: told that the channel has answered.
        on_trouble: told what `session_receive` raised.
    """

    def __init__(
        self,
        channel_type: str,
        channel: Channel,
        door: Door,
        *,
        state: PluginState,
        gate: Gate,
        outbox: Outbox,
        vitals: Vitals,
        house: House,
        poll_interval: float,
        on_life: Callable[[], None],
        on_trouble: Callable[[Exception], None],
        log: logging.Logger,
    ) -> None:
        self._channel_type = channel_type
        self._channel = channel
        self._door = door
        self._state = state
        self._gate = gate
        self._outbox = outbox
        self._vitals = vitals
        self._house = house
        self._poll_interval = poll_interval
        self._on_life = on_life
        self._on_trouble = on_trouble
        self._log = log
        self._pause = poll_interval
        self.asking_since: float | None = None
        """Loop time at which the call that is under way began."""

    async def run(self) -> None:
        """Receive for ever.

        Raises:
            AuthError: the channel's credentials are refused.
            Exception: what `session_receive` raised the last of several times in a row.
        """
        failures = 0
        while True:
            await self._room()
            try:
                await self._once()
                failures = 0
            except AuthError:
                raise
            except Exception as error:
                failures += 1
                self._on_trouble(error)
                if failures >= _TRIES:
                    raise
                await asyncio.sleep(pause_after(error, failures, _MOST_BACKOFF))

    async def _once(self) -> None:
        loop = asyncio.get_running_loop()
        with self._state.staged() as stage:
            self.asking_since = began = loop.time()
            try:
                batch = await self._door.receive()
            finally:
                self.asking_since = None
        self._on_life()
        await self._store(await self._checked(batch), stage)
        if batch or stage.changes:  # there may be more
            self._pause = _FIRST_PAUSE
            return
        self._pause = min(2 * self._pause, self._poll_interval)
        left = self._pause - (loop.time() - began)
        if left > 0:
            await asyncio.sleep(left)

    async def _checked(self, batch: Sequence[object]) -> list[IncomingMessage]:
        """Return what may pass, as our own messages; the rest is counted and logged.

        What is refused waits for nothing, so a flood of it has to let the lanes have their turn.
        """
        passed = []
        for number, raw in enumerate(batch, start=1):
            if number % _IN_A_ROW == 0:
                await asyncio.sleep(0)
            try:
                message = incoming(raw, self._channel_type)
            except Exception as error:  # noqa: BLE001 - one odd item must not cost the batch
                self._vitals.drop("malformed")
                self._log.warning("dropped a malformed message: %s", in_a_line(error))
                continue
            refusal = self._gate.refusal(message)
            if refusal is None:
                passed.append(message)
            else:
                self._vitals.drop(refusal)
        if not passed:
            await asyncio.sleep(0)
        return passed

    async def _store(self, messages: list[IncomingMessage], stage: Stage) -> None:
        """Commit a batch with its state, however long the spool takes, and tell of it."""
        wanted = [one for one in messages if one.kind in self._house.settings.events]
        heard = self._gate.reach.unheard(one.channel_id for one in messages)
        if not wanted and not stage.changes and not heard:
            self._tell(messages)
            return
        failures = 0
        while True:
            self._door.check()
            stored = self._house.spool.store(
                self._channel_type,
                wanted,
                stage.changes,
                heard,
                foreseen=self._is_awaited(wanted),
                written=partial(self._written, messages, wanted, stage),
            )
            try:
                await self._channel.mailbox.wait(stored)
                break
            except SpoolError as error:
                failures += 1
                self._on_trouble(error)
                await asyncio.sleep(backoff(failures, _MOST_SPOOL_BACKOFF))
        if failures:
            self._on_life()

    def _is_awaited(self, wanted: list[IncomingMessage]) -> bool:
        """Return whether one message alone is about to be handed out; of many, few are at once."""
        if len(wanted) != 1:
            return False
        return self._house.inbox.is_awaited((self._channel_type, wanted[0].channel_id))

    def _written(
        self,
        messages: list[IncomingMessage],
        wanted: list[IncomingMessage],
        stage: Stage,
        entries: list[Entry],
    ) -> None:
        """Hand on what is stored, whether or not its channel is still there to wait for it.

        The platform is told, by the next call of the channel, only when it lasts: what a power cut
        takes is received again.
        """
        self._state.commit(stage.changes)
        self._gate.reach.hear(one.channel_id for one in messages)
        self._vitals.count(received=len(entries))
        self._house.inbox.add(entries)
        again = {id(one) for one in wanted} - {id(entry.message) for entry in entries}
        self._tell([one for one in messages if id(one) not in again])

    def _tell(self, messages: Sequence[IncomingMessage]) -> None:
        for message in messages:
            self._house.tell("session_on_receive", message)

    async def _room(self) -> None:
        """Wait until neither the inbox nor the outbox of this channel is full."""
        free = asyncio.Event()
        for room in (self._outbox.room, self._house.inbox.room(self._channel_type)):
            while not room:
                free.clear()
                room.when_free(partial(self._channel.mailbox.post, free.set))
                await free.wait()
