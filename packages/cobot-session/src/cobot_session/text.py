"""Texts cut to a platform's size, in its own unit, without losing a character.

`split` gives parts, `join` gives the text back, and `render`, the default of `session_render`,
makes of one message the parts that a channel's `Limits` allow.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from itertools import zip_longest
from pathlib import PurePath
from typing import TYPE_CHECKING

from cobot_session.cuts import Cutter, fits, length
from cobot_session.markdown import seam
from cobot_session.messages import MAX_ID_LENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobot_session.messages import Media, OutgoingMessage
    from cobot_session.plugin import Limits, TextUnit

__all__ = ["join", "length", "part_id", "render", "split"]


def split(text: str, limit: int | None, unit: TextUnit = "codepoint") -> list[str]:
    """Cut a text into parts of at most `limit` units, at the best place there is.

    That is the end of a paragraph in the later half of the part, else of a line, else of a
    sentence, else of a word; code blocks are left whole where a part is half full without them. A
    cut never goes through a Markdown link, a URL or a grapheme cluster that fits a part by itself;
    two of them that touch count as one. What fits nowhere is cut between clusters, and a cluster
    that fits nowhere between code points.

    A fenced code block that has to be cut is closed at the end of the part and opened again, with
    its info string, at the start of the next, unless one of these lines takes more than a quarter
    of the limit. Nothing else is added and nothing is left out: `join` gives the text back. White
    space stays at the end of the part before the cut, where a platform that trims its messages
    does no harm; a part of nothing but white space comes only from a longer run of it, or from what
    follows something whole that fills a part.

    Args:
        text: what to cut.
        limit: units a part may have; `None`: any number.
        unit: UTF-16 code units, Unicode code points, or bytes of UTF-8.

    Returns:
        The parts; the text itself, empty or not, where it fits.

    Raises:
        ValueError: a character of the text takes more than `limit` units. Any text can be cut to
            1 code point, 2 UTF-16 code units or 4 bytes.
    """
    if limit is None or fits(text, limit, unit):
        return [text]
    return list(Cutter(text, limit, unit))


def join(parts: Sequence[str]) -> str:
    """Return the text that `split` cut into these parts.

    Where a part ends with the fence that the next one begins with, a code block was cut: those two
    lines go. `split` never leaves such a pair anywhere else, so the rest is joined as it is.
    """
    pieces = []
    begin = 0
    for part, following in zip_longest(parts, parts[1:]):
        tail, head = (following is not None and seam(part, following)) or (0, 0)
        pieces.append(part[begin : len(part) - tail])
        begin = head
    return "".join(pieces)


def render(message: OutgoingMessage, limits: Limits) -> list[OutgoingMessage]:
    """Make of a message the parts that a channel can send, without losing any of it.

    The text is cut by `split`. Attachments go in groups of `limits.files`, the first group beside
    the last part of the text if that is no longer than `limits.caption`, else after it. On a
    channel without attachments each becomes a line of the text: its URL, or the name of what could
    not be sent. The first part quotes `reply_to`; the metadata goes with every part. Part ids are
    those of `part_id`. An empty message is one part.

    Raises:
        ValueError: a character of the text takes more than `limits.text` units.
    """
    if not message.media and fits(message.content, limits.text, limits.unit):
        return [message]
    pieces = _pieces(message, limits)
    return [
        replace(
            message,
            id=part_id(message.id, n),
            content=content,
            media=media,
            reply_to=None if n else message.reply_to,
            metadata=dict(message.metadata),
        )
        for n, (content, media) in enumerate(pieces)
    ]


def _pieces(message: OutgoingMessage, limits: Limits) -> list[tuple[str, list[Media]]]:
    content, media = message.content, message.media
    if not limits.files:
        content = "\n".join(filter(None, [content, *map(_mention, media)]))
        media = []
    texts = split(content, limits.text, limits.unit) if content else []
    groups = [media[n : n + limits.files] for n in range(0, len(media), limits.files or 1)]
    caption = limits.text if limits.caption is None else limits.caption
    beside = groups and texts and fits(texts[-1], caption, limits.unit)
    last = [(texts.pop(), groups.pop(0))] if beside else []
    return [*((text, []) for text in texts), *last, *(("", group) for group in groups)]


def _mention(media: Media) -> str:
    """Return a line of text in place of an attachment."""
    name = media.filename or (PurePath(media.path).name if media.path else "")
    name = " ".join(name.split())
    if media.url:
        return f"{name}: {media.url}" if name else media.url
    return f"({media.kind} not sent: {name})" if name else f"({media.kind} not sent)"


def part_id(message_id: str, n: int) -> str:
    """Return the id of part `n`, counted from 0; at most 25 characters, the same at every call.

    The first part has the message's id, the others add `~1`, `~2` and so on; where that would be
    too long, a digest stands for the id.
    """
    suffix = f"~{n}" if n else ""
    if len(message_id) + len(suffix) <= MAX_ID_LENGTH:
        return message_id + suffix
    digest = blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
    return digest[: MAX_ID_LENGTH - len(suffix)] + suffix
