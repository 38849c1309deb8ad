"""Text with entities, cut to what one message takes."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from wcwidth import iter_graphemes

if TYPE_CHECKING:
    from cobot_telegram.entities import Entity

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_ENTITIES = 100
"""https://core.telegram.org/bots/api#sendmessage; formatting beyond the 100th is not shown."""

_PLACES = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…])[\"')\]”’»]*\s+|[。！？]"),  # noqa: RUF001  # CJK full stops
    re.compile(r"\s+"),
)
"""What to cut after, the best first."""
_LOOK_BACK = 64


def cut(text: str, entities: list[Entity], limit: int = MAX_TEXT) -> list[tuple[str, list[Entity]]]:
    """Return a text's parts of at most `limit` UTF-16 code units, each with its entities.

    Most texts are one part; what is nothing but white space is none.
    """
    if 2 * len(text) <= limit and not entities:
        return [(text, [])] if text.strip() else []
    return Cutter(text, entities, limit).parts()


class Cutter:
    """Cuts one text; joined, the parts are the text, but for parts of nothing but white space.

    A cut goes to the end of a paragraph, else a line, a sentence, a word, in the later half of the
    part, and never through a character as people see it. It does not go through a link, a piece of
    code or any other formatting that fits half a part; what is longer is carried on in the next.
    """

    def __init__(self, text: str, entities: list[Entity], limit: int = MAX_TEXT) -> None:
        self._text = text
        self._entities = entities
        self._limit = limit
        self._units = [0, *accumulate(2 if ord(c) > 0xFFFF else 1 for c in text)]
        self._whole = [
            (self._index(e["offset"]), self._index(e["offset"] + e["length"]))
            for e in entities
            if e["length"] <= limit // 2
        ]
        self._starts = [self._index(e["offset"]) for e in entities]

    def parts(self) -> list[tuple[str, list[Entity]]]:
        """Return the parts, each with its entities."""
        found = []
        start = 0
        while start < len(self._text):
            end = self._end(start)
            if self._text[start:end].strip():
                found.append((self._text[start:end], self._clipped(start, end)))
            start = end
        return found

    def _index(self, units: int) -> int:
        return bisect_left(self._units, units)

    def _end(self, start: int) -> int:
        most = bisect_right(self._units, self._units[start] + self._limit) - 1
        most = min(most, self._before_too_many_entities(start))
        if most >= len(self._text):
            return len(self._text)
        half = start + (most - start) // 2
        for pattern in _PLACES:
            for least in (half, start):
                place = self._last_place(pattern, least, most)
                if place is not None and (least == half or pattern is _PLACES[-1]):
                    return place
        return self._hard(start, most)

    def _before_too_many_entities(self, start: int) -> int:
        first = bisect_left(self._starts, start)
        running = sum(1 for s, e in self._spans_over(start) if s < start < e)
        last = first + MAX_ENTITIES - running
        if last >= len(self._starts):
            return len(self._text)
        return max(self._starts[last], start + 1)

    def _spans_over(self, at: int) -> list[tuple[int, int]]:
        spans = ((e["offset"], e["offset"] + e["length"]) for e in self._entities)
        return [(self._index(a), self._index(b)) for a, b in spans if a <= self._units[at] < b]

    def _last_place(self, pattern: re.Pattern[str], least: int, most: int) -> int | None:
        found = [match.end() for match in pattern.finditer(self._text, least, most)]
        return next((at for at in reversed(found) if at > least and not self._cuts(at)), None)

    def _cuts(self, at: int) -> bool:
        return any(start < at < end for start, end in self._whole)

    def _hard(self, start: int, most: int) -> int:
        """Cut where nothing better is: before formatting, else between two visible characters."""
        outer = [s for s, e in self._whole if s < most < e]
        if outer and min(outer) > start:
            return min(outer)
        begin = max(start, most - _LOOK_BACK)
        at = begin
        for grapheme in iter_graphemes(self._text[begin : most + _LOOK_BACK]):
            if at + len(grapheme) > most:
                break
            at += len(grapheme)
        return at if at > start else most

    def _clipped(self, start: int, end: int) -> list[Entity]:
        low, high = self._units[start], self._units[end]
        clipped = []
        for entity in self._entities:
            first = max(entity["offset"], low)
            last = min(entity["offset"] + entity["length"], high)
            if last > first:
                clipped.append({**entity, "offset": first - low, "length": last - first})
        return clipped
