"""What a channel returned becomes a message of ours: stamped, typed, with a key."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args

from cobot_session.attachments import safe_filename, safe_mime_type, safe_size, safe_url
from cobot_session.messages import IncomingMessage, Kind, Media, MediaKind

log = logging.getLogger("cobot_session.channel")

_KINDS = frozenset(get_args(Kind))
_MEDIA_KINDS = frozenset(get_args(MediaKind))
_BYTES = (bytes, bytearray, memoryview)
_MEDIA_FIELDS = frozenset(field.name for field in fields(Media))
_KEY_BYTES = 16

_told_naive: set[str] = set()


def incoming(message: Any, channel_type: str) -> IncomingMessage:
    """Return a copy of a channel's message, recognised by what it has.

    Raises:
        ValueError: it lacks what a message must have; the text names the field and the rule.
    """
    kind: Any = getattr(message, "kind", "message")
    if kind not in _KINDS:
        raise ValueError(f"`kind` is {kind!r}, not one of {', '.join(sorted(_KINDS))}")
    content = getattr(message, "content", None)
    if content is not None and not isinstance(content, str):
        raise ValueError(f"`content` is a {type(content).__name__}, not a str")
    made = IncomingMessage(
        id=_text(message, "id"),
        channel_type=channel_type,
        channel_id=_text(message, "channel_id"),
        sender_id=_text(message, "sender_id", required=False),
        sender_name=_text(message, "sender_name", required=False),
        content=content or "",
        timestamp=_timestamp(message, channel_type),
        reply_to=_optional(message, "reply_to"),
        media=[_media(one, channel_type) for one in getattr(message, "media", None) or ()],
        metadata=dict(getattr(message, "metadata", None) or {}),
        kind=kind,
        direct=bool(getattr(message, "direct", False)),
        space_id=_optional(message, "space_id"),
        roles=[_clean(role) for role in getattr(message, "roles", None) or ()],
    )
    made.key = _optional(message, "key") or _default_key(made)
    return made


def _text(message: Any, name: str, *, required: bool = True) -> str:
    value = getattr(message, name, None)
    if value is None or value == "":
        if required:
            raise ValueError(f"`{name}` is missing")
        return ""
    if not isinstance(value, str | int):
        raise ValueError(f"`{name}` is a {type(value).__name__}, not a str")
    return _clean(value)


def _optional(message: Any, name: str) -> str | None:
    value = getattr(message, name, None)
    return None if value is None or value == "" else _clean(value)


def _clean(value: object) -> str:
    """Return an id as text that any store takes: half a surrogate pair is no character."""
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _timestamp(message: Any, channel_type: str) -> datetime:
    value = getattr(message, "timestamp", None)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, datetime):
        raise ValueError(f"`timestamp` is a {type(value).__name__}, not a datetime")
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    if channel_type not in _told_naive:
        _told_naive.add(channel_type)
        log.warning(
            "%s gives timestamps without a time zone; they are taken as UTC."
            " Use `datetime.now(UTC)` or `datetime.fromtimestamp(seconds, UTC)`.",
            channel_type,
        )
    return value.replace(tzinfo=UTC)


def _media(one: Any, channel_type: str) -> Media:
    found = dict(one) if isinstance(one, Mapping) else _attributes(one, _MEDIA_FIELDS)
    values = {name: value for name, value in found.items() if name in _MEDIA_FIELDS}
    kind = values.get("kind", found.get("type"))
    values["kind"] = kind if kind in _MEDIA_KINDS else "document"
    values["channel_type"] = channel_type
    made = Media(**values)
    made.filename = safe_filename(str(made.filename)) if made.filename else None
    made.mime_type = safe_mime_type(str(made.mime_type)) if made.mime_type else None
    made.size = safe_size(made.size)
    made.data = bytes(made.data) if isinstance(made.data, _BYTES) else None
    made.url = safe_url(str(made.url)) if made.url else None
    return made


def _attributes(one: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names if hasattr(one, name)}


def _default_key(message: IncomingMessage) -> str:
    """Return a key made from what tells one occurrence from another."""
    facts = (message.channel_type, message.channel_id, message.id, message.kind, message.content)
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    for fact in facts:
        text = fact.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()
