"""Attachments of a Telegram message as `Media`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cobot_session.messages import Media, MediaKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS: dict[str, tuple[MediaKind, str, str]] = {
    "animation": ("video", "animation.mp4", "video/mp4"),
    "audio": ("audio", "audio.mp3", "audio/mpeg"),
    "document": ("document", "document", "application/octet-stream"),
    "photo": ("image", "photo.jpg", "image/jpeg"),
    "sticker": ("sticker", "sticker.webp", "image/webp"),
    "video": ("video", "video.mp4", "video/mp4"),
    "video_note": ("video", "video_note.mp4", "video/mp4"),
    "voice": ("voice", "voice.ogg", "audio/ogg"),
}
"""Field of a Message -> kind, default name, default media type. An animation also comes as a
document, so it stands first."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u202a-\u202e\u2066-\u2069]+")
_LONGEST_NAME = 120


def media_of(message: Mapping[str, Any]) -> list[Media]:
    """Return what is attached to a message; nothing is downloaded.

    Raises:
        KeyError, TypeError, ValueError: the message is malformed.
    """
    for field, (kind, name, mime_type) in _KINDS.items():
        found = message.get(field)
        if not found:
            continue
        one = max(found, key=_area) if field == "photo" else found
        size = one.get("file_size")
        return [
            Media(
                kind=kind,
                id=str(one["file_id"]),
                filename=safe_name(one.get("file_name")) or name,
                mime_type=str(one.get("mime_type") or _sticker_type(field, one) or mime_type),
                size=int(size) if size is not None else None,
            )
        ]
    return []


def media_fields(message: Mapping[str, Any]) -> str | None:
    """Return which field of a message holds its attachment."""
    return next((field for field in _KINDS if message.get(field)), None)


def safe_name(name: object) -> str:
    """Return a sender's file name as one path component without surprises; empty: none is left."""
    whole = str(name or "").encode("utf-8", "replace").decode()
    text = _UNSAFE.sub("_", whole).strip().lstrip(".").strip()
    if len(text) <= _LONGEST_NAME:
        return text
    stem, dot, suffix = text.rpartition(".")
    keep = _LONGEST_NAME - len(suffix) - 1
    return f"{stem[:keep]}.{suffix}" if dot and keep > 0 else text[:_LONGEST_NAME]


def _area(photo: Mapping[str, Any]) -> int:
    return int(photo.get("width", 0)) * int(photo.get("height", 0))


def _sticker_type(field: str, one: Mapping[str, Any]) -> str | None:
    if field == "sticker" and one.get("is_animated"):
        return "application/x-tgsticker"
    return "video/webm" if field == "sticker" and one.get("is_video") else None
