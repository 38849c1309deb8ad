"""Text with Telegram's entities as Markdown, for the agent to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MARKS = {
    "bold": "**",
    "italic": "*",
    "strikethrough": "~~",
    "spoiler": "||",
    "code": "`",
}
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    opening: str
    closing: str


def as_markdown(text: str, entities: Sequence[Mapping[str, Any]]) -> str:
    """Return a text with its formatting written as Markdown.

    What people typed stays as they typed it: characters that mean something in Markdown are not
    escaped. Underlining, which Markdown lacks, is left out; mentions, hashtags and bare links are
    plain text already.

    Args:
        text: as Telegram has it.
        entities: its `MessageEntity` objects; offsets in UTF-16 code units. One that lies outside
            the text is ignored.
    """
    if not entities:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    spans = [span for entity in entities for span in _spans(units, entity)]
    return _woven(units, spans)


def _spans(units: bytes, entity: Mapping[str, Any]) -> list[_Span]:
    kind, start, length = entity.get("type"), entity.get("offset"), entity.get("length")
    if not isinstance(start, int) or not isinstance(length, int):
        return []
    end = start + length
    if start < 0 or length <= 0 or 2 * end > len(units) or _cut(units, start) or _cut(units, end):
        return []
    if kind in _QUOTES:
        return _quote(units, start, end)
    if kind == "pre":
        fence = _fence(_text(units, start, end))
        closing = fence if _text(units, end - 1, end) == "\n" else f"\n{fence}"
        return [_Span(start, end, f"{fence}{entity.get('language') or ''}\n", closing)]
    start, end = _trimmed(units, start, end)
    if start >= end:
        return []
    if kind == "code" and "`" in _text(units, start, end):
        return [_Span(start, end, "`` ", " ``")]
    if kind in _MARKS:
        return [_Span(start, end, _MARKS[kind], _MARKS[kind])]
    target = _target(entity)
    return [_Span(start, end, "[", f"]({target})")] if target else []


def _cut(units: bytes, at: int) -> bool:
    """Tell whether an offset lies within a character of two code units."""
    return 0xDC <= (units[2 * at + 1] if 2 * at < len(units) else 0) <= 0xDF


def _target(entity: Mapping[str, Any]) -> str:
    if entity.get("type") == "text_link":
        return str(entity.get("url") or "")
    user = entity.get("user")
    if entity.get("type") == "text_mention" and isinstance(user, dict):
        return f"tg://user?id={user.get('id')}"
    return ""


def _fence(code: str) -> str:
    fence = "```"
    while fence in code:
        fence += "`"
    return fence


def _quote(units: bytes, start: int, end: int) -> list[_Span]:
    """Return one empty span a line: quotes are marked where each line begins."""
    lines = [at + 1 for at in range(start, end - 1) if _text(units, at, at + 1) == "\n"]
    return [_Span(at, at, "> ", "") for at in (start, *lines)]


def _trimmed(units: bytes, start: int, end: int) -> tuple[int, int]:
    """Leave white space outside: `** a**` is not bold."""
    text = _text(units, start, end)
    lead = len(text) - len(text.lstrip())
    trail = len(text) - len(text.rstrip())
    return start + lead, end - trail  # white space is one code unit each


def _text(units: bytes, start: int, end: int) -> str:
    return units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")


def _woven(units: bytes, spans: list[_Span]) -> str:
    ordered = sorted(spans, key=lambda s: (s.start, s.start != s.end, -s.end))
    edges = sorted({at for span in spans for at in (span.start, span.end)})
    pieces: list[str] = []
    open_spans: list[_Span] = []
    last = 0
    for at in edges:
        pieces.append(_text(units, last, at))
        last = at
        pieces += _closed(open_spans, at)
        for span in ordered:
            if span.start == at:
                pieces.append(span.opening)
                if span.end > at:
                    open_spans.append(span)
    pieces.append(_text(units, last, len(units) // 2))
    return "".join(pieces)


def _closed(open_spans: list[_Span], at: int) -> list[str]:
    """Close what ends here; what was opened inside it and goes on is closed and opened again."""
    ending = [span for span in open_spans if span.end == at]
    if not ending:
        return []
    first = min(open_spans.index(span) for span in ending)
    inside = open_spans[first:]
    going_on = [span for span in inside if span.end > at]
    del open_spans[first:]
    open_spans += going_on
    return [s.closing for s in reversed(inside)] + [s.opening for s in going_on]
