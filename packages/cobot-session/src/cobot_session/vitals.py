"""What is known of one plugin's life; the truth behind `Status`."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cobot_session.status import ChannelState, Status

if TYPE_CHECKING:
    from collections.abc import Callable


class Vitals:
    """State, latest trouble and counts of one plugin. Thread-safe.

    Args:
        state: the first one.
        on_change: told of each new state, or new trouble, after it took effect.
    """

    def __init__(self, state: ChannelState, on_change: Callable[[Vitals], None]) -> None:
        self._lock = threading.Lock()
        self._on_change = on_change
        self._since = datetime.now(UTC)
        self._error: str | None = None
        self.state: ChannelState = state
        self.received = 0
        self.sent = 0
        self.dead = 0
        self.latency: float | None = None
        self.detail = ""
        self._dropped: Counter[str] = Counter()

    def enter(self, state: ChannelState, error: str | None = None) -> None:
        """Come into a state, with the trouble that led to it."""
        with self._lock:
            if self.state == "failed" and state != "failed":
                return  # only a new session begins anew
            changed = state != self.state or (error is not None and error != self._error)
            if state != self.state:
                self.state = state
                self._since = datetime.now(UTC)
            self._error = error or self._error
        if changed:
            self._on_change(self)

    def count(self, *, received: int = 0, sent: int = 0, dead: int = 0) -> None:
        """Add to the counts."""
        with self._lock:
            self.received += received
            self.sent += sent
            self.dead += dead

    def drop(self, reason: str) -> None:
        """Count a message that was refused."""
        with self._lock:
            self._dropped[reason] += 1

    def status(self, pending: int) -> Status:
        """Return what is true now."""
        with self._lock:
            return Status(
                state=self.state,
                since=self._since,
                last_error=self._error,
                received=self.received,
                sent=self.sent,
                dropped=self._dropped.total(),
                pending=pending,
                dead=self.dead,
                dropped_by=dict(self._dropped),
                latency=self.latency,
                detail=self.detail,
            )
