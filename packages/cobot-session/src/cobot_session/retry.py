"""How long to wait before trying again."""

from __future__ import annotations

import random

from cobot_session.errors import RateLimited

_FIRST_SECONDS = 0.5
_EXPONENT_BOUND = 16
_LONGEST_TOLD = 86_400.0
"""Seconds: a longer pause, or one without end, is asked for anew after a day."""


def backoff(failures: int, most: float) -> float:
    """Return seconds to wait after so many failures in a row: doubling, jittered, bounded.

    Args:
        failures: 1 after the first.
        most: bound in seconds.
    """
    full = min(most, _FIRST_SECONDS * 2.0 ** min(failures - 1, _EXPONENT_BOUND))
    return full * random.uniform(0.5, 1.0)  # nosec B311 # noqa: S311 - jitter is no secret


def pause_after(error: Exception, failures: int, most: float) -> float:
    """Return seconds to wait after an error: what it tells, else `backoff`."""
    told = error.retry_after if isinstance(error, RateLimited) else 0.0
    if told > 0:  # not so for what is no number
        return min(told, _LONGEST_TOLD)
    return backoff(max(failures, 1), most)
