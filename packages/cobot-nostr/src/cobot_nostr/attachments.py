"""Files in events: kind 15 (NIP-17, encrypted) and `imeta` tags (NIP-92)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cobot_session.errors import PermanentError
from cobot_session.messages import Media

if TYPE_CHECKING:
    from cobot_nostr.event import Rumor
    from cobot_session.messages import MediaKind

PRIVATE_FILE = 15
_MOST_FILES = 20
_TOP_TYPES: dict[str, MediaKind] = {"image": "image", "video": "video", "audio": "audio"}


def media_of(rumor: Rumor) -> list[Media]:
    """Return the attachments of a message; what decrypts one is in its `id`."""
    if rumor.kind == PRIVATE_FILE:
        return [_private_file(rumor)] if _is_web(rumor.content.strip()) else []
    described = [_imeta(tag[1:]) for tag in rumor.tags if tag[0] == "imeta"]
    return [media for media in described if media is not None][:_MOST_FILES]


def _private_file(rumor: Rumor) -> Media:
    mime = rumor.value("file-type")
    secret = {
        name: rumor.value(tag) or ""
        for name, tag in {
            "algorithm": "encryption-algorithm",
            "key": "decryption-key",
            "nonce": "decryption-nonce",
            "sha256": "x",
        }.items()
    }
    return Media(
        kind=_kind(mime),
        id=json.dumps(secret),
        url=rumor.content.strip(),
        mime_type=mime,
        size=_number(rumor.value("size")),
    )


def _imeta(items: tuple[str, ...]) -> Media | None:
    fields = dict(item.split(" ", 1) for item in items if " " in item)
    url, mime = fields.get("url", ""), fields.get("m")
    if not _is_web(url):
        return None
    return Media(kind=_kind(mime), url=url, mime_type=mime, size=_number(fields.get("size")))


def decrypted(media: Media, data: bytes) -> bytes:
    """Return a downloaded file as it was before it was encrypted.

    Raises:
        PermanentError: it was changed on the way, or its encryption is unknown.
    """
    if not media.id:
        return data
    secret = json.loads(media.id)
    if secret["sha256"] and hashlib.sha256(data).hexdigest() != secret["sha256"].lower():
        raise PermanentError("the file is not the one that was sent: its hash differs")
    if secret["algorithm"] != "aes-gcm":
        raise PermanentError(f"the file's encryption is unknown: {secret['algorithm'][:20]!r}")
    try:
        key, nonce = bytes.fromhex(secret["key"]), bytes.fromhex(secret["nonce"])
        return AESGCM(key).decrypt(nonce, data, None)
    except (ValueError, InvalidTag):
        raise PermanentError("the file cannot be decrypted with the key that was sent") from None


def _kind(mime: str | None) -> MediaKind:
    return _TOP_TYPES.get((mime or "").partition("/")[0], "document")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 16 else None


def _is_web(url: str) -> bool:
    return url.startswith(("https://", "http://")) and url.isprintable() and " " not in url
