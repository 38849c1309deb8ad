"""Single fields of the Bot API's objects, read with care: any of them may be odd."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json: TypeAlias = "Mapping[str, Any]"

_DIGITS = re.compile(r"-?[0-9]{1,19}")
_ID_BOUND = 2**63
_SHOWN = 40


def id_of(value: Any) -> int:
    """Return an id of Telegram's; a server may write one as a string.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _ID_BOUND:
        raise ValueError(f"{str(value)[:_SHOWN]!r} is no id")
    return value


def if_readable(read: Callable[[Any], Any], what: Any) -> Any:
    """Return what is read; a fact that cannot be read must not cost the message."""
    try:
        return read(what)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def topic_of(message: Json) -> int | None:
    """Return the forum topic a message is in; a thread of replies is none."""
    topic = message.get("message_thread_id") if message.get("is_topic_message") else None
    return id_of(topic) if topic else None


def text_of(message: Json) -> tuple[str, list[Json]]:
    """Return text, or caption, and those entities over it that can be read."""
    name, names = ("text", "entities") if "text" in message else ("caption", "caption_entities")
    text = message.get(name) or ""
    if not isinstance(text, str):
        raise TypeError(f"`{name}` is a {type(text).__name__}")
    return text, [one for one in message.get(names) or () if _is_entity(one)]


def _is_entity(one: Any) -> bool:
    """Tell whether a piece of formatting can be read; one that cannot costs only itself."""
    return isinstance(one, dict) and all(isinstance(one.get(n), int) for n in ("offset", "length"))


def sender_of(message: Json) -> tuple[str, str]:
    """Return id and name of who speaks: for an anonymous admin or a channel, the chat's.

    All anonymous admins share one `from`, so that id must never be taken for a person's.
    """
    chat, user = message.get("sender_chat"), message.get("from")
    if isinstance(chat, dict):
        return str(id_of(chat["id"])), str(chat.get("title") or chat.get("username") or "")
    if not isinstance(user, dict):
        own = message["chat"]
        return str(id_of(own["id"])), str(own.get("title") or "")
    names = (user.get("first_name"), user.get("last_name"))
    return str(id_of(user["id"])), " ".join(str(name) for name in names if name)


def reply_to(message: Json) -> str | None:
    """Return the id of the message that is answered."""
    answered = message.get("reply_to_message")
    if not isinstance(answered, dict):
        return None
    if "forum_topic_created" in answered:
        return None  # every message in a topic "answers" the one that opened it
    return str(id_of(answered["message_id"]))


def when(seconds: Any) -> datetime:
    """Return a date of Telegram's: seconds since 1970."""
    return datetime.fromtimestamp(int(seconds), UTC)
