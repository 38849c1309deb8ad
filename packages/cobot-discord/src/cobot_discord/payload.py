"""The body of a message as Discord takes it.

https://discord.com/developers/docs/resources/message#create-message
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cobot_session.errors import PermanentError

if TYPE_CHECKING:
    from cobot_session.messages import Media, OutgoingMessage

NOBODY: dict[str, Any] = {"parse": [], "replied_user": False}
"""`allowed_mentions` of all that is sent or edited: no text pings anyone."""

SUPPRESS_EMBEDS, SILENT = 1 << 2, 1 << 12
_MENTION_KEYS = frozenset({"parse", "users", "roles", "replied_user"})
_PARSE = frozenset({"everyone", "users", "roles"})


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a message."""

    name: str
    data: bytes
    mime_type: str


def body(message: OutgoingMessage) -> dict[str, Any]:
    """Return the JSON of one part.

    Raises:
        PermanentError: a documented key of `metadata` has a wrong shape.
    """
    metadata = message.metadata
    made: dict[str, Any] = {
        "content": message.content,
        "allowed_mentions": mentions(metadata.get("allowed_mentions")),
    }
    if message.id:
        made |= {"nonce": message.id, "enforce_nonce": True}
    if message.reply_to:
        reference = {"message_id": message.reply_to, "fail_if_not_exists": False}
        made["message_reference"] = reference
    if metadata.get("embeds"):
        made["embeds"] = _objects(metadata["embeds"], "embeds")
    flags = SUPPRESS_EMBEDS if metadata.get("suppress_embeds") else 0
    flags |= SILENT if metadata.get("silent") else 0
    return {**made, "flags": flags} if flags else made


def mentions(wish: Any) -> dict[str, Any]:
    """Return an `allowed_mentions` object: nobody, unless the message asks for more.

    Args:
        wish: `None`, or Discord's own object: `parse` (`everyone`, `users`, `roles`), `users` and
            `roles` (ids), `replied_user`.

    Raises:
        PermanentError: it is something else.
    """
    if wish is None:
        return NOBODY
    if not isinstance(wish, dict) or not wish.keys() <= _MENTION_KEYS:
        raise PermanentError(_wrong("allowed_mentions", f"an object of {sorted(_MENTION_KEYS)}"))
    parse = wish.get("parse", [])
    if not isinstance(parse, list | tuple) or not _PARSE.issuperset(parse):
        raise PermanentError(_wrong("allowed_mentions.parse", f"a list of {sorted(_PARSE)}"))
    ids = {kind: [str(one) for one in wish[kind]] for kind in ("users", "roles") if wish.get(kind)}
    return {"parse": list(parse), "replied_user": bool(wish.get("replied_user")), **ids}


async def upload(media: Media) -> Upload:
    """Return the bytes of an outgoing attachment, read from its file if need be.

    Raises:
        PermanentError: it names neither a file that can be read nor data.
    """
    name = media.filename or (Path(media.path).name if media.path else media.kind)
    if media.data is not None:
        data = media.data
    elif media.path is not None:
        try:
            data = await asyncio.to_thread(Path(media.path).read_bytes)
        except OSError as error:
            raise PermanentError(f"attachment {name!r}: {error.strerror}") from error
    else:
        raise PermanentError(f"attachment {name!r} names no path, url or data")
    kind = media.mime_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Upload(name, data, kind)


def form(content: dict[str, Any], uploads: list[Upload]) -> list[dict[str, Any]]:
    """Return the fields of a multipart body."""
    listed = [{"id": n, "filename": one.name} for n, one in enumerate(uploads)]
    text = json.dumps({**content, "attachments": listed})
    fields: list[dict[str, Any]] = [{"name": "payload_json", "value": text}]
    for n, one in enumerate(uploads):
        fields.append(
            {
                "name": f"files[{n}]",
                "value": one.data,
                "filename": one.name,
                "content_type": one.mime_type,
            }
        )
    return fields


def _objects(value: Any, key: str) -> list[dict[str, Any]]:
    made = [value] if isinstance(value, dict) else value
    if not isinstance(made, list | tuple) or not all(isinstance(one, dict) for one in made):
        raise PermanentError(_wrong(key, "a list of embed objects"))
    return list(made)


def _wrong(key: str, rule: str) -> str:
    return f"metadata[{key!r}] should be {rule}"
