"""Where to cut a text: the best places first, then what must never be cut, then what must give."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from wcwidth import iter_graphemes

from cobot_session.markdown import Fence, fences, is_edge, seam, whole_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cobot_session.plugin import TextUnit

WIDEST: dict[TextUnit, int] = {"codepoint": 1, "utf16": 2, "byte": 4}
"""Units that one code point takes at most."""

_CODECS = {"utf16": "utf-16-le", "byte": "utf-8"}

_PARAGRAPH = re.compile(r"\n(?:[^\S\n]*\n)+")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"')\]”’»*_]*+\s+|(?<=[。！？])[」』）”’]*+\s*")  # noqa: RUF001  # they end sentences
_WORD = re.compile(r"\s+")
_PLACES = (  # what to cut after, the least share of a part before it, whether code may be cut there
    (_PARAGRAPH, 0.5, False),
    (_LINE, 0.5, False),
    (_PARAGRAPH, 0.5, True),
    (_LINE, 0.5, True),
    (_SENTENCE, 0.5, True),
    (_WORD, 0.25, True),
)

_PLAIN = r"[ -~\u0400-\u0482\u048a-\u04ff\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]"
_SURE_EDGE = re.compile(rf"\n|{_PLAIN}(?={_PLAIN})")
_LOOK_BACK = 64


def length(text: str, unit: TextUnit) -> int:
    """Return how many units a text takes; half of a surrogate pair counts like any character."""
    if unit == "codepoint" or text.isascii():
        return len(text)
    size = len(text.encode(_CODECS[unit], "surrogatepass"))
    return size // 2 if unit == "utf16" else size


def fits(text: str, limit: int | None, unit: TextUnit) -> bool:
    """Tell whether a text takes at most `limit` units."""
    return limit is None or len(text) * WIDEST[unit] <= limit or length(text, unit) <= limit


class Cutter:
    """Cuts one text that does not fit; iterating gives the parts.

    Raises:
        ValueError: a character of the text takes more than `limit` units.
    """

    def __init__(self, text: str, limit: int, unit: TextUnit) -> None:
        _check(text, limit, unit)
        self._text = text
        self._limit = limit
        self._unit = unit
        self._ink_end = len(text.rstrip())
        self._fences = fences(text)
        self._fence_starts = [fence.start for fence in self._fences]
        self._spans = self._whole_spans()
        self._span_starts = [start for start, _ in self._spans]

    def __iter__(self) -> Iterator[str]:
        """Yield the parts in order."""
        start, head = 0, ""
        while not self._is_last(start, head):
            cut, fence = self._cut(start, head)
            code = self._text[start:cut]
            yield head + code + (fence.tail(code) if fence else "")
            start, head = cut, fence.head if fence else ""
        yield head + self._text[start:]

    def _is_last(self, start: int, head: str) -> bool:
        room = self._limit - self._length(head)
        return len(self._text) - start <= room and self._reach(start, room) == len(self._text)

    def _cut(self, start: int, head: str) -> tuple[int, Fence | None]:
        """Return where the part from `start` ends, and the code block to close and open there."""
        room = self._limit - self._length(head)
        fence = self._open_fence(self._reach(start, room))
        reserve = self._length(fence.tail("")) if fence else 0
        while True:
            cut = self._place(start, self._reach(start, room - reserve))
            code = self._text[start:cut]
            fence = self._open_fence(cut)
            tail = self._length(fence.tail(code)) if fence else 0
            if self._length(code) + tail <= room:
                break
            reserve = tail
        if fence is None and self._looks_like_seam(head + code, cut):
            return cut - 1, None  # runs of unlike length are no seam
        return cut, fence

    def _place(self, start: int, reach: int) -> int:
        """Return the best place for a cut after `start`, at most at `reach`."""
        for stop in sorted({min(reach, self._ink_end - 1), reach}):  # the last part shows something
            if stop > start and (cut := self._whole_place(start, stop)):
                return cut
        edge = self._edge_before(start, reach)
        return edge if edge > start else reach

    def _whole_place(self, start: int, reach: int) -> int | None:
        """Return the best place that leaves whole what fits a part, `None`: there is none."""
        window = self._text[start:reach]
        ink = start + len(window) - len(window.lstrip()) + 1
        for place, share, in_code in () if self._is_blank_from(start, reach) else _PLACES:
            floor = max(ink, start + int((reach - start) * share))
            for match in reversed([*place.finditer(self._text, floor, reach)]):
                if self._is_good(match.end(), in_code=in_code):
                    return match.end()
        edge = self._edge_before(start, reach)
        span = self._span_around(edge)
        cut = edge if span is None else span[0]
        return cut if cut > start else None

    def _is_blank_from(self, start: int, reach: int) -> bool:
        """Tell whether a part ends in so much white space that a whole part of it could follow."""
        ink_end = start + len(self._text[start:reach].rstrip())
        return self._text[ink_end : ink_end + self._limit // WIDEST[self._unit]].isspace()

    def _is_good(self, cut: int, *, in_code: bool) -> bool:
        return (
            self._span_around(cut) is None
            and not self._is_untidy(cut)
            and (in_code or self._open_fence(cut) is None)
            and is_edge(self._text, cut)
        )

    def _edge_before(self, start: int, reach: int) -> int:
        """Return the last end of a grapheme cluster up to `reach`."""
        sure = start
        for match in _SURE_EDGE.finditer(self._text, max(start, reach - _LOOK_BACK), reach):
            sure = match.end()
        clusters = iter_graphemes(self._text[sure : reach + 1])
        edges = [sure, *(sure + end for end in accumulate(map(len, clusters)))]
        return edges[bisect_right(edges, reach) - 1]

    def _reach(self, start: int, room: int) -> int:
        """Return how far `room` units go from `start`."""
        window = self._text[start : start + room]
        if self._unit == "codepoint" or window.isascii():
            return start + len(window)
        sizes = range(1, len(window) + 1)
        return start + bisect_right(sizes, room, key=lambda n: self._length(window[:n]))

    def _length(self, text: str) -> int:
        return length(text, self._unit)

    def _fence_before(self, cut: int) -> Fence | None:
        found = bisect_left(self._fence_starts, cut) - 1
        return self._fences[found] if found >= 0 else None

    def _open_fence(self, cut: int) -> Fence | None:
        """Return the code block that a cut would divide, if its fences are worth their room."""
        fence = self._fence_before(cut)
        if fence is None or not fence.body <= cut <= fence.close or not self._is_worth(fence):
            return None
        return fence

    def _is_worth(self, fence: Fence) -> bool:
        return max(self._length(fence.head), self._length(fence.tail(""))) <= self._limit // 4

    def _is_untidy(self, cut: int) -> bool:
        """Tell whether a cut would leave a fence in two, or with no code beside it."""
        fence = self._fence_before(cut)
        return fence is not None and cut < fence.end and not fence.body < cut < fence.close

    def _looks_like_seam(self, left: str, cut: int) -> bool:
        following = self._text[cut : cut + self._limit + 1] if left[-1] in "`~ " else ""
        return seam(left, following) is not None

    def _whole_spans(self) -> list[tuple[int, int]]:
        """Return what must not be cut because it fits a part; those that overlap as one."""
        spans: list[tuple[int, int]] = []
        for start, end in sorted(whole_spans(self._text)):
            if not self._fits_a_part(start, end):
                continue
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return [span for span in spans if self._fits_a_part(*span)]

    def _fits_a_part(self, start: int, end: int) -> bool:
        fence = self._open_fence(start)
        around = self._length(fence.head + fence.tail("")) if fence else 0
        return end - start <= self._limit and fits(
            self._text[start:end], self._limit - around, self._unit
        )

    def _span_around(self, cut: int) -> tuple[int, int] | None:
        found = bisect_left(self._span_starts, cut) - 1
        return self._spans[found] if found >= 0 and cut < self._spans[found][1] else None


def _check(text: str, limit: int, unit: TextUnit) -> None:
    """Refuse a limit that some character of the text exceeds."""
    if limit >= WIDEST[unit]:
        return
    for character in set(text):
        if length(character, unit) > limit:
            raise ValueError(
                f"limit: {limit} ({unit}) is less than the {length(character, unit)} that "
                f"{character!r} takes. Fix: allow {WIDEST[unit]} or more"
            )
