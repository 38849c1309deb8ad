"""What each request does. Names and rules are those of Discord's HTTP API, version 10."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from cobot_discord.testing import payloads
from cobot_discord.testing.errors import (
    ApiError,
    closed_to_bots,
    invalid_form,
    missing_access,
    missing_permissions,
    unknown,
)
from cobot_discord.testing.model import FORUM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cobot_discord.testing.model import Chat, File, Message
    from cobot_discord.testing.payloads import Payload
    from cobot_discord.testing.world import World

MAX_CONTENT = 2000
MAX_NONCE = 25
MAX_FILES = 10


@dataclass(slots=True)
class Call:
    """One request: path parameters, query, body, uploads."""

    world: World
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Payload
    files: list[File] = field(default_factory=list)
    readable: bool = True
    nonce_seconds: float = 180.0

    @property
    def chat(self) -> Chat:
        """The chat it concerns; refused unless the bot sees it."""
        found = self.world.chats.get(self.path["channel"])
        if found is None:
            raise unknown("Channel")
        if "view" in found.forbidden:
            raise missing_access()
        return found

    @property
    def message(self) -> Message:
        """The message it concerns."""
        found = self.world.find(self.chat, self.path["message"])
        if found is None:
            raise unknown("Message")
        return found

    def show(self, message: Message) -> Payload:
        """Return a message as this bot may read it."""
        return payloads.withheld(payloads.message(message), message, allowed=self.readable)


Answer: TypeAlias = "Payload | list[Payload] | None"


def get_current_user(call: Call) -> Answer:
    """Return the bot."""
    return payloads.user(call.world.bot)


def get_current_application(call: Call) -> Answer:
    """Return the bot's application."""
    bot = call.world.bot
    return {
        "id": bot.id,
        "name": bot.name,
        "description": "",
        "icon": None,
        "bot_public": False,
        "bot_require_code_grant": False,
        "verify_key": "0",
        "flags": 0,
        "owner": payloads.user(bot),
        "team": None,
    }


def get_user(call: Call) -> Answer:
    """Return a user."""
    found = call.world.users.get(call.path["user"])
    if found is None:
        raise unknown("User")
    return payloads.user(found)


def get_guild(call: Call) -> Answer:
    """Return a guild."""
    found = call.world.guilds.get(call.path["guild"])
    if found is None:
        raise unknown("Guild")
    return payloads.guild(found)


def get_guild_member(call: Call) -> Answer:
    """Return a member, with roles."""
    guild = call.world.guilds.get(call.path["guild"])
    user = call.world.users.get(call.path["user"])
    if guild is None:
        raise unknown("Guild")
    if user is None or user.id not in guild.members:
        raise unknown("Member")
    return payloads.member(guild, user, with_user=True)


def create_dm(call: Call) -> Answer:
    """Return the direct chat with a user."""
    user = call.world.users.get(str(call.body.get("recipient_id")))
    if user is None:
        raise unknown("User")
    return payloads.chat(call.world.direct(user))


def get_channel(call: Call) -> Answer:
    """Return a channel, thread or direct chat."""
    return payloads.chat(call.chat)


def get_channel_messages(call: Call) -> Answer:
    """Return up to 100 messages, newest first; `after` counts from the oldest."""
    if "history" in call.chat.forbidden:
        raise missing_access()
    limit = int(call.query.get("limit", "50"))
    if not 1 <= limit <= 100:
        raise invalid_form("limit", "int value should be between 1 and 100.", "NUMBER_TYPE_MAX")
    found = call.chat.messages
    if "after" in call.query:
        found = [each for each in found if int(each.id) > int(call.query["after"])][:limit]
    elif "before" in call.query:
        found = [each for each in found if int(each.id) < int(call.query["before"])]
    return [call.show(each) for each in reversed(found[-limit:])]


def get_channel_message(call: Call) -> Answer:
    """Return one message."""
    return call.show(call.message)


def create_message(call: Call) -> Answer:
    """Send a message; with `enforce_nonce` a repeat returns the first one."""
    chat = call.chat
    _permit(chat, "send")
    if chat.kind == FORUM:
        raise ApiError(400, 50008, "Cannot send messages in a non-text channel")
    _check(call)
    nonce = str(call.body.get("nonce") or "")
    if nonce and call.body.get("enforce_nonce"):
        known = call.world.nonces.get((chat.id, nonce))
        if known and time.time() - known.created.timestamp() < call.nonce_seconds:
            return call.show(known)
    reply_to, reference = _reference(call)
    made = call.world.post(
        chat,
        call.world.bot,
        str(call.body.get("content") or ""),
        files=call.files,
        reply_to=reply_to,
        reference=reference,
        mentions=call.body.get("allowed_mentions"),
        embeds=list(call.body.get("embeds") or []),
        flags=int(call.body.get("flags") or 0),
        nonce=nonce or None,
    )
    if nonce:
        call.world.nonces[chat.id, nonce] = made
    answer = call.show(made)
    return {**answer, "nonce": nonce} if nonce else answer


