"""What the rooms of one relay share: its name, its way out, and what is known of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cobot_nostr import wire
from cobot_nostr.wire import Counts, RelayLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from cobot_nostr.crypto import Key
    from cobot_nostr.tuning import Tuning
    from cobot_nostr.wire import Bad


class Line:
    """One relay's line.

    Attributes:
        url: of the relay.
        key: ours.
        counts: what the relay sent.
        limits: what it allows.
        problem: why it is not (fully) working, or empty.
        connected: messages can be sent.
        failures: connections in a row that came to nothing.
        outgoing: frames to send in this connection.
    """

    def __init__(self, url: str, key: Key, log: Logger, tuning: Tuning) -> None:
        self.url = url
        self.key = key
        self.log = log
        self.tuning = tuning
        self.counts = Counts()
        self.limits = RelayLimits()
        self.problem = "not connected yet"
        self.connected = False
        self.failures = 0
        self.outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._timers: set[asyncio.TimerHandle] = set()

    def reset(self) -> None:
        """Begin anew: what was to be sent is said again by who wants it said."""
        self.connected = False
        self.outgoing = asyncio.Queue()

    def push(self, frame: str) -> None:
        """Send a frame, if there is a connection."""
        if self.connected:
            self.outgoing.put_nowait(frame)

    def send(self, *message: object) -> None:
        """Send a message, if there is a connection."""
        self.push(wire.frame(*message))

    def count_bad(self, kind: Bad, reason: str) -> None:
        """Count a message that no honest relay sends; the log tells of the 1st, 10th, 100th …."""
        self.counts.add_bad(kind, reason)
        if str(self.counts.bad).strip("0") == "1":
            self.log.warning("relay %s: %s", self.url, self.counts.told())

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later, unless the relay is let go before."""

        def run() -> None:
            self._timers.discard(handle)
            act()

        handle = asyncio.get_running_loop().call_later(seconds, run)
        self._timers.add(handle)

    def close(self) -> None:
        """Do nothing later."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
