"""Updates of the Bot API become messages: https://core.telegram.org/bots/api#update.

It reads the JSON itself: one update that is malformed, or newer than any library, must not take
the others of its batch with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from cobot_session.messages import IncomingMessage, Kind
from cobot_telegram.addresses import channel_id
from cobot_telegram.formatting import as_markdown
from cobot_telegram.media import media_fields, media_of
from cobot_telegram.wording import described

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json: TypeAlias = "Mapping[str, Any]"

ALLOWED_UPDATES = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "message_reaction",
    "callback_query",
)
"""What the channel asks for; `message_reaction` only comes when it is named."""


class MalformedUpdate(ValueError):
    """An update that is not what the Bot API says it is."""


@dataclass(frozen=True, slots=True)
class Me:
    """The bot itself."""

    id: int = 0
    username: str = ""


def parse(update: Json, me: Me) -> IncomingMessage | None:
    """Return the message an update stands for; `None` for one that means nothing to an agent.

    Service messages (somebody joined, a message was pinned) and kinds this channel does not know
    mean nothing to an agent.

    Raises:
        MalformedUpdate: it lacks what such an update has.
    """
    try:
        number = int(update["update_id"])
        for kind, read in _READERS.items():
            if isinstance(update.get(kind), dict):
                return read(update[kind], number, me)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedUpdate(f"{type(error).__name__}: {error}") from error
    return None


def message_of(update: Json) -> Json:
    """Return the new message or channel post in an update, empty when it has none."""
    found = update.get("message") or update.get("channel_post")
    return found if isinstance(found, dict) else {}


def chat_of(update: Json) -> str:
    """Return the chat an update belongs to, empty when it belongs to none."""
    for payload in update.values():
        inner = payload.get("message", payload) if isinstance(payload, dict) else None
        chat = inner.get("chat") if isinstance(inner, dict) else None
        if isinstance(chat, dict):
            return str(chat.get("id", ""))
    return ""


def migration(update: Json) -> tuple[str, str] | None:
    """Return old and new chat id when an update says that a group became a supergroup."""
    message = message_of(update)
    chat = message.get("chat")
    new = message.get("migrate_to_chat_id")
    if new is None or not isinstance(chat, dict) or "id" not in chat:
        return None
    return str(chat["id"]), str(new)


def _message(message: Json, number: int, me: Me, kind: Kind = "message") -> IncomingMessage | None:
    media = media_of(message)
    text, entities = _text_of(message)
    extra = described(message)
    if not (text or media or extra):
        return None
    chat = message["chat"]
    metadata = _facts(message, me)
    if extra:
        metadata[extra.field] = extra.value
    if kind == "edit":
        metadata["edited_at"] = _when(message.get("edit_date", message["date"])).isoformat()
    sender_id, sender_name = _sender(message)
    return IncomingMessage(
        id=str(message["message_id"]),
        channel_type="",
        channel_id=channel_id(chat["id"], topic_of(message)),
        sender_id=sender_id,
        sender_name=sender_name,
        content=as_markdown(text, entities) or (extra.text if extra else ""),
        timestamp=_when(message["date"]),
        reply_to=_reply_to(message),
        media=media,
        metadata=metadata,
        kind=kind,
        key=str(number),
        direct=chat["type"] == "private",
        space_id=None if chat["type"] == "private" else str(chat["id"]),
    )


def _edit(message: Json, number: int, me: Me) -> IncomingMessage | None:
    return _message(message, number, me, "edit")


def _reaction(change: Json, number: int, _me: Me) -> IncomingMessage | None:
    chat, message_id = change["chat"], str(change["message_id"])
    before = [_emoji(one) for one in change["old_reaction"]]
    now = [_emoji(one) for one in change["new_reaction"]]
    added = [emoji for emoji in now if emoji not in before]
    sender_id, sender_name = _sender(
        {"from": change.get("user"), "sender_chat": change.get("actor_chat")}
    )
    return IncomingMessage(
        id=f"{message_id}:{number}",
        channel_type="",
        channel_id=channel_id(chat["id"]),
        sender_id=sender_id,
        sender_name=sender_name,
        content=added[-1] if added else "",
        timestamp=_when(change["date"]),
        reply_to=message_id,
        metadata={"reactions": now, "chat_type": chat["type"]},
        kind="reaction",
        key=str(number),
        direct=chat["type"] == "private",
        space_id=None if chat["type"] == "private" else str(chat["id"]),
    )


def _callback(query: Json, number: int, _me: Me) -> IncomingMessage | None:
    message = query.get("message")
    if not isinstance(message, dict):
        return None  # a button under an inline message: it belongs to no chat the bot can see
    chat = message["chat"]
    sender_id, sender_name = _sender({"from": query["from"]})
    return IncomingMessage(
        id=str(query["id"]),
        channel_type="",
        channel_id=channel_id(chat["id"], topic_of(message)),
        sender_id=sender_id,
        sender_name=sender_name,
        content=str(query.get("data") or query.get("game_short_name") or ""),
        timestamp=datetime.now(UTC),  # a press carries no time of its own
        reply_to=str(message["message_id"]),
        metadata={"chat_type": chat["type"]},
        kind="callback",
        key=str(number),
        direct=chat["type"] == "private",
        space_id=None if chat["type"] == "private" else str(chat["id"]),
    )


_READERS: dict[str, Callable[[Json, int, Me], IncomingMessage | None]] = {
    "message": _message,
    "channel_post": _message,
    "edited_message": _edit,
    "edited_channel_post": _edit,
    "message_reaction": _reaction,
    "callback_query": _callback,
}


def topic_of(message: Json) -> int | None:
    """Return the forum topic a message is in; a thread of replies is none."""
    return message.get("message_thread_id") if message.get("is_topic_message") else None


def _text_of(message: Json) -> tuple[str, list[Json]]:
    if message.get("text") is not None:
        return str(message["text"]), list(message.get("entities") or [])
    return str(message.get("caption") or ""), list(message.get("caption_entities") or [])


def _sender(message: Json) -> tuple[str, str]:
    """Return id and name of who speaks: for an anonymous admin or a channel, the chat's.

    All anonymous admins share one `from`, so that id must never be taken for a person's.
    """
    chat, user = message.get("sender_chat"), message.get("from")
    if isinstance(chat, dict):
        return str(chat["id"]), str(chat.get("title") or chat.get("username") or "")
    if not isinstance(user, dict):
        own = message["chat"]
        return str(own["id"]), str(own.get("title") or "")
    names = (user.get("first_name"), user.get("last_name"))
    return str(user["id"]), " ".join(str(name) for name in names if name)


def _reply_to(message: Json) -> str | None:
    answered = message.get("reply_to_message")
    if not isinstance(answered, dict):
        return None
    if "forum_topic_created" in answered:
        return None  # every message in a topic "answers" the one that opened it
    return str(answered["message_id"])


def _facts(message: Json, me: Me) -> dict[str, Any]:
    chat, user = message["chat"], message.get("from") or {}
    facts: dict[str, Any] = {
        "chat_type": chat["type"],
        "chat_title": chat.get("title"),
        "username": user.get("username"),
        "language": user.get("language_code"),
        "bot": user.get("is_bot") or None,
        "anonymous": isinstance(message.get("sender_chat"), dict) or None,
        "signature": message.get("author_signature"),
        "forwarded_from": _origin(message.get("forward_origin")),
        "quote": (message.get("quote") or {}).get("text"),
        "replied": _replied(message),
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
        found |= dict(zip(("id", "name"), _sender({"from": user}), strict=True))
    elif isinstance(chat, dict):
        found |= dict(zip(("id", "name"), _sender({"sender_chat": chat}), strict=True))
    elif origin.get("sender_user_name"):
        found["name"] = str(origin["sender_user_name"])
    return found


def _replied(message: Json) -> dict[str, str] | None:
    """Return what is answered: in this chat, or (`external_reply`) in another."""
    answered = message.get("reply_to_message")
    if isinstance(answered, dict) and _reply_to(message):
        text, entities = _text_of(answered)
        sender_id, name = _sender({"chat": message["chat"], **answered})
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
    text, entities = _text_of(message)
    name = f"@{me.username}".lower()
    if not me.username or name not in text.lower():
        return any((e.get("user") or {}).get("id") == me.id for e in entities)
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in entities:
        start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
        word = units[start:end].decode("utf-16-le", "replace").lower()
        if entity["type"] in {"mention", "bot_command"} and word.endswith(name):
            return True
    return False


def _emoji(reaction: Json) -> str:
    if reaction["type"] == "emoji":
        return str(reaction["emoji"])
    return "⭐" if reaction["type"] == "paid" else f"custom:{reaction.get('custom_emoji_id', '')}"


def _when(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
