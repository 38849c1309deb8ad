"""One channel object on a loop of its own, its hooks called by hand."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cobot_session.channel import Channel
from cobot_session.config import load_config
from cobot_session.door import Door
from cobot_session.plugin import PluginContext
from cobot_session.registry import PluginRecord, Registry
from cobot_session.state import PluginState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType

    from cobot_session.session import Session
    from cobot_session.testing.case import ChannelCase

T = TypeVar("T")


def record_of(case: ChannelCase, workspace: Path) -> PluginRecord:
    """Return the channel's record as a session would make it.

    Raises:
        AssertionError: a session would not run it; the text has the reason and the remedy.
    """
    registry = Registry(load_config(case.config(workspace)), case.given)
    registry.load()
    record = registry.records[case.name]
    if record.state != "ready":
        raise AssertionError(f"{case.name} is {record.state}: {record.reason}. {record.remedy}")
    return record


class Rig:
    """A fresh channel object, without a session around it.

    Args:
        case: the channel.
        folder: its workspace.
        values: what its state was; changed as the channel changes it.
    """

    def __init__(self, case: ChannelCase, folder: Path, values: dict[str, Any]) -> None:
        self._case = case
        self._record = record_of(case, folder)
        self.limits = self._record.limits
        self._folder = folder
        self._values = values
        self._ending = asyncio.Event()
        self._channel = Channel(f"rig-{case.name}", self._live, lambda _: None)
        self._channel.begin()
        self.state = PluginState(values, lambda _: True)
        self.door: Door
        self.run(self._open)

    async def _live(self, channel: Channel) -> None:
        await self._ending.wait()

    async def _open(self) -> None:
        plugin = cast("Callable[[], Any]", self._record.factory)()
        plugin.context = PluginContext(
            channel_type=self._case.name,
            log=logging.getLogger(f"cobot_session.plugin.{self._case.name}"),
            workspace=self._folder,
            state=self.state,
            session=cast("Session", None),
        )
        self.door = Door(plugin, self._channel.workers, self._record.limits.send_seconds)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run something on the channel's loop, for a bounded time."""

        async def bounded() -> T:
            async with asyncio.timeout(self._case.boundary):
                return await work()

        return asyncio.run_coroutine_threadsafe(bounded(), self._channel.loop).result()

    def start(self) -> None:
        """Configure and start it."""
        self.run(lambda: self.door.configure(self._record.config))
        self.run(self.door.start)

    def receive(self, *, stored: bool = True) -> list[Any]:
        """Call `session_receive` once.

        Args:
            stored: the batch is stored, and its state with it; else a crash came before.
        """

        async def once() -> list[Any]:
            with self.state.staged() as stage:
                batch = list(await self.door.receive())
            if stored:
                self.state.commit(stage.changes)
            return batch

        return self.run(once)

    def receive_some(self, *, stored: bool = True) -> list[Any]:
        """Call `session_receive` until it returns something, for a bounded time."""
        deadline = time.monotonic() + self._case.boundary
        while time.monotonic() < deadline:
            try:
                if batch := self.receive(stored=stored):
                    return batch
            except TimeoutError:
                break
            self.run(lambda: asyncio.sleep(0.02))
        raise AssertionError("session_receive returned nothing though a person spoke")

    def cancelled_receive(self, after: float) -> None:
        """Call `session_receive` and cancel it that many seconds later; nothing is stored."""

        async def call() -> None:
            with self.state.staged():
                await self.door.receive()

        async def cut_off() -> None:
            task = asyncio.ensure_future(call())
            await asyncio.wait([task], timeout=after)
            task.cancel()
            await asyncio.wait([task])

        self.run(cut_off)

    def tasks(self) -> list[str]:
        """Return the names of the tasks that the channel has on its loop."""

        async def others() -> list[str]:
            return [
                str(task.get_coro())
                for task in asyncio.all_tasks()
                if "rig" not in str(task.get_coro()) and "Rig" not in str(task.get_coro())
            ]

        return self.run(others)

    def kill(self) -> None:
        """Let go of it as a crash does: no stop, no further call."""
        self.door.shut()
        self._end()

    def stop(self) -> None:
        """Stop it and end its loop."""
        try:
            self.run(self.door.stop)
        finally:
            self._end()

    def _end(self) -> None:
        self._channel.mailbox.post(self._ending.set)
        self._channel.join(self._case.boundary)

    def __enter__(self) -> Rig:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
