"""How long to wait before trying again."""

from __future__ import annotations

import random

from cobot_session.errors import RateLimited

_FIRST_SECONDS = 0.5
_EXPONENT_BOUND = 16
_PATIENT_FACTOR = 5.0
_MOST_PATIENCE = 300.0
_LONGEST_TOLD = 86_400.0
"""Seconds: a longer pause, or one without end, is asked for anew after a day."""


def backoff(failures: int, most: float) -> float:
    """Return seconds to wait after so many failures in a row: doubling, jittered, bounded.

    Args:
        failures: 1 after the first.
        most: bound in seconds.
    """
    return _jittered(min(most, _FIRST_SECONDS * 2.0 ** min(failures - 1, _EXPONENT_BOUND)))


def patience(failures: int, first: float) -> float:
    """Return seconds to wait for what may take minutes to mend, such as a model that is down.

    Args:
        failures: 1 after the first.
        first: bound in seconds of the first pause; each further one is five times as long.
    """
    most = max(first, _MOST_PATIENCE)
    full = min(most, first * _PATIENT_FACTOR ** min(failures - 1, _EXPONENT_BOUND))
    return _jittered(full)


def pause_after(error: Exception, failures: int, most: float) -> float:
    """Return seconds to wait after an error: what it tells, else `backoff`."""
    told = error.retry_after if isinstance(error, RateLimited) else 0.0
    if told > 0:  # not so for what is no number
        return min(told, _LONGEST_TOLD)
    return backoff(max(failures, 1), most)


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1.0)  # nosec B311 # noqa: S311 - jitter is no secret
