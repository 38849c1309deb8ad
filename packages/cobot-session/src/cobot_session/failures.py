"""What handlers raise, told in the log: whole the first time, then in a line."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cobot_session.spool import Entry

log = logging.getLogger("cobot_session.run")

_MOST_KINDS = 64
"""Failures that are known again; when there are more, all of them are told anew."""
_OURS = Path(__file__).parent


class Failures:
    """Tells of each delivery that a handler failed on.

    Args:
        max_deliveries: after so many a message is a dead letter.
        told: returns what was raised, in a bounded line without secrets.
    """

    def __init__(self, max_deliveries: int, told: Callable[[object], str]) -> None:
        self._max_deliveries = max_deliveries
        self._told = told
        self._times: Counter[str] = Counter()

    def tell(self, entry: Entry, error: BaseException) -> str:
        """Log it; returns what was raised in one line, secrets removed."""
        failure = self._shown(error)
        place = _place(error)
        kind = f"{failure}{place}"
        if kind not in self._times and len(self._times) >= _MOST_KINDS:
            self._times.clear()
        self._times[kind] += 1
        is_new = self._times[kind] == 1
        again = "" if is_new else f", {self._times[kind]} times now: {kind}"
        log.error(
            "the handler failed on message %r of %s (delivery %d of %d at most)%s",
            entry.message.id,
            entry.message.channel_type,
            entry.deliveries,
            self._max_deliveries,
            again,
            exc_info=(type(error), error, _from_theirs(error.__traceback__)) if is_new else None,
        )
        return failure

    def _shown(self, error: BaseException) -> str:
        words = self._told(error)
        return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _place(error: BaseException) -> str:
    """Return where it was raised, as ` (agent.py, line 3)`."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def _from_theirs(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames in which we call the handler."""
    step = trace
    while step is not None and _OURS in Path(step.tb_frame.f_code.co_filename).parents:
        step = step.tb_next
    return step or trace
