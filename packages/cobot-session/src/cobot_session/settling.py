"""Acknowledgements on their way to the disk, however long the spool takes."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from cobot_session.retry import backoff

if TYPE_CHECKING:
    from concurrent.futures import Future

    from cobot_session.spool import Entry, Item, Spool
    from cobot_session.timers import Timers

log = logging.getLogger("cobot_session.inbox")

_MOST_BACKOFF = 10.0
"""Seconds between two tries to store that something was acknowledged."""


class Settling:
    """Stores that entries are settled, and tries again until it is. Thread-safe."""

    def __init__(self, spool: Spool, timers: Timers) -> None:
        self._spool = spool
        self._timers = timers

    def settle(self, entries: list[Entry], failures: int = 0) -> Future[list[Item]]:
        """Settle entries; the future fails when that cannot be stored now."""
        future = self._spool.settle(entries)
        future.add_done_callback(partial(self._settled, entries, failures))
        return future

    def _settled(self, entries: list[Entry], failures: int, future: Future[list[Item]]) -> None:
        if (error := future.exception()) is None:
            return
        if not failures:
            log.error("an acknowledgement is not stored yet: %s; it is tried again", error)
        pause = backoff(failures + 1, _MOST_BACKOFF)
        self._timers.later(pause, partial(self.settle, entries, failures + 1))
