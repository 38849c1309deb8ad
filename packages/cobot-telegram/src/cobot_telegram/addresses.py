"""`channel_id`: a chat, or a topic of one (`-1001234567890/7`)."""

from __future__ import annotations

import re
from hashlib import blake2b

from cobot_session.errors import PermanentError

NO_CHAT = "is no Telegram chat: a number, `-100…/7` for a topic, or `@name`"
"""What is wrong with an address that is none."""
_CHAT = re.compile(r"(-?[0-9]{1,19})(?:/([0-9]{1,10}))?")
_PUBLIC = re.compile(r"@[A-Za-z0-9_]{1,64}")
_MESSAGE = re.compile(r"[0-9]{1,19}")
_DRAFT_BYTES = 6
"""48 bits: a JSON number that any client and server holds exactly."""
_SHOWN = 80
"""Characters of a wrong address that an error repeats."""


def channel_id(chat: object, topic: object = None) -> str:
    """Return the complete return address of a chat, or of a topic in it."""
    return f"{chat}/{topic}" if topic else str(chat)


def chat_and_topic(address: str) -> tuple[int | str, int | None]:
    """Return the chat id (or `@name` of a public one) and the topic of a `channel_id`.

    Raises:
        PermanentError: it is no address of a Telegram chat.
    """
    if found := _CHAT.fullmatch(address):
        chat, topic = found.groups()
        return int(chat), int(topic) if topic else None
    if _PUBLIC.fullmatch(address):
        return address, None
    raise PermanentError(f"{address[:_SHOWN]!r} {NO_CHAT}")


def is_private(address: str) -> bool:
    """Tell whether a `channel_id` is a chat with one person: only their ids are positive."""
    chat, _ = chat_and_topic(address)
    return isinstance(chat, int) and chat > 0


def draft_number(answer_id: str) -> int:
    """Return the number of an answer's draft: the same whenever it is shown, and never 0."""
    digest = blake2b(answer_id.encode("utf-8", "surrogatepass"), digest_size=_DRAFT_BYTES).digest()
    return int.from_bytes(digest) or 1


def message_number(message_id: str) -> int:
    """Return the number of a message.

    Raises:
        PermanentError: it is no id of a Telegram message.
    """
    if not _MESSAGE.fullmatch(message_id):
        raise PermanentError(
            f"{message_id[:_SHOWN]!r} is no id of a Telegram message: they are numbers"
        )
    return int(message_id)
