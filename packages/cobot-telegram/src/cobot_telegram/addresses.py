"""`channel_id`: a chat, or a topic of one (`-1001234567890/7`)."""

from __future__ import annotations

from cobot_session.errors import PermanentError


def channel_id(chat: object, topic: object = None) -> str:
    """Return the complete return address of a chat, or of a topic in it."""
    return f"{chat}/{topic}" if topic else str(chat)


def chat_and_topic(address: str) -> tuple[int | str, int | None]:
    """Return the chat id (or `@name` of a public one) and the topic of a `channel_id`.

    Raises:
        PermanentError: it is no address of a Telegram chat.
    """
    chat, slash, topic = address.partition("/")
    if chat.removeprefix("-").isdecimal() and (not slash or topic.isdecimal()):
        return int(chat), int(topic) if topic else None
    if chat.startswith("@") and not slash:
        return chat, None
    raise PermanentError(
        f"{address!r} is no Telegram chat: a number, `-100…/7` for a topic, or `@name`"
    )
