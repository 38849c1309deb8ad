"""An agent's Markdown in Discord's dialect, and messages cut to what Discord takes.

Discord's dialect: https://support.discord.com/hc/en-us/articles/210298617. It has no tables, three
sizes of headings, no `~~~` fences, no inline images, and reads `__x__` as underlined.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

from cobot_session import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markdown_it.token import Token

    from cobot_session.messages import Media, OutgoingMessage
    from cobot_session.plugin import Limits

_BLOCKS = MarkdownIt("commonmark").enable("table")
_CODE = re.compile(r"(?<!\\)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)
_IMAGE = re.compile(r"!(?=\[[^\[\]\n]*\]\([^()\s]+\))")
_STRONG = re.compile(r"(?<![\w_\\])__(?=[^\s_])([^\n]*?[^\s_\\])__(?![\w_])")
_DEEP = re.compile(r"^( {0,3})#{4,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
ONCE = ("embeds", "sticker_ids")
"""Metadata that goes with the last part only; the core gives a copy to each."""


def parts(message: OutgoingMessage, limits: Limits) -> list[OutgoingMessage]:
    """Return what to send for one message: text in Discord's dialect, cut to its size.

    The first part quotes `reply_to`; attachments, embeds and stickers come with the last text, and
    further parts carry what is more than ten files. A link that stands for an attachment becomes
    a line of the text, which Discord unfolds. A part of nothing but white space is left out, since
    Discord refuses it.
    """
    links = [media for media in message.media if _is_link(media)]
    files = [media for media in message.media if not _is_link(media)]
    shown = literal if message.metadata.get("format") == "text" else dialect
    lines = [shown(message.content), *(str(media.url) for media in links)]
    whole = replace(message, content="\n".join(filter(None, lines)), media=files)
    made = text.render(whole, limits)
    kept = [part for part in made if part.content.strip() or part.media] or made[:1]
    texts = [n for n, part in enumerate(kept) if part.content.strip()]
    last = texts[-1] if texts else len(kept) - 1
    return [
        part if n == last else replace(part, metadata=_without(part.metadata))
        for n, part in enumerate(kept)
    ]


def _is_link(media: Media) -> bool:
    return bool(media.url) and media.path is None and media.data is None


def _without(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in ONCE}


def literal(plain: str) -> str:
    """Return a text that Discord shows as it stands: its marks are escaped, its links are not."""
    from discord.utils import escape_markdown

    return escape_markdown(plain)


def dialect(markdown: str) -> str:
    """Return a text as Discord shows it best; what it knows already stays as it is."""
    lines = markdown.split("\n")
    for start, end, make in reversed(list(_changes(markdown))):
        lines[start:end] = make(lines[start:end])
    return "\n".join(lines)


def _changes(markdown: str) -> Iterator[tuple[int, int, Callable[[list[str]], list[str]]]]:
    """Yield which lines to replace, in order, and how."""
    plain_from = 0
    count = markdown.count("\n") + 1
    for token in _BLOCKS.parse(markdown.replace("\r", " ")):
        make = _maker(token)
        if make is None or token.map is None or token.map[0] < plain_from:
            continue
        start, end = token.map[0], min(token.map[1], count)
        yield from _prose(plain_from, start)
        yield start, end, make
        plain_from = end
    yield from _prose(plain_from, count)


def _maker(token: Token) -> Callable[[list[str]], list[str]] | None:
    match token.type:
        case "fence":
            return _tilde_free if token.markup.startswith("~") else _same
        case "code_block":
            return _same
        case "table_open":
            return _boxed if token.level == 0 else _same
    return None


def _prose(start: int, end: int) -> Iterator[tuple[int, int, Callable[[list[str]], list[str]]]]:
    if start < end:
        yield start, end, _plain


def _same(lines: list[str]) -> list[str]:
    return lines


def _tilde_free(lines: list[str]) -> list[str]:
    """Fence with backticks, unless the code has such a fence itself."""
    if any("```" in line for line in lines):
        return lines
    head, *rest = lines
    made = [re.sub(r"~{3,}", "```", head, count=1), *rest]
    if len(made) > 1 and re.fullmatch(r"[\s>]*~{3,}\s*", made[-1]):
        made[-1] = re.sub(r"~{3,}", "```", made[-1])
    return made


def _plain(lines: list[str]) -> list[str]:
    return _outside_code("\n".join(_DEEP.sub(_bold, line) for line in lines)).split("\n")


def _bold(heading: re.Match[str]) -> str:
    words = heading[2].replace("**", "").strip()
    return f"{heading[1]}**{words}**" if words else heading[0]


def _outside_code(prose: str) -> str:
    made, at = [], 0
    for code in _CODE.finditer(prose):
        made += [_inline(prose[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*made, _inline(prose[at:])])


def _inline(prose: str) -> str:
    return _STRONG.sub(r"**\1**", _IMAGE.sub("", prose))


def _boxed(lines: list[str]) -> list[str]:
    """Return a table as a code block with its columns aligned."""
    rows = [_cells(line) for line in lines if line.strip()]
    if len(rows) < 2 or any("```" in line for line in lines):
        return lines
    rows = [rows[0], *rows[2:]]
    columns = max(map(len, rows))
    rows = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(_width(row[n]) for row in rows) for n in range(columns)]
    shown = [_row(row, widths) for row in rows]
    rule = "-+-".join("-" * width for width in widths)
    return ["```", shown[0], rule, *shown[1:], "```"]


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = re.sub(r"(?<!\\)\|$", "", inner)
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _row(cells: list[str], widths: list[int]) -> str:
    padded = [
        cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)
    ]
    return " | ".join(padded).rstrip()


def _width(cell: str) -> int:
    """Return how many columns of a fixed-width font a text takes."""
    return sum(_columns(character) for character in cell)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Me", "Mn"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
