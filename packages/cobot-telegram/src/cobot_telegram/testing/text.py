"""Rules for text and entities, in UTF-16 code units as Telegram counts them.

They follow what the Bot API does after it has parsed a text: control characters become spaces,
white space at both ends goes, an entity must lie within the text and must not cut a character.
See https://core.telegram.org/bots/api#messageentity and #sendmessage.
"""

from __future__ import annotations

import re
from typing import Any

from cobot_telegram.testing.errors import bad_request

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_ENTITIES = 100

Entity = dict[str, Any]

_NEEDS = {
    "text_link": "url",
    "text_mention": "user",
    "custom_emoji": "custom_emoji_id",
}
_KINDS = frozenset(
    {
        "blockquote",
        "bold",
        "bot_command",
        "cashtag",
        "code",
        "custom_emoji",
        "date_time",
        "email",
        "expandable_blockquote",
        "hashtag",
        "italic",
        "mention",
        "phone_number",
        "pre",
        "spoiler",
        "strikethrough",
        "text_link",
        "text_mention",
        "underline",
        "url",
    }
)
_DROPPED = "\r"
_AUTOMATIC = (
    ("url", re.compile(r"\bhttps?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")),
    ("email", re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w")),
    ("mention", re.compile(r"(?<![\w@])@[A-Za-z]\w{3,31}\b")),
    ("hashtag", re.compile(r"(?<![\w#])#\w+")),
    ("bot_command", re.compile(r"(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@\w{5,32})?\b")),
)


def utf16(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def piece(text: str, offset: int, length: int) -> str:
    """Return what an entity covers; offset and length in UTF-16 code units."""
    return text.encode("utf-16-le")[2 * offset : 2 * (offset + length)].decode("utf-16-le")


def detected(text: str) -> list[Entity]:
    """Return the entities Telegram finds by itself: links, mentions, hashtags, commands."""
    found: list[Entity] = []
    for kind, pattern in _AUTOMATIC:
        for match in pattern.finditer(text):
            start, end = utf16(text[: match.start()]), utf16(text[: match.end()])
            if not any(e["offset"] < end and start < e["offset"] + e["length"] for e in found):
                found.append({"type": kind, "offset": start, "length": end - start})
    return sorted(found, key=lambda e: int(e["offset"]))


def checked(text: str, entities: list[Entity], limit: int, what: str) -> tuple[str, list[Entity]]:
    """Return text and entities as Telegram stores them.

    Args:
        text: as it came.
        entities: as they came, offsets counted in `text`.
        limit: longest text, in UTF-16 code units, after cleaning.
        what: `message` or `message caption`, for the error.

    Raises:
        ApiError: 400; the text is too long, or an entity is out of bounds, cuts a character, or
            lacks a field.
    """
    _check_surrogates(text)
    for entity in entities:
        _check_entity(entity, text)
    clean, entities = _cleaned(text, entities[:MAX_ENTITIES])
    if utf16(clean) > limit:
        raise bad_request(f"{what} is too long")
    return clean, entities


def _check_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise bad_request("strings must be encoded in UTF-8") from error


def _check_entity(entity: Entity, text: str) -> None:
    offset, length = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not isinstance(length, int) or entity.get("type") is None:
        raise bad_request("can't parse entities: an entity needs type, offset and length")
    if entity["type"] not in _KINDS:
        raise bad_request(f'can\'t parse entities: unknown entity type "{entity["type"]}"')
    needed = _NEEDS.get(entity["type"])
    if needed and not entity.get(needed):
        raise bad_request(f'can\'t parse entities: field "{needed}" is missing')
    total = utf16(text)
    if offset < 0 or length < 0 or offset > total:
        raise bad_request(f"entity begins after the end of the text at UTF-16 offset {offset}")
    if offset + length > total:
        raise bad_request(f"entity ends after the end of the text at UTF-16 offset {total}")
    for edge, word in ((offset, "begins"), (offset + length, "ends")):
        if _cuts_a_character(text, edge):
            raise bad_request(f"entity {word} in a middle of a UTF-16 symbol at offset {edge}")


def _cuts_a_character(text: str, offset: int) -> bool:
    unit = text.encode("utf-16-le")[2 * offset : 2 * offset + 2]
    return len(unit) == 2 and 0xDC <= unit[1] <= 0xDF  # a low surrogate


def _cleaned(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    moved = [0]  # old UTF-16 offset -> new one
    kept: list[str] = []
    new = 0
    for character in text:
        width = 2 if ord(character) > 0xFFFF else 1  # beyond the BMP
        if character not in _DROPPED:
            kept.append(" " if ord(character) < ord(" ") and character != "\n" else character)
            new += width
        moved += [new] * width
    whole = "".join(kept)
    start = utf16(whole[: len(whole) - len(whole.lstrip())])
    end = utf16(whole.rstrip())
    result = []
    for entity in entities:
        first = min(max(moved[entity["offset"]], start), end)
        last = min(max(moved[entity["offset"] + entity["length"]], start), end)
        if last > first:
            result.append({**entity, "offset": first - start, "length": last - first})
    return whole.strip(), sorted(result, key=lambda e: (e["offset"], -e["length"]))
