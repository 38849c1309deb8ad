"""Waits that the gateway's life may end: for a session, and for something to receive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cobot_session.errors import TemporaryError

if TYPE_CHECKING:
    from cobot_discord.client import Gateway
    from cobot_discord.inflow import Inflow


class Waiting:
    """Waits for one connection.

    Args:
        gateway: the connection.
        life: what keeps it up; its end is the connection's.
        inflow: what has come.
    """

    def __init__(self, gateway: Gateway, life: asyncio.Task[None], inflow: Inflow) -> None:
        self._gateway = gateway
        self._life = life
        self._inflow = inflow

    async def until_online(self, seconds: float) -> None:
        """Return when a session has begun, also one that is lost again by now.

        Raises:
            AuthError: Discord refuses us.
            TemporaryError: there is none after so many seconds.
        """
        online = asyncio.create_task(self._gateway.online.wait())
        await self._first(seconds, online)
        if not online.cancelled():
            return
        self.check()
        raise TemporaryError(f"the gateway: {self._gateway.trouble}")

    async def until_news(self, seconds: float) -> None:
        """Return when something has come, or after so many seconds.

        Raises:
            AuthError: Discord refuses us.
            TemporaryError: the connection has ended.
        """
        await self._first(seconds, asyncio.create_task(self._inflow.wait()))
        if not self._inflow:
            self.check()

    def check(self) -> None:
        """Raise what ended the connection, if something did."""
        if self._life.done() and not self._life.cancelled():
            self._life.result()
            raise TemporaryError("the connection has ended")

    async def _first(self, seconds: float, *waits: asyncio.Task[Any]) -> None:
        """Return when one of them, or the connection's life, is over; the others are cancelled."""
        try:
            await asyncio.wait(
                {*waits, self._life}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
