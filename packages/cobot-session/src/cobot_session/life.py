"""One life of a plugin: its object, its thread and loop, and the tasks that run there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from cobot_session.channel import first_of
from cobot_session.delivery import Delivery
from cobot_session.door import Door
from cobot_session.hookspecs import OBSERVER_HOOKS
from cobot_session.intake import Intake
from cobot_session.lanes import Lanes
from cobot_session.state import PluginState

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from cobot_session.channel import Channel
    from cobot_session.errors import AuthError
    from cobot_session.house import House
    from cobot_session.messages import Receipt
    from cobot_session.spool import Item
    from cobot_session.supervisor import Supervisor

_MOST_BETWEEN_HEALTH_CHECKS = 5.0
_SICK_SECONDS = 0.5
"""A channel that says it is not healthy is asked again so soon."""
_LEAST_BETWEEN_HEALTH_CHECKS = 0.05
"""However often a plugin asks for one."""
_NEWS_SECONDS = 2.0
"""How long an observer may still be told what has happened when the session stops."""


class Life:
    """What is thrown away and made anew at a restart.

    Args:
        owner: the supervisor, which stays.
        channel: the thread and loop.
        house: the rest of the session.
    """

    def __init__(self, owner: Supervisor, channel: Channel, house: House) -> None:
        self.channel = channel
        self.began = time.monotonic()
        self.ending = asyncio.Event()
        self.frozen = False
        self.replaced = False
        self.door: Door | None = None
        self._owner = owner
        self._house = house
        self._intake: Intake | None = None
        self._lanes: Lanes | None = None
        self._fatal: asyncio.Future[None] | None = None
        self._asides: set[asyncio.Task[None]] = set()
        self._alive_at = time.monotonic()
        self._healthy = True
        self._health_due = asyncio.Event()
        self._serving = False

    # -- from any thread

    def ask_to_end(self) -> None:
        """Begin to end: receive no more, close the lanes, stop the plugin."""
        self.channel.mailbox.post(self.ending.set)

    def abandon(self) -> None:
        """Shut the door for good: nothing that wakes up in this life does anything."""
        if self.door is not None:
            self.door.shut()
        if self._lanes is not None:
            self._lanes.abandon()

    def aside(self, call: Callable[[Door], Any]) -> bool:
        """Call the plugin soon, with nobody waiting; false before its start and after its end."""
        if not self._serving:
            return False
        return self.channel.mailbox.post(self._aside, call)

    def check_health(self) -> None:
        """Ask for the plugin's health now."""
        self.channel.mailbox.post(self._health_due.set)

    def silent(self) -> float:
        """Return for how many seconds a sign of life has been missing where one is due."""
        now = time.monotonic()
        if not self._serving or self.door is None:
            return 0.0
        if "session_health" in self.door.hooks:
            return now - self._alive_at
        asking_since = self._intake.asking_since if self._intake is not None else None
        return 0.0 if asking_since is None else now - max(asking_since, self._alive_at)

    def excuse(self) -> None:
        """Count no silence until now: nobody was there to hear anything."""
        self._alive_at = time.monotonic()
        self.channel.excuse()

    def calls_under_way(self) -> list[str]:
        """Return the names of the hooks that have begun and not ended."""
        return self.door.under_way if self.door is not None else ["its constructor"]

    def overdue(self, grace: float) -> list[str]:
        """Return the names of the hooks that were cancelled so many seconds ago and go on."""
        return self.door.overdue(grace) if self.door is not None else []

    def recovered(self) -> None:
        """Say that the trouble is over, if it is."""
        if self._serving and self._healthy:
            self._owner.vitals.enter("online")

    # -- on the loop

    def open(self, plugin: object) -> None:
        """Take the fresh plugin object."""
        record = self._owner.record
        self._fatal = asyncio.get_running_loop().create_future()
        self._state = PluginState(self._owner.state_values, self._write_state)
        context = self._house.context(record.id, self._state)
        context.check_health = self.check_health
        plugin.context = context  # type: ignore[attr-defined]
        self.door = Door(plugin, self.channel.workers, record.limits.send_seconds)

    async def start(self) -> None:
        """Configure and start the plugin."""
        door = self._door()
        await door.configure(self._owner.record.config)
        await door.start()

    async def default_chat(self) -> str | None:
        """Return the plugin's own default chat; a plugin that cannot tell has none."""
        try:
            return await self._door().default_chat()
        except Exception as error:  # noqa: BLE001 - no reason not to run
            words = self._house.told(error)
            self._owner.log.warning("its default chat cannot be told: %s", words)
            return None

    async def serve(self) -> None:
        """Run until something fails.

        Raises:
            Exception: what ended it.
        """
        door = self._door()
        self._alive_at = time.monotonic()
        self._serving = True
        tasks = [self._until_fatal()]
        if "session_receive" in door.hooks:
            self._intake = self._new_intake(door)
            tasks.append(self._intake.run())
        if "session_health" in door.hooks:
            tasks.append(self._watch_health(door))
        if not OBSERVER_HOOKS.isdisjoint(door.hooks):
            tasks.append(self._owner.news.deliver(door, self.channel.mailbox))
        self._lanes = self._new_lanes(door)
        self._lanes.open()
        self._show_presence()
        await first_of(*tasks)

    async def close(self, drain: float, settle: float) -> None:
        """Bring everything to an end; what does not end is bounded or left behind.

        Args:
            drain: seconds to go on sending.
            settle: seconds that a call of the platform may take after that.
        """
        door = self.door
        if door is None:
            return
        if self._lanes is not None:
            await self._lanes.close(drain, settle)
        await self._owner.news.flush(door, _NEWS_SECONDS)
        self._serving = False
        for task in list(self._asides):
            task.cancel()
        try:
            await door.stop()
        except Exception:
            self._owner.log.exception("stop failed")
        finally:
            door.shut()

    # -- parts

    def _door(self) -> Door:
        if self.door is None:
            raise RuntimeError("this life has not been opened")
        return self.door

    def _new_intake(self, door: Door) -> Intake:
        owner = self._owner
        return Intake(
            owner.record.id,
            self.channel,
            door,
            state=self._state,
            gate=owner.gate,
            outbox=owner.outbox,
            vitals=owner.vitals,
            house=self._house,
            poll_interval=owner.record.common.poll_interval,
            on_life=self._received,
            on_trouble=owner.trouble,
            log=owner.log,
        )

    def _new_lanes(self, door: Door) -> Lanes:
        owner, settings = self._owner, self._house.settings
        mailbox = self.channel.mailbox
        delivery = Delivery(
            owner.outbox,
            door,
            self._house.spool,
            mailbox,
            limits=owner.record.limits,
            max_age=settings.max_age,
            resend_unknown=settings.on_unknown == "resend",
            may_not=owner.gate.reach.refusal,
            on_end=self._item_ended,
            told=self._house.told,
            log=owner.log,
        )
        return Lanes(owner.outbox, delivery, mailbox, on_auth_error=self._refused, log=owner.log)

    def _item_ended(self, item: Item, receipt: Receipt, dead: bool) -> None:
        delivered = item.is_message and receipt.status == "sent"
        self._owner.vitals.count(sent=delivered, dead=dead)
        self._house.on_end(item, receipt)

    def _refused(self, error: AuthError) -> None:
        self._owner.refuse(error)
        if self._fatal is not None and not self._fatal.done():
            self._fatal.set_exception(error)

    async def _until_fatal(self) -> None:
        if self._fatal is not None:
            await self._fatal

    def _write_state(self, changes: dict[str, Any]) -> bool:
        if not self.replaced:
            stored = self._house.spool.set_state(self._owner.record.id, changes)
            stored.add_done_callback(self._tell_unstored)
        return not self.replaced

    def _tell_unstored(self, stored: Future[None]) -> None:
        if (error := stored.exception()) is not None:
            self._owner.log.error("a change of its state is not stored: %s", error)

    # -- signs of life

    def _received(self) -> None:
        """The receive hook has returned, which is a sign of life unless health has the say."""
        door = self._door()
        if "session_health" in door.hooks and not self._healthy:
            return
        self._alive_at = time.monotonic()
        if not self.replaced and self._owner.vitals.state == "reconnecting":
            self._owner.vitals.enter("online")
            self._show_presence()

    async def _watch_health(self, door: Door) -> None:
        interval = min(_MOST_BETWEEN_HEALTH_CHECKS, self._house.settings.stall_after / 4)
        while True:
            self._health_due.clear()
            await self._ask_health(door)
            await asyncio.sleep(_LEAST_BETWEEN_HEALTH_CHECKS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval if self._healthy else _SICK_SECONDS):
                    await self._health_due.wait()

    async def _ask_health(self, door: Door) -> None:
        vitals = self._owner.vitals
        try:
            health = await door.health()
        except Exception as error:  # noqa: BLE001 - what cannot tell is not healthy
            self._healthy = False
            self._owner.trouble(error)
            return
        vitals.latency, vitals.detail = health.latency, self._house.told(health.detail)
        self._healthy = health.ok
        if health.ok:
            self._received()
        else:
            self._owner.trouble(health.detail or "the channel says it is not healthy")

    # -- asides

    def _show_presence(self) -> None:
        if "session_presence" in self._door().hooks:
            wish = self._house.presence
            self._aside(lambda door: door.presence(wish))

    def _aside(self, call: Callable[[Door], Any]) -> None:
        if not self._serving:
            return
        task = asyncio.create_task(self._quietly(call))
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _quietly(self, call: Callable[[Door], Any]) -> None:
        try:
            await call(self._door())
        except Exception as error:  # noqa: BLE001 - nobody waits for it, nothing depends on it
            self._owner.log.info("%s: %s", type(error).__name__, self._house.told(error))
