"""Methods that make messages: https://core.telegram.org/bots/api#available-methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import aiohttp

from cobot_telegram.testing.call import Call, api_method
from cobot_telegram.testing.errors import ApiError, bad_request
from cobot_telegram.testing.files import MAX_PHOTO, MAX_UPLOAD, Attachment, FileKind, StoredFile
from cobot_telegram.testing.markup import parsed
from cobot_telegram.testing.text import MAX_CAPTION, MAX_TEXT, Entity, checked, detected

if TYPE_CHECKING:
    from cobot_telegram.testing.chats import Chat, Message
    from cobot_telegram.testing.params import Params

ALBUM = range(2, 11)
"""How many items a media group has: https://core.telegram.org/bots/api#sendmediagroup."""
_URL_DOWNLOAD = 20_000_000
_KEPT = ("reply_markup", "link_preview_options")
ACTIONS = frozenset(
    {
        "choose_sticker",
        "find_location",
        "record_video",
        "record_video_note",
        "record_voice",
        "typing",
        "upload_document",
        "upload_photo",
        "upload_video",
        "upload_video_note",
        "upload_voice",
    }
)


@dataclass(frozen=True, slots=True)
class _Place:
    chat: Chat
    topic: int | None
    reply_to: Message | None


def written(params: Params, name: str, limit: int, what: str) -> tuple[str, list[Entity]]:
    """Return text and entities of a call's `text` or `caption`, checked and cleaned."""
    text = params.text(name)
    listed = "entities" if name == "text" else "caption_entities"
    mode = params.text("parse_mode")
    given: list[Entity] = []
    if mode:
        text, given = parsed(text, mode)
    else:
        given = params.json(listed, []) or []
    clean, kept = checked(text, given, limit, what)
    found = [e for e in detected(clean) if not any(_overlap(e, k) for k in kept)]
    return clean, sorted([*kept, *found], key=lambda e: (e["offset"], -e["length"]))


def _overlap(a: Entity, b: Entity) -> bool:
    return bool(a["offset"] < b["offset"] + b["length"] and b["offset"] < a["offset"] + a["length"])


def _place(call: Call, count: int = 1) -> _Place:
    chat = call.writable(count)
    topic = call.params.integer("message_thread_id") or None
    if topic is not None and topic not in chat.topics:
        raise bad_request("message thread not found")
    return _Place(chat, topic, _answered(call, chat))


def _answered(call: Call, chat: Chat) -> Message | None:
    reply = call.params.json("reply_parameters") or {}
    wanted = reply.get("message_id") or call.params.integer("reply_to_message_id")
    if not wanted:
        return None
    where = call.world.chat_for(call.bot, int(reply.get("chat_id", chat.id)))
    found = where.get(int(wanted)) if where else None
    lenient = reply.get("allow_sending_without_reply") or call.params.flag(
        "allow_sending_without_reply"
    )
    if found is None and not lenient:
        raise bad_request("message to be replied not found")
    return found


def _make(
    call: Call, place: _Place, body: dict[str, Any], files: list[StoredFile] | None = None
) -> Message:
    for name in _KEPT:
        if (value := call.params.json(name)) is not None:
            body[name] = value
    if call.params.flag("disable_notification"):
        body["disable_notification"] = True
    sender = None if place.chat.kind == "channel" else call.bot.json()
    return call.world.add_message(
        place.chat,
        body,
        sender=sender,
        by_bot=True,
        files=files or [],
        reply_to=place.reply_to,
        topic=place.topic,
    )


@api_method("sendMessage")
async def send_message(call: Call) -> dict[str, Any]:
    """Carry out sendMessage."""
    with call.world.changes:
        text, entities = written(call.params, "text", MAX_TEXT, "message")
        if not text:
            raise bad_request("message text is empty")
        body: dict[str, Any] = {"text": text}
        if entities:
            body["entities"] = entities
        return _make(call, _place(call), body).json()


