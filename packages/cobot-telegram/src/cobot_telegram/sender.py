"""One part becomes one call."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telegram import (
    InputFile,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    MessageEntity,
)

from cobot_session.errors import PermanentError, RateLimited
from cobot_telegram.bot import message_ids
from cobot_telegram.config import OFFICIAL_API
from cobot_telegram.media import safe_name
from cobot_telegram.render import is_animation
from cobot_telegram.request import Refused

if TYPE_CHECKING:
    from cobot_session.messages import Media, OutgoingMessage
    from cobot_telegram.bot import RawBot
    from cobot_telegram.config import TelegramConfig
    from cobot_telegram.entities import Entity
    from cobot_telegram.pace import Pace

MAX_UPLOAD = 50_000_000
"""https://core.telegram.org/bots/api#sending-files; a server of one's own takes 2 GB."""
MAX_UPLOAD_OWN_SERVER = 2_000_000_000
MAX_PHOTO = 10_000_000
_LAST_MESSAGE_ID = 2**31 - 1
_MESSAGE_ID = re.compile(r"[0-9]{1,10}")
_NO_PHOTO = ("photo_invalid_dimensions", "image_process_failed", "photo_ext_invalid")
_METHODS = {
    "photo": "sendPhoto",
    "animation": "sendAnimation",
    "video": "sendVideo",
    "audio": "sendAudio",
    "voice": "sendVoice",
    "sticker": "sendSticker",
    "document": "sendDocument",
}
_IN_ALBUMS = {
    "photo": InputMediaPhoto,
    "video": InputMediaVideo,
    "audio": InputMediaAudio,
    "document": InputMediaDocument,
}


class Sender:
    """Sends parts, each when its turn has come."""

    def __init__(self, bot: RawBot, pace: Pace, config: TelegramConfig) -> None:
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
        self._take_turn(chat, topic, max(1, len(part.media)))
        files = [await self._file(media) for media in part.media]
        options: dict[str, Any] = {
            "chat_id": chat,
            "message_thread_id": topic,
            "disable_notification": part.metadata.get("silent", self._config.silent) or None,
            "reply_parameters": _reply(part.reply_to),
        }
        entities = part.metadata.get("entities") or None
        if len(files) > 1:
            return await self._send_album(part, files, entities, options)
        if rows := part.metadata.get("keyboard"):
            options["reply_markup"] = {"inline_keyboard": rows}
        if files:
            return await self._send_file(part, files[0], entities, options)
        preview = self.preview(part.metadata.get("link_preview"))
        sent = await self._bot.call(
            "sendMessage",
            {"text": part.content, "entities": entities, "link_preview_options": preview} | options,
        )
        return message_ids(sent)

    def preview(self, wanted: bool | None) -> dict[str, bool] | None:
        """Return the options that switch previews of links off, if they are to be off."""
        on = self._config.link_previews if wanted is None else wanted
        return None if on else {"is_disabled": True}

    def _take_turn(self, chat: int | str, topic: int | None, count: int) -> None:
        """Go on, or have the lane wait: a part that waits here could be lost with the process."""
        delay = self._pace.turn(chat, topic, count)
        if delay > 0:
            raise RateLimited(delay, "chat", "keeping to Telegram's published limits")

    async def _send_file(
        self,
        part: OutgoingMessage,
        file: tuple[str, Any, str | None],
        entities: list[Entity] | None,
        options: dict[str, Any],
    ) -> list[int]:
        kind, content, filename = file
        if kind != "sticker":
            options |= {"caption": part.content or None, "caption_entities": entities}
        file_ = content if isinstance(content, str) else InputFile(content, filename=filename)
        try:
            sent = await self._bot.upload(_METHODS[kind], {kind: file_} | options)
        except Refused as refusal:
            if kind != "photo" or not _no_photo(refusal):
                raise
            sent = await self._bot.upload("sendDocument", {"document": file_} | options)
        return message_ids(sent)

    async def _send_album(
        self,
        part: OutgoingMessage,
        files: list[tuple[str, Any, str | None]],
        entities: list[Entity] | None,
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
            over = [MessageEntity.de_json(dict(one)) for one in entities or ()] if caption else None
            items.append(_IN_ALBUMS[kind](media, caption=caption, caption_entities=over or None))
        return message_ids(await self._bot.upload("sendMediaGroup", {"media": items} | options))

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
    """Return what an ordinary file holds; a device or a pipe has no end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise PermanentError(f"the attachment {path.name} is no ordinary file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its path is none"
        raise PermanentError(f"the attachment {path.name} cannot be read: {reason}") from None
    return content


def _reply(message_id: str | None) -> dict[str, Any] | None:
    """Return whom to quote; nobody, where the id is no message's or the message is gone."""
    if not _MESSAGE_ID.fullmatch(message_id or "") or int(message_id or 0) > _LAST_MESSAGE_ID:
        return None
    return {"message_id": int(message_id or 0), "allow_sending_without_reply": True}


def _no_photo(refusal: Refused) -> bool:
    return any(words in refusal.description.lower() for words in _NO_PHOTO)
