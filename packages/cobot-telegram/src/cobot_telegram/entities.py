"""Markdown as text and entities: nothing to escape, so nothing Telegram cannot parse.

`telegramify-markdown` converts; what it would leave out (HTML that an agent writes about, targets
of links Telegram does not take) is kept as text here, for nothing an agent says may be lost.
"""

from __future__ import annotations

import functools
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from telegramify_markdown.config import RenderConfig

Entity: TypeAlias = dict[str, Any]
"""A `MessageEntity` as JSON; offset and length in UTF-16 code units."""

_SCHEMES = frozenset({"http", "https", "tg", "ton", "mailto", "tel"})
_SPOILER = ("<tg-spoiler>", "</tg-spoiler>")
_PLAIN = re.compile(r"(?!\d+[.)])[^\W_](?:[^\W_]|[ ,;:.?!'\"()%/@-])*(?<! )")
"""One line in which nothing can mean anything to Markdown; it shows what it is.

A number with a full stop or a bracket behind it begins a list.
"""
_PASSES = 20
_TAB = 4


def convert(markdown: str) -> tuple[str, list[Entity]]:
    """Return the text that a Markdown text shows, and its formatting.

    A text of which Markdown would show nothing (a lone `[name]: address`) is shown as it is.
    """
    if _PLAIN.fullmatch(markdown):
        return markdown, []
    return _converted(markdown)


def _converted(markdown: str) -> tuple[str, list[Entity]]:
    from telegramify_markdown import convert as telegramify

    source = plain(markdown)
    text, found = telegramify(_with_html_as_text(source), config=_look())
    if not text.strip():
        return source.strip(), []
    text, entities = _with_targets(text, [entity.to_dict() for entity in found])
    return text, sorted(entities, key=lambda e: (e["offset"], -e["length"]))


def plain(text: str) -> str:
    """Return a text without what Telegram would replace: control characters, half characters."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(_TAB)
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return "".join(c if c >= " " or c == "\n" else " " for c in text)


def utf16_length(text: str) -> int:
    """Return a text's length as Telegram counts it: in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


@functools.cache
def _look() -> RenderConfig:
    """Return plain symbols: a heading is bold, and no pictogram stands before it."""
    from telegramify_markdown.config import RenderConfig

    config = RenderConfig.isolated()
    symbols = config.markdown_symbol
    symbols.heading_level_1 = symbols.heading_level_2 = ""
    symbols.heading_level_3 = symbols.heading_level_4 = ""
    symbols.unordered_list_item = "•"
    return config


def _with_html_as_text(markdown: str) -> str:
    """Escape HTML, which would vanish: an agent that writes `<div>` means to show it."""
    for _ in range(_PASSES):
        offsets = _html_offsets(markdown) if "<" in markdown else []
        if not offsets:
            return markdown
        source = markdown.encode()
        bounds = [0, *offsets, len(source)]
        pieces = [source[a:b] for a, b in pairwise(bounds)]
        markdown = b"\\".join(pieces).decode()
    return markdown.replace("<", "\\<")


def _html_offsets(markdown: str) -> list[int]:
    """Return the byte offsets of the `<` that begin HTML."""
    import pyromark
    from telegramify_markdown.converter import STANDARD_OPTIONS

    source = markdown.encode()
    offsets = set()
    for payload, where in pyromark.events_with_range(markdown, options=STANDARD_OPTIONS):
        inline = payload.get("InlineHtml") if isinstance(payload, dict) else None
        block = isinstance(payload, dict) and payload.get("Start") == "HtmlBlock"
        if block or (isinstance(inline, str) and inline.strip().lower() not in _SPOILER):
            at = source.find(b"<", where["start"], where["end"])
            if at >= 0:
                offsets.add(at)
    return sorted(offsets)


def _with_targets(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Write out the target of a link that Telegram does not take, instead of losing it."""
    kept = [e for e in entities if e["type"] != "text_link" or _is_address(e.get("url", ""))]
    refused = [e for e in entities if e["type"] == "text_link" and e not in kept and e.get("url")]
    for link in sorted(refused, key=lambda e: -int(e["offset"])):
        text, kept = _inserted(text, kept, link["offset"] + link["length"], f" ({link['url']})")
    return text, kept


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in _SCHEMES and bool(parts.netloc or parts.path)


def _inserted(text: str, entities: list[Entity], at: int, words: str) -> tuple[str, list[Entity]]:
    """Return text and entities with words put in at a UTF-16 offset."""
    units = text.encode("utf-16-le")
    more = utf16_length(words)
    moved = []
    for entity in entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        start, end = start + more * (start >= at), end + more * (end > at)
        moved.append({**entity, "offset": start, "length": end - start})
    return (units[: 2 * at] + words.encode("utf-16-le") + units[2 * at :]).decode(
        "utf-16-le"
    ), moved