_KINDS: dict[str, FileKind] = {
    "sendphoto": "photo",
    "sendvideo": "video",
    "sendanimation": "animation",
    "sendaudio": "audio",
    "sendvoice": "voice",
    "senddocument": "document",
    "sendsticker": "sticker",
    "sendvideonote": "video_note",
}


def _media_method(name: str, kind: FileKind) -> None:
    async def send_media(call: Call) -> dict[str, Any]:
        file = await _file(call, kind, call.params.text(kind) or kind)
        with call.world.changes:
            return _make(call, _place(call), _captioned(call.params, file), [file]).json()

    api_method(name)(send_media)


for _name, _kind in _KINDS.items():
    _media_method(_name, _kind)


def _captioned(params: Params, file: StoredFile) -> dict[str, Any]:
    body = file.described()
    if file.kind == "animation":
        body["document"] = body["animation"]
    caption, entities = written(params, "caption", MAX_CAPTION, "message caption")
    if caption:
        body["caption"] = caption
    if entities:
        body["caption_entities"] = entities
    return body


async def _file(call: Call, kind: FileKind, reference: str) -> StoredFile:
    """Return the file a parameter means: an upload, a file id, or an address to download."""
    upload = call.params.upload(reference)
    if upload is not None:
        attachment = Attachment(kind, upload.data, upload.filename, upload.content_type)
    elif reference.startswith(("http://", "https://")):
        attachment = Attachment(kind, await _downloaded(reference), reference.rpartition("/")[2])
    else:
        known = call.world.files.get(reference)
        if known is None:
            if reference == kind:
                raise bad_request(f"there is no {kind.replace('_', ' ')} in the request")
            raise bad_request("wrong remote file identifier specified: Wrong string length")
        attachment = Attachment(kind, known.data, known.filename, known.mime_type)
    if not attachment.data:
        raise bad_request("file must be non-empty")
    _check_size(kind, len(attachment.data))
    return call.world.files.store(attachment)


def _check_size(kind: FileKind, size: int) -> None:
    if size > MAX_UPLOAD:
        raise ApiError(413, "Request Entity Too Large")
    if kind == "photo" and size > MAX_PHOTO:
        raise bad_request(
            f"file of size {size} bytes is too big for a photo; at most {MAX_PHOTO} bytes"
        )


async def _downloaded(url: str) -> bytes:
    try:
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            answer.raise_for_status()
            return await answer.content.read(_URL_DOWNLOAD)
    except aiohttp.ClientError as error:
        raise bad_request("failed to get HTTP URL content") from error


@api_method("sendMediaGroup")
async def send_media_group(call: Call) -> list[dict[str, Any]]:
    """Carry out sendMediaGroup."""
    items = call.params.json("media", [])
    if len(items) not in ALBUM:
        raise bad_request("group of media must include 2-10 items")
    kinds = {item.get("type") for item in items}
    if len(kinds) > 1 and not kinds <= {"photo", "video"}:
        raise bad_request("can't mix audio or documents with other types in an album")
    files = [await _file(call, _album_kind(item), str(item.get("media", ""))) for item in items]
    with call.world.changes:
        place = _place(call, len(items))
        group = {"media_group_id": str(10**16 + place.chat.next_message_id)}
        made = []
        for item, file in zip(items, files, strict=True):
            body = _captioned(type(call.params)(item, {}), file)
            made.append(_make(call, place, {**body, **group}, [file]).json())
        return made


def _album_kind(item: dict[str, Any]) -> FileKind:
    kind = item.get("type")
    if kind not in {"photo", "video", "audio", "document"}:
        raise bad_request(f'unsupported media type "{kind}" in an album')
    return cast("FileKind", kind)


@api_method("sendChatAction")
async def send_chat_action(call: Call) -> bool:
    """Carry out sendChatAction."""
    action = call.params.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    with call.world.changes:
        chat = Call(call.world, call.bot, call.params).writable()
        chat.actions.append(action)
        call.world.changes.notify()
    return True
