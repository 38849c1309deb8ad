"""One part becomes one call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telegram import (
    InlineKeyboardMarkup,
    InputFile,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)

from cobot_session.errors import PermanentError, RateLimited
from cobot_telegram.config import OFFICIAL_API
from cobot_telegram.media import safe_name
from cobot_telegram.render import is_animation
from cobot_telegram.request import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telegram import Bot

    from cobot_session.messages import Media, OutgoingMessage
    from cobot_telegram.config import TelegramConfig
    from cobot_telegram.entities import Entity
    from cobot_telegram.pace import Pace

MAX_UPLOAD = 50_000_000
"""https://core.telegram.org/bots/api#sending-files; a server of one's own takes 2 GB."""
MAX_UPLOAD_OWN_SERVER = 2_000_000_000
MAX_PHOTO = 10_000_000
_LAST_MESSAGE_ID = 2**31 - 1
_PATIENCE = 5.0
"""Seconds a part waits here for its turn; for longer pauses its lane is put to rest."""
_NO_PHOTO = ("photo_invalid_dimensions", "image_process_failed", "photo_ext_invalid")
_METHODS = {
    "photo": "send_photo",
    "animation": "send_animation",
    "video": "send_video",
    "audio": "send_audio",
    "voice": "send_voice",
    "sticker": "send_sticker",
    "document": "send_document",
}
_IN_ALBUMS = {
    "photo": InputMediaPhoto,
    "video": InputMediaVideo,
    "audio": InputMediaAudio,
    "document": InputMediaDocument,
}


class Sender:
    """Sends parts, each when its turn has come."""

    def __init__(self, bot: Bot, pace: Pace, config: TelegramConfig) -> None:
        self._bot = bot
        self._pace = pace
        self._config = config
        own_server = config.api_url != OFFICIAL_API
        self._max_upload = MAX_UPLOAD_OWN_SERVER if own_server else MAX_UPLOAD

    async def send(self, chat: int | str, topic: int | None, part: OutgoingMessage) -> list[int]:
        """Send one part and return the ids of the messages it became.

        Raises:
            PermanentError: an attachment cannot be read.
            RateLimited: the published limits, kept after a 429, ask for a longer pause.
            Refused, NotSent, NoAnswer: what became of the call.
        """
        files = [await self._file(media) for media in part.media]
        await self._turn(chat, max(1, len(files)))
        options: dict[str, Any] = {
            "chat_id": chat,
            "message_thread_id": topic,
            "disable_notification": part.metadata.get("silent", self._config.silent) or None,
            "reply_parameters": _reply(part.reply_to),
        }
        entities = self.entities(part.metadata.get("entities", ()))
        if len(files) > 1:
            return await self._send_album(part, files, entities, options)
        if rows := part.metadata.get("keyboard"):
            options["reply_markup"] = InlineKeyboardMarkup.de_json(
                {"inline_keyboard": rows}, self._bot
            )
        if files:
            return await self._send_file(part, files[0], entities, options)
        preview = self.preview(part.metadata.get("link_preview"))
        sent = await self._bot.send_message(
            text=part.content, entities=entities, link_preview_options=preview, **options
        )
        return [sent.message_id]

    def entities(self, given: Sequence[Entity]) -> list[MessageEntity] | None:
        """Return entities as the library takes them."""
        return [MessageEntity.de_json(dict(one), self._bot) for one in given] or None

    def preview(self, wanted: bool | None) -> LinkPreviewOptions | None:
        """Return the options that switch previews of links off, if they are to be off."""
        on = self._config.link_previews if wanted is None else wanted
        return None if on else LinkPreviewOptions(is_disabled=True)

    async def _turn(self, chat: int | str, count: int) -> None:
        while True:
            delay, scope = self._pace.delay(chat)
            if delay <= 0:
                self._pace.note(chat, count)
                return
            if delay > _PATIENCE:
                raise RateLimited(delay, scope, "keeping to Telegram's published limits")
            await asyncio.sleep(delay)

    async def _send_file(
        self,
        part: OutgoingMessage,
        file: tuple[str, Any, str | None],
        entities: list[MessageEntity] | None,
        options: dict[str, Any],
    ) -> list[int]:
        kind, content, filename = file
        if kind != "sticker":
            options |= {"caption": part.content or None, "caption_entities": entities}
        if filename and kind != "sticker" and not isinstance(content, str):
            options["filename"] = filename
        try:
            sent = await getattr(self._bot, _METHODS[kind])(**{kind: content}, **options)
        except Refused as refusal:
            if kind != "photo" or not _no_photo(refusal):
                raise
            sent = await self._bot.send_document(document=content, **options)
        return [sent.message_id]

    async def _send_album(
        self,
        part: OutgoingMessage,
        files: list[tuple[str, Any, str | None]],
        entities: list[MessageEntity] | None,
        options: dict[str, Any],
    ) -> list[int]:
        items: list[Any] = []
        for number, (kind, content, filename) in enumerate(files):
            caption = part.content if number == 0 and part.content else None
            media = (
                content
                if isinstance(content, str)
                else InputFile(content, filename=filename, attach=True)
            )
            items.append(
                _IN_ALBUMS[kind](
                    media, caption=caption, caption_entities=entities if caption else None
                )
            )
        sent = await self._bot.send_media_group(media=items, **options)
        return [message.message_id for message in sent]

    async def _file(self, media: Media) -> tuple[str, Any, str | None]:
        """Return kind, content (bytes, or an address or a file id) and name of an attachment."""
        kind = _kind(media)
        name = safe_name(media.filename or (Path(media.path).name if media.path else "")) or None
        if media.data is not None:
            content: bytes | str = bytes(media.data)
        elif media.path is not None:
            content = await asyncio.to_thread(_read, Path(media.path), self._max_upload)
        elif media.url or media.id:
            return kind, media.url or media.id, name
        else:
            raise PermanentError("an attachment names one of `path`, `url` and `data`")
        if not content:
            raise PermanentError(f"the attachment {name or ''} is empty".replace("  ", " "))
        if len(content) > self._max_upload:
            raise PermanentError(f"the attachment has more than {self._max_upload} bytes")
        if kind == "photo" and len(content) > MAX_PHOTO:
            kind = "document"
        return kind, content, name


def _kind(media: Media) -> str:
    if is_animation(media):
        return "animation"
    return "photo" if media.kind == "image" else media.kind


def _read(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise PermanentError(f"the attachment {path.name} has more than {limit} bytes")
        return path.read_bytes()
    except OSError as error:
        raise PermanentError(
            f"the attachment {path.name} cannot be read: {error.strerror}"
        ) from None


def _reply(message_id: str | None) -> ReplyParameters | None:
    """Return whom to quote; nobody, where the id is no message's or the message is gone."""
    if message_id is None or not message_id.isdecimal() or int(message_id) > _LAST_MESSAGE_ID:
        return None
    return ReplyParameters(int(message_id), allow_sending_without_reply=True)


def _no_photo(refusal: Refused) -> bool:
    return any(words in refusal.description.lower() for words in _NO_PHOTO)
