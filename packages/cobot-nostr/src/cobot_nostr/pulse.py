"""Signs of life of one relay: silence is answered with a question, round trips are timed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from cobot_nostr.line import Line

PROBE = "probe"
"""Name of the question that asks for a sign of life."""


class Pulse:
    """What tells that a connection is alive, and how quick it is.

    Attributes:
        latency: seconds from the last ping to its pong; `None`: there was none.
        asked: a sign of life was asked for and none has come.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self.reset()

    def reset(self) -> None:
        """Forget the connection before."""
        self.latency: float | None = None
        self.asked = False

    def ask(self) -> None:
        """Ask the relay itself: a proxy before it would answer a ping in its place."""
        self.asked = True
        self._line.send(
            "REQ", PROBE, {"kinds": [0], "authors": [self._line.key.public], "limit": 1}
        )

    def heard(self) -> None:
        """Take any message as a sign of life."""
        self.asked = False

    def answered(self) -> None:
        """Take the answer to the question itself."""
        self._line.send("CLOSE", PROBE)

    async def time_pings(self, socket: ClientConnection) -> None:
        """Ping now and then. A ping that goes unanswered proves nothing, so it ends nothing."""
        tuning = self._line.tuning
        while True:
            try:
                async with asyncio.timeout(tuning.patience):
                    self.latency = await (await socket.ping())
            except TimeoutError:
                self.latency = None
            await asyncio.sleep(tuning.idle)
