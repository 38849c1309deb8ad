"""Methods that change what stands there: edit, delete, react, answer a button."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from telegram.constants import ReactionEmoji

from cobot_telegram.testing.call import Call, api_method
from cobot_telegram.testing.errors import bad_request
from cobot_telegram.testing.sending import written
from cobot_telegram.testing.text import MAX_CAPTION, MAX_TEXT

if TYPE_CHECKING:
    from cobot_telegram.testing.chats import Message

ABSENT = "message to edit not found"
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
DELETABLE_SECONDS = 48 * 3600
_REACTIONS = frozenset(str(emoji.value) for emoji in ReactionEmoji)


def _editable(call: Call) -> Message:
    message = call.message(ABSENT)
    if not message.by_bot or (message.sender or call.bot.json())["id"] != call.bot.id:
        raise bad_request("message can't be edited")
    return message


@api_method("editMessageText")
async def edit_message_text(call: Call) -> dict[str, Any]:
    """Carry out editMessageText."""
    with call.world.changes:
        message = _editable(call)
        if "text" not in message.fields:
            raise bad_request("there is no text in the message to edit")
        text, entities = written(call.params, "text", MAX_TEXT, "message")
        if not text:
            raise bad_request("message text is empty")
        return _changed(call, message, {"text": text, "entities": entities})


@api_method("editMessageCaption")
async def edit_message_caption(call: Call) -> dict[str, Any]:
    """Carry out editMessageCaption."""
    with call.world.changes:
        message = _editable(call)
        if not message.files:
            raise bad_request("there is no caption in the message to edit")
        text, entities = written(call.params, "caption", MAX_CAPTION, "message caption")
        return _changed(call, message, {"caption": text, "caption_entities": entities})


@api_method("editMessageReplyMarkup")
async def edit_message_reply_markup(call: Call) -> dict[str, Any]:
    """Carry out editMessageReplyMarkup."""
    with call.world.changes:
        return _changed(call, _editable(call), {})


def _changed(call: Call, message: Message, changes: dict[str, Any]) -> dict[str, Any]:
    new = {**changes, "reply_markup": call.params.json("reply_markup")}
    if all((message.fields.get(name) or None) == (value or None) for name, value in new.items()):
        raise bad_request(NOT_MODIFIED)
    message.earlier.append(message.text)
    for name, value in new.items():
        message.fields.pop(name, None)
        if value:
            message.fields[name] = value
    message.fields["edit_date"] = int(time.time())
    call.world.changes.notify()
    return message.json()


@api_method("deleteMessage")
async def delete_message(call: Call) -> bool:
    """Carry out deleteMessage."""
    with call.world.changes:
        message = call.message("message to delete not found")
        if message.date < time.time() - DELETABLE_SECONDS:
            raise bad_request("message can't be deleted for everyone")
        message.deleted = True
        call.world.changes.notify()
        return True


@api_method("deleteMessages")
async def delete_messages(call: Call) -> bool:
    """Carry out deleteMessages: those that are not there are passed over."""
    with call.world.changes:
        chat = call.chat()
        for number in call.params.json("message_ids", []):
            if (message := chat.get(int(number))) is not None:
                message.deleted = True
        call.world.changes.notify()
        return True


@api_method("setMessageReaction")
async def set_message_reaction(call: Call) -> bool:
    """Carry out setMessageReaction."""
    wanted = [str(entry.get("emoji", "")) for entry in call.params.json("reaction", []) or []]
    with call.world.changes:
        call.writable()
        message = call.message("message to react not found")
        if any(emoji not in _REACTIONS for emoji in wanted):
            raise bad_request("REACTION_INVALID")
        if len(wanted) > 1:
            raise bad_request("REACTIONS_TOO_MANY")
        message.reactions[call.bot.id] = wanted
        call.world.changes.notify()
        return True


@api_method("answerCallbackQuery")
async def answer_callback_query(call: Call) -> bool:
    """Carry out answerCallbackQuery."""
    with call.world.changes:
        press = call.world.presses.get(call.params.text("callback_query_id"))
        if press is None or press.answer is not None:
            raise bad_request(
                "query is too old and response timeout expired or query ID is invalid"
            )
        press.answer = {"text": call.params.text("text"), "alert": call.params.flag("show_alert")}
        call.world.changes.notify()
        return True
