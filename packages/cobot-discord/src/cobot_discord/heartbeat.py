"""The heart of a gateway connection: what is not acknowledged is a dead line.

discord.py beats from a thread and takes any event for a sign of life. Here a task beats, and a beat
without its acknowledgement ends the connection, as Discord's documentation asks:
https://discord.com/developers/docs/events/gateway#sending-heartbeats
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError
from discord.errors import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LATE = 4000
"""The close code for a connection that stopped answering; it keeps the session."""
PATIENCE = 10.0
"""Seconds without an answer that are a bad sign; the connection has until the next beat."""


class Heartbeat:
    """Beats at once and then every `interval` seconds; discord.py's keep-alive handler in form.

    Args:
        interval: seconds between two beats.
        payload: returns the frame to send.
        send: sends it.
        give_up: called once when a beat was not acknowledged.
    """

    def __init__(
        self,
        interval: float,
        payload: Callable[[], dict[str, Any]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
        give_up: Callable[[], Awaitable[None]],
    ) -> None:
        self.interval = interval
        self.latency = float("inf")
        self._payload = payload
        self._send = send
        self._give_up = give_up
        self._sent: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Beat, so that the round trip is known when the session begins, and go on beating."""
        await self._beat()
        self._task = asyncio.create_task(self._run(), name="discord heartbeat")

    @property
    def is_answered(self) -> bool:
        """No beat has waited for its answer for long."""
        if self._sent is None:
            return True
        waited = asyncio.get_running_loop().time() - self._sent
        return waited < min(self.interval, PATIENCE)

    def ack(self) -> None:
        """Note an acknowledgement."""
        if self._sent is not None:
            self.latency = asyncio.get_running_loop().time() - self._sent
        self._sent = None

    def tick(self) -> None:
        """Note that something came; it proves nothing about the other direction."""

    def beat(self) -> dict[str, Any]:
        """Return a beat that Discord asked for."""
        return self._payload()

    def stop(self) -> None:
        """Beat no more."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    async def _run(self) -> None:
        await asyncio.sleep(self.interval)
        while self._sent is None:
            await self._beat()
            await asyncio.sleep(self.interval)
        await self._give_up()

    async def _beat(self) -> None:
        self._sent = asyncio.get_running_loop().time()
        with contextlib.suppress(OSError, RuntimeError, ClientError, ConnectionClosed):
            await self._send(self._payload())  # who reads the connection sees its end, too
