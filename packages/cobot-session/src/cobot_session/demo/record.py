"""What happened: who said what, how long answers took, and which promises were kept."""

from __future__ import annotations

import statistics
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_SHOWN = 60
"""Characters of a text that a line shows."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the transcript.

    Attributes:
        at: seconds since the beginning.
        where: the network.
        who: a person, or `agent`.
        text: what was said or done, in one line.
    """

    at: float
    where: str
    who: str
    text: str

    def __str__(self) -> str:
        return f"{self.at:5.2f} s  {self.where:<9} {self.who:>5}  {self.text}"


class Record:
    """A record that many people write into at once. Thread-safe.

    Args:
        tell: called with each line as it is written.
    """

    def __init__(self, tell: Callable[[Line], object]) -> None:
        self.lines: list[Line] = []
        self._tell = tell
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._kept: dict[str, dict[str, bool]] = defaultdict(dict)
        self._latencies: dict[str, list[float]] = defaultdict(list)

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._began

    def begin(self) -> None:
        """Count the seconds from now on."""
        self._began = time.monotonic()

    def note(self, where: str, who: str, text: str) -> None:
        """Write a line."""
        words = " ".join(text.split())
        shown = words if len(words) <= _MOST_SHOWN else f"{words[: _MOST_SHOWN - 1]}…"
        with self._lock:
            line = Line(self.seconds, where, who, shown)
            self.lines.append(line)
            self._tell(line)

    def took(self, where: str, seconds: float) -> None:
        """Note how long somebody waited for an answer."""
        with self._lock:
            self._latencies[where].append(seconds)

    def latency(self, where: str) -> float | None:
        """Return the median of the waits on a network, in seconds."""
        with self._lock:
            found = self._latencies.get(where)
            return statistics.median(found) if found else None

    def promise(self, where: str, what: str) -> None:
        """Note a promise; it counts as broken until it is kept."""
        with self._lock:
            self._kept[where].setdefault(what, False)

    def keep(self, where: str, what: str, kept: bool) -> bool:
        """Note whether a promise was kept, and return it."""
        with self._lock:
            self._kept[where][what] = kept
        return kept

    def broken(self) -> list[tuple[str, str]]:
        """Return the promises that were not kept, with their networks."""
        return [
            (where, what)
            for where, promises in self.kept.items()
            for what, kept in promises.items()
            if not kept
        ]

    @property
    def kept(self) -> dict[str, dict[str, bool]]:
        """Network -> promise -> whether it was kept."""
        with self._lock:
            return {where: dict(promises) for where, promises in self._kept.items()}
