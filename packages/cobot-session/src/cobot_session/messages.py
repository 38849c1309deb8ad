"""What travels through a session: messages in, messages out, attachments, receipts.

All are plain dataclasses. The first fields of the two messages, and their order, are those of the
cobot agent's session plugin, so a channel written for either works with both; what we add comes
after them and has a default. Every id is a string.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

Kind: TypeAlias = Literal["message", "edit", "reaction", "deletion", "callback"]
MediaKind: TypeAlias = Literal["image", "video", "audio", "voice", "document", "sticker"]
ReceiptStatus: TypeAlias = Literal["sent", "queued", "partial", "unknown", "failed"]

MAX_ID_LENGTH = 25
"""Characters an `OutgoingMessage.id` may have: the shortest key it maps to is a Discord nonce."""

_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_PAIRS = [first + second for first in _ID_ALPHABET for second in _ID_ALPHABET]
_ID_SHIFTS = range(0, 100, 10)


def new_id() -> str:
    """Return a fresh random id: 20 characters, 100 bits, safe in a URL and a file name."""
    bits = secrets.randbits(100)
    return "".join([_ID_PAIRS[bits >> shift & 1023] for shift in _ID_SHIFTS])


@dataclass
class Media:
    """One attachment.

    An incoming one is fetched when asked (`session.fetch(media)`); an outgoing one names exactly
    one of `path`, `url` and `data`.

    Attributes:
        kind: what it is.
        id: the platform's file id, for `session_fetch`.
        url: where it can be downloaded.
        path: a local file.
        data: its bytes.
        filename: the name to show; never used as a path unchecked.
        mime_type: such as `image/png`.
        size: bytes.
        channel_type: the channel it came in by; stamped by the session.
    """

    kind: MediaKind = "document"
    id: str | None = None
    url: str | None = None
    path: Path | str | None = None
    data: bytes | None = field(default=None, repr=False)
    filename: str | None = None
    mime_type: str | None = None
    size: int | None = None
    channel_type: str = ""


@dataclass
class IncomingMessage:
    """Something that happened in a chat, normalised.

    Attributes:
        id: the platform's message id (for an edit or a deletion, of the message concerned).
        channel_type: the channel's name in `cobot.yml`; stamped by the session.
        channel_id: the complete return address of the chat.
        sender_id: stable id of the person; what access rules match.
        sender_name: for showing only.
        content: the text, as Markdown where the platform has formatting; for a reaction the emoji
            (empty when taken back), for a callback the button's data, for a deletion empty.
        timestamp: aware, UTC. A naive one is taken as UTC, with a warning.
        reply_to: id of the message answered, reacted to, or carrying the button.
        media: attachments.
        metadata: documented by each channel. The session adds `redelivered: True` to a message
            that was handed out before.
        kind: what happened.
        key: unique for each occurrence and equal when it is delivered again; made from channel,
            chat, id, kind and content when left empty.
        direct: a chat with one person.
        space_id: the guild or server the chat belongs to.
        roles: role ids of the sender within `space_id`.
    """

    id: str
    channel_type: str
    channel_id: str
    sender_id: str
    sender_name: str
    content: str
    timestamp: datetime
    reply_to: str | None = None
    media: list[Media] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    kind: Kind = "message"
    key: str = ""
    direct: bool = False
    space_id: str | None = None
    roles: list[str] = field(default_factory=list)


@dataclass
class OutgoingMessage:
    """A message to send.

    Attributes:
        channel_type: which channel; empty: `session.default_channel`.
        channel_id: which chat; empty: that channel's default chat.
        content: the text, as Markdown unless `session.format` says `text`.
        reply_to: platform id of the message to quote.
        media: attachments.
        metadata: options documented by each channel.
        id: idempotency key, at most 25 characters. Sending the same id twice sends once. Left
            empty, the session makes one; the receipt tells it.
    """

    channel_type: str = ""
    channel_id: str = ""
    content: str = ""
    reply_to: str | None = None
    media: list[Media] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What `session_send` and its kin may return when there is more to tell than message ids.

    Attributes:
        message_ids: the platform's ids of what was made.
        detail: JSON-like facts that end in `Receipt.detail`, such as each relay's answer.
    """

    message_ids: tuple[str, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one outgoing message. True when it was delivered or is safely stored.

    Attributes:
        id: the message's id.
        status: `sent`: delivered whole. `queued`: stored, will be delivered. `partial`: some parts
            were delivered, the rest never will be. `unknown`: it left, no answer came, and trying
            again could double it. `failed`: not delivered and never will be.
        message_ids: the platform's ids, in the order of the parts.
        error: why it is not (yet) `sent`.
        attempts: how many times the channel was called for it.
        detail: facts a channel adds.
    """

    id: str
    status: ReceiptStatus
    message_ids: tuple[str, ...] = ()
    error: str | None = None
    attempts: int = 0
    detail: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.status in {"sent", "queued"}
