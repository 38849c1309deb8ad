"""What a split text must keep whole: grapheme clusters, links and addresses, code fences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wcwidth import iter_graphemes

if TYPE_CHECKING:
    from collections.abc import Iterator

_LABEL = r"(?:[^\[\]\\\n]|\\.|\n(?![ \t]*\n)|\[[^\[\]\n]*\](?:\([^\s()]*\))?)*+"
_TARGET = r"(?:<[^<>\n]*>|(?:[^\s()<>]|\([^\s()]*\))*+)"
_TITLE = r"(?:\s++(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?"
_LINK = re.compile(rf"!?\[{_LABEL}\]\(\s*+{_TARGET}{_TITLE}\s*+\)")

_WIDE_PUNCTUATION = "、。，；：！？（）「」『』【】《》"  # noqa: RUF001  # it is what is meant
_URL_CHARACTER = rf"[^\s<>\"`\[\](){_WIDE_PUNCTUATION}]"
_URL = re.compile(
    r"(?<![a-z0-9])(?:[a-z][a-z0-9+.-]{1,30}+://(?:\[[0-9a-f:.]+\])?|(?:mailto|nostr):|www\.)"
    rf"(?:{_URL_CHARACTER}|\({_URL_CHARACTER}*\))+",
    re.IGNORECASE,
)

_FENCE = re.compile(
    r"^(?P<prefix>(?:[ \t>]|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t]))*+)"
    r"(?P<run>`{3,}|~{3,})(?P<info>[^\n]*)",
    re.MULTILINE,
)
_HALF_FENCE = re.compile(
    r"^(?:[ \t>]|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t]))*+"
    r"(?:`{1,2}|~{1,2}|`{3,}[^`\n]*|~{3,}[^\n]*)\Z",
    re.MULTILINE,
)
_UNQUOTED = re.compile(r"^(?![ \t]*>)", re.MULTILINE)
_ADDED_CLOSING = re.compile(r"([ \t>]*+)(`{3,}+|~{3,}+)( ?)")
_ADDED_OPENING = re.compile(r"([ \t>]*+)(`{3,}+|~{3,}+)[^\n]*+\n")


def is_edge(text: str, at: int) -> bool:
    """Tell whether a grapheme cluster may end before `text[at]`, from its two neighbours alone.

    That is exact unless the character before is a joiner, a regional indicator or a linker.
    """
    pair = text[at - 1 : at + 1]
    return (pair.isascii() and pair != "\r\n") or len(next(iter_graphemes(pair))) == 1


def whole_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the Markdown links and the URLs are, with a cluster that begins before them."""
    for pattern in (_LINK, _URL):
        for match in pattern.finditer(text):
            start, end = match.span()
            while start > 0 and not is_edge(text, start):
                start -= 1
            yield start, end


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced code block.

    Attributes:
        start: where its opening line begins.
        body: where its code begins.
        close: where its closing line begins; the end of the text when it has none.
        end: where what comes after it begins.
        head: the line that opens it again, newline included.
        bar: the line that closes it.
    """

    start: int
    body: int
    close: int
    end: int
    head: str
    bar: str

    def tail(self, code: str) -> str:
        """Return what closes the block after `code`; a blank marks a newline that was added."""
        return self.bar if code.endswith("\n") else f"\n{self.bar} "


def fences(text: str) -> list[Fence]:
    """Return the fenced code blocks of a text, in order; those in lists and quotes as well."""
    found: list[Fence] = []
    opening: re.Match[str] | None = None
    seen = 0
    for line in _FENCE.finditer(text):
        if opening is not None and (left := _quote_end(text, opening, seen, line.start())):
            found.append(_fence(opening, left, left))
            opening = None
        if opening is None:
            opening = line if _opens(line) else None
        elif _closes(opening, line):
            found.append(_fence(opening, line.start(), line.end() + 1))
            opening = None
        seen = line.end() + 1
    if opening is not None:
        close = _quote_end(text, opening, seen, len(text)) or len(text)
        found.append(_fence(opening, close, close))
    return found


def _opens(line: re.Match[str]) -> bool:
    return line["run"][0] == "~" or "`" not in line["info"]


def _closes(opening: re.Match[str], line: re.Match[str]) -> bool:
    return (
        line["run"].startswith(opening["run"])
        and not line["info"].strip()
        and not line["prefix"].strip(" \t>")
    )


def _quote_end(text: str, opening: re.Match[str], seen: int, stop: int) -> int | None:
    """Return where the quote around a block ends from `seen` to `stop`, `None`: it does not."""
    if ">" not in opening["prefix"]:
        return None
    outside = _UNQUOTED.search(text, seen, stop)
    return outside.start() if outside and outside.start() < stop else None


def _fence(opening: re.Match[str], close: int, end: int) -> Fence:
    bar = re.sub(r"[^ \t>]", " ", opening["prefix"]) + opening["run"]
    head = f"{bar}{opening['info'].rstrip()}\n"
    return Fence(opening.start(), opening.end() + 1, close, end, head, bar)


def closed(text: str) -> str:
    """Return what can be shown of a text that is still being written: its fences are whole.

    A code block that is open is closed, one with no code in it yet is left out, and so is a last
    line that may become a fence.
    """
    shown = text[: half.start()] if (half := _HALF_FENCE.search(text)) else text
    last = next(reversed(fences(shown)), None)
    if last is None or not last.close == last.end == len(shown):
        return shown
    code = shown[last.body :]
    return shown + last.tail(code) if code.strip() else shown[: last.start]


def seam(left: str, right: str) -> tuple[int, int] | None:
    """Return how much was added at the end of one part and at the start of the next.

    `None` where nothing was: the lines that close and open a code block again are recognised by
    equal fences on both sides of the cut, the first of them not ended by a newline.
    """
    begin = left.rfind("\n") + 1
    closing = _ADDED_CLOSING.fullmatch(left, begin)
    opening = _ADDED_OPENING.match(right)
    if closing is None or opening is None or closing.group(1, 2) != opening.group(1, 2):
        return None
    return len(left) - begin + len(closing[3]), opening.end()
