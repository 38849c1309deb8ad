"""Where in the file each value stands, so that a mistake can be pointed at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from cobot_session.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Steps: TypeAlias = tuple[str | int, ...]
"""The way to a value: `("plugins", "telegram", "groups", 0, "id")`."""

_PLAIN_KEY = re.compile(r"[\w.-]{1,40}")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one value stands, counted from 1, and what the file says there.

    Attributes:
        line: of the value.
        column: of the value.
        key: line and column of its key; of the value itself for an item of a list.
        source: the characters of a scalar, before YAML made a number or a boolean of them.
    """

    line: int
    column: int
    key: tuple[int, int]
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The spots of one file; empty for a configuration that came as a mapping."""

    file: str = ""
    spots: Mapping[Steps, Spot] = field(default_factory=dict)

    def problem(self, steps: Steps, rule: str, fix: str = "", *, at_key: bool = False) -> Problem:
        """Return the problem with the value at `steps`; what is absent is shown at its parent."""
        line, column = self._position(steps, at_key=at_key)
        return Problem(dotted(steps), rule, fix, self.file if line else "", line, column)

    def source(self, steps: Steps) -> str | None:
        """Return the characters of the scalar at `steps`, `None` when there are none."""
        spot = self.spots.get(steps)
        return spot.source if spot else None

    def _position(self, steps: Steps, *, at_key: bool) -> tuple[int, int]:
        spot = self.spots.get(steps)
        if spot:
            return spot.key if at_key else (spot.line, spot.column)
        return self._position(steps[:-1], at_key=True) if steps else (0, 0)


def dotted(steps: Steps) -> str:
    """Return `plugins.telegram.groups[0].id`."""
    shown = "".join(
        f"[{step}]" if isinstance(step, int) else f".{shown_key(step)}" for step in steps
    )
    return shown.removeprefix(".") or "cobot.yml"


def shown_key(key: str) -> str:
    """Return a key for a message; one that does not look like a key could hold a secret."""
    return key if _PLAIN_KEY.fullmatch(key) else "…"
