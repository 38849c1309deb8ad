"""A channel's troubles, told in the log: each once in a while, however often it comes back."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_AGAIN_SECONDS = 3600.0
_MOST_KINDS = 32
"""Troubles that are known again; when there are more, all of them are told anew."""
_NUMBER = re.compile(r"\d+")


class Troubles:
    """Tells of troubles that pass by themselves, or are believed to.

    Args:
        log: the channel's logger.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._clock = clock
        self._told: dict[str, float] = {}

    def tell(self, words: str) -> None:
        """Log a trouble, unless the same, whatever its numbers, was told within the hour."""
        now = self._clock()
        kind = _NUMBER.sub("#", words)
        if now < self._told.get(kind, -_AGAIN_SECONDS) + _AGAIN_SECONDS:
            return
        if kind not in self._told and len(self._told) >= _MOST_KINDS:
            self._told.clear()
        self._told[kind] = now
        self._log.warning("reconnecting: %s", words)
