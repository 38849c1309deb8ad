"""How long to wait before trying again."""

from __future__ import annotations

import random

_FIRST_SECONDS = 0.5
_EXPONENT_BOUND = 16


def backoff(failures: int, most: float) -> float:
    """Return seconds to wait after so many failures in a row: doubling, jittered, bounded.

    Args:
        failures: 1 after the first.
        most: bound in seconds.
    """
    full = min(most, _FIRST_SECONDS * 2.0 ** min(failures - 1, _EXPONENT_BOUND))
    return full * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
