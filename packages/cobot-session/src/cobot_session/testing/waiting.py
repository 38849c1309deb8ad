"""Waiting, for a bounded time, for something that happens on the other side."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_LOOK_EVERY = 0.02


def until(probe: Callable[[], T], bound: float, missing: str) -> T:
    """Return the probe's first true value; it is looked at once more when the time is over.

    Raises:
        AssertionError: there was none within `bound` seconds; the text says what was missing.
    """
    deadline = time.monotonic() + bound
    pause = threading.Event()
    while True:
        is_over = time.monotonic() > deadline
        if value := probe():
            return value
        if is_over:
            raise AssertionError(f"within {bound:g} s: {missing}")
        pause.wait(_LOOK_EVERY)
