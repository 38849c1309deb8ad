"""Messages that a bot is still writing: https://core.telegram.org/bots/api#sendmessagedraft."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cobot_telegram.testing.call import Call, api_method
from cobot_telegram.testing.errors import bad_request
from cobot_telegram.testing.sending import written
from cobot_telegram.testing.text import MAX_TEXT, Entity

if TYPE_CHECKING:
    from cobot_telegram.testing.chats import Chat


@dataclass(frozen=True, slots=True)
class Draft:
    """One state of a message that a bot is still writing.

    Attributes:
        id: the bot's number for it; a call with the same one changes the draft in place.
        text: what it says so far; empty: "Thinking…".
        entities: its formatting.
        topic: the forum topic it is in.
        at: when it was shown, in seconds of `time.monotonic`.
    """

    id: int
    text: str
    entities: list[Entity] = field(default_factory=list)
    topic: int | None = None
    at: float = field(default_factory=time.monotonic)


@api_method("sendMessageDraft")
async def send_message_draft(call: Call) -> bool:
    """Carry out sendMessageDraft: shown for a while, and no message."""
    with call.world.changes:
        text, entities = written(call.params, "text", MAX_TEXT, "message")
        chat = call.writable()
        if chat.kind != "private":
            raise bad_request("TEXTDRAFT_PEER_INVALID")
        topic = call.params.integer("message_thread_id") or None
        if topic is not None and topic not in chat.topics:
            raise bad_request("message thread not found")
        number = call.params.integer("draft_id")
        if not number:
            raise bad_request("RANDOM_ID_INVALID")
        _show(chat, Draft(number, text, entities, topic))
    return True


def _show(chat: Chat, draft: Draft) -> None:
    """Show a draft, and have those who wait for its end look again when it fades."""
    chat.show_draft(draft)
    asyncio.get_running_loop().call_later(chat.draft_seconds, chat.changes.notify)
