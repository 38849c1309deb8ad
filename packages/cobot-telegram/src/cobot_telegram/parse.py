"""Updates of the Bot API become messages: https://core.telegram.org/bots/api#update.

It reads the JSON itself: one update that is malformed, or newer than any library, must not take
the others of its batch with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cobot_session.messages import IncomingMessage, Kind
from cobot_telegram.addresses import channel_id
from cobot_telegram.facts import Me, facts_of
from cobot_telegram.fields import (
    Json,
    id_of,
    if_readable,
    reply_to,
    sender_of,
    text_of,
    topic_of,
    when,
)
from cobot_telegram.formatting import as_markdown
from cobot_telegram.media import media_of
from cobot_telegram.wording import described

if TYPE_CHECKING:
    from collections.abc import Callable

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


def parse(update: Json, me: Me) -> IncomingMessage | None:
    """Return the message an update stands for; `None` for one that means nothing to an agent.

    Service messages (somebody joined, a message was pinned) and kinds this channel does not know
    mean nothing to an agent.

    Raises:
        MalformedUpdate: it lacks what such an update has.
    """
    try:
        number = id_of(update["update_id"])
        for kind, read in _READERS.items():
            if isinstance(update.get(kind), dict):
                return read(update[kind], number, me)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedUpdate(f"{type(error).__name__}: {error}") from error
    return None


def number_of(update: object) -> int | None:
    """Return an update's number; `None`: it has none that Telegram could be told of."""
    number = update.get("update_id") if isinstance(update, dict) else None
    try:
        return None if number is None else id_of(number)
    except ValueError:
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
    try:
        return str(id_of(chat["id"])), str(id_of(new))
    except ValueError as error:
        raise MalformedUpdate(str(error)) from None


def _message(message: Json, number: int, me: Me, kind: Kind = "message") -> IncomingMessage | None:
    media = media_of(message)
    text, entities = text_of(message)
    extra = described(message)
    if not (text or media or extra):
        return None
    chat = message["chat"]
    metadata = facts_of(message, me)
    if extra:
        metadata[extra.field] = extra.value
    if kind == "edit":
        metadata["edited_at"] = when(message.get("edit_date", message["date"])).isoformat()
    sender_id, sender_name = sender_of(message)
    return IncomingMessage(
        id=str(id_of(message["message_id"])),
        channel_type="",
        channel_id=channel_id(id_of(chat["id"]), topic_of(message)),
        sender_id=sender_id,
        sender_name=sender_name,
        content=as_markdown(text, entities) or (extra.text if extra else ""),
        timestamp=when(message["date"]),
        reply_to=if_readable(reply_to, message),
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
    chat, message_id = change["chat"], str(id_of(change["message_id"]))
    before = [_emoji(one) for one in change["old_reaction"]]
    now = [_emoji(one) for one in change["new_reaction"]]
    added = [emoji for emoji in now if emoji not in before]
    sender_id, sender_name = sender_of(
        {"from": change.get("user"), "sender_chat": change.get("actor_chat")}
    )
    return IncomingMessage(
        id=f"{message_id}:{number}",
        channel_type="",
        channel_id=channel_id(id_of(chat["id"])),
        sender_id=sender_id,
        sender_name=sender_name,
        content=added[-1] if added else "",
        timestamp=when(change["date"]),
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
    sender_id, sender_name = sender_of({"from": query["from"]})
    return IncomingMessage(
        id=str(query["id"]),
        channel_type="",
        channel_id=channel_id(id_of(chat["id"]), topic_of(message)),
        sender_id=sender_id,
        sender_name=sender_name,
        content=str(query.get("data") or query.get("game_short_name") or ""),
        timestamp=datetime.now(UTC),  # a press carries no time of its own
        reply_to=str(id_of(message["message_id"])),
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


def _emoji(reaction: Json) -> str:
    if reaction["type"] == "emoji":
        return str(reaction["emoji"])
    return "⭐" if reaction["type"] == "paid" else f"custom:{reaction.get('custom_emoji_id', '')}"
