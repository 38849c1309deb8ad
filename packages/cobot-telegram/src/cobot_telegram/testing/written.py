"""What a person writes, as the Bot API shows it, and whether a bot gets to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cobot_telegram.testing.text import MAX_CAPTION, MAX_TEXT, checked, detected, piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobot_telegram.testing.bots import BotAccount
    from cobot_telegram.testing.chats import Message
    from cobot_telegram.testing.files import StoredFile
    from cobot_telegram.testing.text import Entity


def written_by_person(
    text: str, entities: Sequence[Entity] | None, files: Sequence[StoredFile]
) -> dict[str, Any]:
    """Return the fields of a person's message: checked text, detected entities, files.

    Raises:
        ApiError: 400; as for a bot's text.
    """
    body: dict[str, Any] = {}
    for file in files:
        body |= file.described()
        if file.kind == "animation":
            body["document"] = body["animation"]
    limit, what = (MAX_CAPTION, "message caption") if files else (MAX_TEXT, "message")
    clean, kept = checked(text, list(entities or []), limit, what)
    if entities is None:
        kept = detected(clean)
    name, names = ("caption", "caption_entities") if files else ("text", "entities")
    if clean or not files:
        body[name] = clean
    if kept:
        body[names] = kept
    return body


def passes_privacy_mode(message: Message, bot: BotAccount) -> bool:
    """Tell whether a bot in privacy mode gets it: core.telegram.org/bots/features#privacy-mode."""
    service = not message.text and not message.files
    if message.chat.kind in {"private", "channel"} or service:
        return True
    if message.reply_to is not None and (message.reply_to.sender or {}).get("id") == bot.id:
        return True
    for entity in message.entities:
        word = piece(message.text, entity["offset"], entity["length"])
        if entity["type"] == "mention" and word.lower() == f"@{bot.username}".lower():
            return True
        if entity["type"] == "bot_command" and word.partition("@")[2] in ("", bot.username):
            return True
    return False
