"""One message becomes the parts that Telegram takes, without any I/O.

A part is an `OutgoingMessage` whose `content` is plain text; its formatting and options stand in
`metadata`, and it carries at most one album. `rendered: True` marks it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cobot_session.errors import PermanentError
from cobot_telegram.addresses import chat_and_topic
from cobot_telegram.entities import Entity, convert, plain, utf16_length
from cobot_telegram.parts import MAX_CAPTION, cut

if TYPE_CHECKING:
    from cobot_session.messages import Media, OutgoingMessage

ALBUM = 10
"""Items an album has at most: https://core.telegram.org/bots/api#sendmediagroup."""
_MAX_CALLBACK = 64
_TOGETHER = {"image": "picture", "video": "picture", "audio": "audio", "document": "document"}
"""What may share an album: pictures with videos, audio with audio, documents with documents."""


def render(message: OutgoingMessage) -> list[OutgoingMessage]:
    """Return the parts of a message.

    `metadata` of the message: `format` (`text`: no Markdown), `silent`, `link_preview`, `buttons`
    (rows of texts, or of `{"text", "data"}` or `{"text", "url"}`; they go under the last part).

    A text that fits a caption goes under the first attachment, a longer one before it.

    Raises:
        PermanentError: there is nothing to send, or the address or a button is wrong.
    """
    chat_and_topic(message.channel_id)
    rows = keyboard(message.metadata.get("buttons"))
    text, entities = _text(message)
    albums = _albums(message.media)
    captioned = bool(albums) and albums[0][0].kind != "sticker"
    beside = captioned and utf16_length(text) <= MAX_CAPTION
    texts = [] if beside else cut(text, entities)
    parts = [_part(message, content, found) for content, found in texts]
    for number, album in enumerate(albums):
        caption = (text, entities) if beside and number == 0 else ("", [])
        parts.append(_part(message, *caption, album))
    if not parts:
        raise PermanentError("there is nothing to send: no text and no attachment")
    for part in parts[1:]:
        part.reply_to = None
    if rows:
        parts[-1].metadata["keyboard"] = rows
    return parts


def _text(message: OutgoingMessage) -> tuple[str, list[Entity]]:
    if message.metadata.get("format") == "text":
        return plain(message.content).strip(), []
    return convert(message.content)


def _part(
    message: OutgoingMessage, text: str, entities: list[Entity], album: list[Media] | None = None
) -> OutgoingMessage:
    options = ("silent", "link_preview")
    metadata = {name: message.metadata[name] for name in options if name in message.metadata}
    metadata["rendered"] = True
    if entities:
        metadata["entities"] = entities
    return replace(message, content=text, media=album or [], metadata=metadata)


def _albums(media: list[Media]) -> list[list[Media]]:
    """Group neighbours that may share an album; the order of attachments is kept."""
    groups: list[list[Media]] = []
    before = None
    for one in media:
        together = None if is_animation(one) else _TOGETHER.get(one.kind)
        if groups and together is not None and together == before and len(groups[-1]) < ALBUM:
            groups[-1].append(one)
        else:
            groups.append([one])
        before = together
    return groups


def is_animation(media: Media) -> bool:
    """Tell whether an image moves; Telegram takes a GIF as an animation, alone."""
    name = media.filename or (PurePath(media.path).name if media.path else media.url or "")
    return media.mime_type == "image/gif" or name.lower().endswith(".gif")


def keyboard(buttons: Any) -> list[list[dict[str, str]]]:
    """Return inline buttons as the Bot API takes them.

    Raises:
        PermanentError: they are not rows of buttons, or a button's data is longer than 64 bytes.
    """
    if not buttons:
        return []
    if not isinstance(buttons, list) or not all(isinstance(row, list) for row in buttons):
        raise PermanentError("`buttons` is a list of rows, each a list of buttons")
    return [[_button(button) for button in row] for row in buttons]


def _button(button: Any) -> dict[str, str]:
    given = {"text": button, "data": button} if isinstance(button, str) else button
    if not isinstance(given, dict) or not given.get("text"):
        raise PermanentError("a button is a text, or has `text` and one of `data` and `url`")
    if given.get("url"):
        return {"text": str(given["text"]), "url": str(given["url"])}
    data = str(given.get("data", given["text"]))
    if len(data.encode()) > _MAX_CALLBACK:
        raise PermanentError(f"a button's data has at most {_MAX_CALLBACK} bytes: {data[:20]!r}…")
    return {"text": str(given["text"]), "callback_data": data}
