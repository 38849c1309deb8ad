"""What Telegram sends: updates, whether asked for or pushed, and answers to calls."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from cobot_session.errors import PermanentError
from cobot_telegram.albums import gathered
from cobot_telegram.bot import message_ids
from cobot_telegram.client import _file_path
from cobot_telegram.entities import convert, utf16_length
from cobot_telegram.facts import Me
from cobot_telegram.parse import (
    MalformedUpdate,
    chat_of,
    message_of,
    migration,
    number_of,
    parse,
)
from cobot_telegram.parts import MAX_TEXT, Cutter
from cobot_telegram.request import AiohttpRequest, NoAnswer, Refused, refused
from fuzzing.values import Source

ME = Me(700000001, "test_1_bot")
ANN: dict[str, Any] = {"id": 5, "is_bot": False, "first_name": "Ann", "username": "ann"}
GROUP: dict[str, Any] = {"id": -1001, "type": "supergroup", "title": "G", "is_forum": True}
SAID: dict[str, Any] = {
    "message_id": 7, "from": ANN, "chat": GROUP, "date": 1767225600, "text": "hi @test_1_bot 👍 x",
    "message_thread_id": 3, "is_topic_message": True, "media_group_id": "9",
    "entities": [
        {"type": "mention", "offset": 3, "length": 11},
        {"type": "text_link", "offset": 0, "length": 2, "url": "https://a.example/"},
        {"type": "text_mention", "offset": 0, "length": 2, "user": ANN},
        {"type": "pre", "offset": 0, "length": 4, "language": "py"},
        {"type": "blockquote", "offset": 0, "length": 9},
    ],
    "reply_to_message": {"message_id": 6, "from": ANN, "chat": GROUP, "date": 1, "text": "before"},
    "forward_origin": {"type": "user", "sender_user": ANN, "date": 1},
}  # fmt: skip
FILE: dict[str, Any] = {
    "message_id": 8, "from": ANN, "chat": {"id": 5, "type": "private"}, "date": 1,
    "caption": "see", "photo": [{"file_id": "p", "width": 9, "height": 9, "file_size": 3}],
    "document": {"file_id": "d", "file_name": "../x.pdf", "mime_type": "a/b", "file_size": 3},
    "sender_chat": GROUP, "external_reply": {"origin": {"type": "channel", "chat": GROUP}},
    "quote": {"text": "q", "position": 0}, "edit_date": 2,
    "location": {"latitude": 1.0, "longitude": 2.0}, "poll": {"question": "?", "options": [{}]},
    "contact": {"phone_number": "1", "first_name": "Bo"}, "dice": {"emoji": "🎲", "value": 3},
    "venue": {"title": "t", "address": "a", "location": {"latitude": 1.0, "longitude": 2.0}},
    "migrate_to_chat_id": -1009,
}  # fmt: skip
UPDATES: list[dict[str, Any]] = [
    {"update_id": 1, "message": SAID},
    {"update_id": 2, "edited_message": FILE},
    {"update_id": 3, "channel_post": FILE},
    {
        "update_id": 4,
        "message_reaction": {
            "chat": GROUP, "message_id": 7, "user": ANN, "date": 1, "actor_chat": GROUP,
            "old_reaction": [{"type": "custom_emoji", "custom_emoji_id": "1"}],
            "new_reaction": [{"type": "emoji", "emoji": "👍"}, {"type": "paid"}],
        },
    },
    {"update_id": 5, "callback_query": {"id": "c", "from": ANN, "data": "d", "message": SAID}},
]  # fmt: skip
ANSWERS: list[Any] = [
    {"ok": True, "result": {"message_id": 7, "file_path": "photos/1.jpg"}},
    {"ok": True, "result": [{"message_id": 7}, {"message_id": 8}]},
    {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 3",
        "parameters": {"retry_after": 3, "migrate_to_chat_id": -1009},
    },
]


def telegram_update(data: bytes) -> None:
    """An update, as `getUpdates` and the webhook bring them; pieces of albums, too."""
    source = Source(data)
    updates = [source.value(UPDATES) for _ in range(1 + source.below(3))]
    known = [one for one in updates if number_of(one) is not None]
    for update in known:
        message_of(update)
        chat_of(update)
        with suppress(MalformedUpdate):
            migration(update)
    gathered(known, _read)


def _read(update: Any) -> Any:
    with suppress(MalformedUpdate):
        return parse(update, ME)
    return None


def telegram_answer(data: bytes) -> None:
    """The answer to a call, of Telegram or of whatever stands in between."""
    source = Source(data)
    body = json.dumps(source.value(ANSWERS)).encode() if source.below(4) else source.rest()
    told: Any = refused(429, body)
    seconds, moved = told.retry_after, told.migrate_to
    if seconds is not None and not 0 <= seconds <= 86_400:
        raise AssertionError(f"nobody waits for {seconds} s")
    if not isinstance(told.description, str) or not isinstance(moved, int | None):
        raise TypeError("a refusal says something that is no text, or leads nowhere")
    with suppress(Refused, NoAnswer, PermanentError):
        result = AiohttpRequest.parse_json_payload(body)["result"]
        message_ids(result)
        _file_path(result)


def telegram_markdown(data: bytes) -> None:
    """What the agent says, perhaps in a stranger's words: formatting that fits its text."""
    text, entities = convert(Source(data).text())
    units = utf16_length(text)
    if any(e["offset"] < 0 or e["offset"] + e["length"] > units for e in entities):
        raise AssertionError("formatting lies outside of its text")
    for part, _ in Cutter(text, entities, MAX_TEXT).parts():
        if utf16_length(part) > MAX_TEXT:
            raise AssertionError("a part is too long")
