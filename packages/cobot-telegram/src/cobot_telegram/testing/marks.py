"""Marked-up text in the making: plain text, and the entities over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cobot_telegram.testing.errors import ApiError, bad_request
from cobot_telegram.testing.text import Entity, utf16

Parsed: TypeAlias = tuple[str, list[Entity]]


def cannot(reason: str) -> ApiError:
    """Return the refusal of a text that is not well formed."""
    return bad_request(f"can't parse entities: {reason}")


@dataclass(slots=True)
class Open:
    """Formatting that has begun and not ended.

    Attributes:
        kind: type of the entity.
        marker: what opened it.
        offset: where, in the plain text, in UTF-16 code units.
        at: where, in the marked-up text, in code points.
        fields: more fields of the entity.
    """

    kind: str
    marker: str
    offset: int
    at: int
    fields: dict[str, Any] = field(default_factory=dict)


class Output:
    """Plain text in the making, and the entities over it."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.entities: list[Entity] = []
        self.stack: list[Open] = []

    def write(self, text: str) -> None:
        """Go on with plain text."""
        self.parts.append(text)
        self.length += utf16(text)

    def open(self, kind: str, marker: str, at: int) -> None:
        """Begin formatting here."""
        self.stack.append(Open(kind, marker, self.length, at))

    def close(self, **fields: Any) -> None:
        """End the innermost formatting here."""
        entry = self.stack.pop()
        self.entity(entry.kind, entry.offset, **{**entry.fields, **fields})

    def entity(self, kind: str, offset: int, **fields: Any) -> None:
        """Format what was written since an offset."""
        if self.length > offset:
            self.entities.append(
                {"type": kind, "offset": offset, "length": self.length - offset, **fields}
            )

    def result(self) -> Parsed:
        """Return text and entities, the outer before the inner."""
        ordered = sorted(self.entities, key=lambda e: (e["offset"], -e["length"]))
        return "".join(self.parts), ordered
