"""What an agent may like to know of a message beside its text: its `metadata`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cobot_telegram.fields import Json, if_readable, reply_to, sender_of, text_of
from cobot_telegram.formatting import as_markdown
from cobot_telegram.media import media_fields


@dataclass(frozen=True, slots=True)
class Me:
    """The bot itself."""

    id: int = 0
    username: str = ""


def facts_of(message: Json, me: Me) -> dict[str, Any]:
    """Return the `metadata` of a message, without what does not apply."""
    chat, user = message["chat"], message.get("from") or {}
    facts: dict[str, Any] = {
        "chat_type": chat["type"],
        "chat_title": chat.get("title"),
        "username": user.get("username"),
        "language": user.get("language_code"),
        "bot": user.get("is_bot") or None,
        "anonymous": isinstance(message.get("sender_chat"), dict) or None,
        "signature": message.get("author_signature"),
        "forwarded_from": if_readable(_origin, message.get("forward_origin")),
        "quote": (message.get("quote") or {}).get("text"),
        "replied": if_readable(_replied, message),
        "album": message.get("media_group_id"),
        "attachment": media_fields(message),
        "mentioned": _mentions(message, me) or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _origin(origin: Any) -> dict[str, str] | None:
    if not isinstance(origin, dict):
        return None
    user, chat = origin.get("sender_user"), origin.get("sender_chat") or origin.get("chat")
    found = {"kind": str(origin.get("type", ""))}
    if isinstance(user, dict):
        found |= dict(zip(("id", "name"), sender_of({"from": user}), strict=True))
    elif isinstance(chat, dict):
        found |= dict(zip(("id", "name"), sender_of({"sender_chat": chat}), strict=True))
    elif origin.get("sender_user_name"):
        found["name"] = str(origin["sender_user_name"])
    return found


def _replied(message: Json) -> dict[str, str] | None:
    """Return what is answered: in this chat, or (`external_reply`) in another."""
    answered = message.get("reply_to_message")
    if isinstance(answered, dict) and reply_to(message):
        text, entities = text_of(answered)
        sender_id, name = sender_of({"chat": message["chat"], **answered})
        return {"sender_id": sender_id, "sender_name": name, "content": as_markdown(text, entities)}
    external = message.get("external_reply")
    if isinstance(external, dict):
        return {"external": "true", **(_origin(external.get("origin")) or {})}
    return None


def _mentions(message: Json, me: Me) -> bool:
    """Tell whether a message is addressed to the bot, by name or as a reply."""
    answered = message.get("reply_to_message")
    if isinstance(answered, dict) and (answered.get("from") or {}).get("id") == me.id:
        return True
    text, entities = text_of(message)
    name = f"@{me.username}".lower()
    if not me.username or name not in text.lower():
        return any((e.get("user") or {}).get("id") == me.id for e in entities)
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in entities:
        start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
        word = units[start:end].decode("utf-16-le", "replace").lower()
        if entity.get("type") in {"mention", "bot_command"} and word.endswith(name):
            return True
    return False