def edit_message(call: Call) -> Answer:
    """Change one of the bot's messages."""
    message = call.message
    if message.author is not call.world.bot:
        raise ApiError(403, 50005, "Cannot edit a message authored by another user")
    _check(call, files=len(call.files) + len(message.attachments))
    fields = {name: call.body[name] for name in ("content", "embeds") if name in call.body}
    call.world.edit(message, call.body.get("allowed_mentions"), **fields)
    return call.show(message)


def delete_message(call: Call) -> Answer:
    """Delete a message."""
    message = call.message
    if message.author is not call.world.bot and "manage" in call.chat.forbidden:
        raise missing_permissions()
    call.world.delete(message)
    return None


def trigger_typing(call: Call) -> Answer:
    """Show the bot typing."""
    _permit(call.chat, "send")
    call.world.type(call.chat, call.world.bot)
    return None


def create_reaction(call: Call) -> Answer:
    """Add a reaction of the bot."""
    if "react" in call.chat.forbidden:
        raise missing_permissions()
    emoji = call.path["emoji"]
    if emoji.isascii() and ":" not in emoji:
        raise ApiError(400, 10014, "Unknown Emoji")
    call.world.react(call.message, call.world.bot, emoji)
    return None


def delete_own_reaction(call: Call) -> Answer:
    """Take the bot's reaction back."""
    call.world.unreact(call.message, call.world.bot, call.path["emoji"])
    return None


def start_thread(call: Call) -> Answer:
    """Open a thread."""
    return payloads.chat(call.world.open_thread(call.chat, str(call.body.get("name"))))


def _permit(chat: Chat, act: str) -> None:
    if act in chat.forbidden:
        raise missing_permissions()
    if chat.person is not None and not chat.person.dms_open:
        raise closed_to_bots()


def _check(call: Call, files: int | None = None) -> None:
    content = call.body.get("content")
    if len(str(content or "").encode("utf-16-le")) // 2 > MAX_CONTENT:
        raise invalid_form("content", f"Must be {MAX_CONTENT} or fewer in length.")
    if len(str(call.body.get("nonce") or "")) > MAX_NONCE:
        raise invalid_form("nonce", f"Must be {MAX_NONCE} or fewer in length.")
    carried = len(call.files) if files is None else files
    if carried > MAX_FILES or len(call.body.get("embeds") or []) > MAX_FILES:
        raise invalid_form("files", f"Must be {MAX_FILES} or fewer in length.")
    untouched = files is not None and "content" not in call.body
    if not (str(content or "").strip() or carried or call.body.get("embeds") or untouched):
        raise ApiError(400, 50006, "Cannot send an empty message")


def _reference(call: Call) -> tuple[Message | None, str | None]:
    reference = call.body.get("message_reference")
    if not reference:
        return None, None
    found = call.world.find(call.chat, str(reference.get("message_id")))
    if found is None and reference.get("fail_if_not_exists", True):
        raise invalid_form("message_reference", "Unknown message", "REPLIES_UNKNOWN_MESSAGE")
    return found, found.id if found else None


ROUTES: tuple[tuple[str, str, Callable[[Call], Answer]], ...] = (
    ("GET", "/users/@me", get_current_user),
    ("GET", "/oauth2/applications/@me", get_current_application),
    ("POST", "/users/@me/channels", create_dm),
    ("GET", "/users/{user}", get_user),
    ("GET", "/guilds/{guild}", get_guild),
    ("GET", "/guilds/{guild}/members/{user}", get_guild_member),
    ("GET", "/channels/{channel}", get_channel),
    ("GET", "/channels/{channel}/messages", get_channel_messages),
    ("POST", "/channels/{channel}/messages", create_message),
    ("GET", "/channels/{channel}/messages/{message}", get_channel_message),
    ("PATCH", "/channels/{channel}/messages/{message}", edit_message),
    ("DELETE", "/channels/{channel}/messages/{message}", delete_message),
    ("POST", "/channels/{channel}/messages/{message}/threads", start_thread),
    ("PUT", "/channels/{channel}/messages/{message}/reactions/{emoji}/@me", create_reaction),
    ("DELETE", "/channels/{channel}/messages/{message}/reactions/{emoji}/@me", delete_own_reaction),
    ("POST", "/channels/{channel}/threads", start_thread),
    ("POST", "/channels/{channel}/typing", trigger_typing),
)
