"""The server's world as Discord's JSON.

Shapes: https://discord.com/developers/docs/resources/message#message-object and its neighbours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cobot_discord.testing.model import DM, FORUM, VOICE

if TYPE_CHECKING:
    from cobot_discord.testing.model import Attachment, Chat, Guild, Message, Role, User

MESSAGE_CONTENT = 1 << 15
Payload = dict[str, Any]
_CUSTOM = re.compile(r"^(?:a:)?(\w+):(\d+)$")


def user(account: User) -> Payload:
    """Return a user object."""
    return {
        "id": account.id,
        "username": account.name,
        "global_name": account.display_name,
        "discriminator": "0",
        "avatar": None,
        "bot": account.bot,
    }


def member(guild: Guild, account: User, *, with_user: bool = False) -> Payload:
    """Return a guild member object."""
    body: Payload = {
        "roles": list(guild.members.get(account.id, [])),
        "nick": None,
        "avatar": None,
        "joined_at": "2024-01-01T00:00:00.000000+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
    }
    return {**body, "user": user(account)} if with_user else body


def role(of: Role) -> Payload:
    """Return a role object."""
    body: Payload = {
        "id": of.id,
        "name": of.name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": 1,
        "permissions": "104189505",
        "managed": of.bot_id is not None,
        "mentionable": True,
        "flags": 0,
    }
    return {**body, "tags": {"bot_id": of.bot_id}} if of.bot_id else body


def chat(of: Chat) -> Payload:
    """Return a channel object."""
    last = of.log[-1].id if of.log else None
    body: Payload = {"id": of.id, "type": of.kind, "last_message_id": last, "flags": 0}
    if of.kind == DM:
        return {**body, "recipients": [user(of.person)] if of.person else []}
    body |= {"name": of.name, "guild_id": of.guild.id if of.guild else None}
    if of.is_thread:
        return body | _thread(of)
    body |= {"position": 0, "permission_overwrites": [], "nsfw": False, "parent_id": None}
    body |= {"rate_limit_per_user": 0, "topic": None}
    if of.kind == VOICE:
        body |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    if of.kind == FORUM:
        body |= {"available_tags": [], "default_reaction_emoji": None, "default_forum_layout": 0}
    return body


def _thread(of: Chat) -> Payload:
    return {
        "parent_id": of.parent.id if of.parent else None,
        "owner_id": of.owner_id,
        "message_count": len(of.log),
        "member_count": 1,
        "rate_limit_per_user": 0,
        "thread_metadata": {
            "archived": of.archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": "2024-01-01T00:00:00.000000+00:00",
            "locked": False,
        },
    }


def guild(of: Guild) -> Payload:
    """Return what GUILD_CREATE carries."""
    chats = [at for at in of.chats.values() if "view" not in at.forbidden]
    me = of.world.bot
    return {
        "id": of.id,
        "name": of.name,
        "icon": None,
        "owner_id": me.id,
        "joined_at": "2024-01-01T00:00:00.000000+00:00",
        "large": False,
        "unavailable": False,
        "member_count": len(of.members),
        "roles": [role(each) for each in of.roles.values()],
        "emojis": of.emojis,
        "stickers": [],
        "features": [],
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "system_channel_flags": 0,
        "afk_timeout": 300,
        "members": [member(of, me, with_user=True)],
        "channels": [chat(at) for at in chats if not at.is_thread],
        "threads": [chat(at) for at in chats if at.is_thread and not at.archived],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def emoji(key: str) -> Payload:
    """Return the partial emoji object of `👍` or `name:id`."""
    custom = _CUSTOM.match(key)
    if custom:
        return {"id": custom[2], "name": custom[1], "animated": key.startswith("a:")}
    return {"id": None, "name": key}


def attachment(of: Attachment, url: str) -> Payload:
    """Return an attachment object."""
    body: Payload = {
        "id": of.id,
        "filename": of.file.name,
        "size": len(of.file.data),
        "content_type": of.file.mime_type,
        "url": url,
        "proxy_url": url,
    }
    if of.file.duration is not None:
        body |= {"duration_secs": of.file.duration, "waveform": "AAAA"}
    return body


def message(of: Message, *, nested: bool = False) -> Payload:
    """Return a message object as REST gives it."""
    world = of.chat.world
    people = [world.users[ping] for ping in of.pings if ping in world.users]
    body: Payload = {
        "id": of.id,
        "channel_id": of.chat.id,
        "author": user(of.author),
        "content": of.content,
        "timestamp": of.created.isoformat(),
        "edited_timestamp": of.edited.isoformat() if of.edited else None,
        "tts": False,
        "mention_everyone": "@everyone" in of.pings or "@here" in of.pings,
        "mentions": [user(each) for each in people],
        "mention_roles": [ping for ping in of.pings if ping in _roles(of)],
        "attachments": [attachment(each, world.cdn_url(of, each)) for each in of.attachments],
        "embeds": of.embeds,
        "sticker_items": of.stickers,
        "components": [],
        "pinned": False,
        "type": of.kind,
        "flags": of.flags,
    }
    if of.reactions:
        body["reactions"] = [_reaction(key, ids, world.bot.id) for key, ids in of.reactions.items()]
    if of.webhook:
        body["webhook_id"] = of.author.id
    if of.reference:
        body["message_reference"] = {"channel_id": of.chat.id, "message_id": of.reference}
        if of.chat.guild:
            body["message_reference"]["guild_id"] = of.chat.guild.id
        if not nested:
            there = of.reply_to is not None and not of.reply_to.deleted
            body["referenced_message"] = (
                message(of.reply_to, nested=True) if there and of.reply_to else None
            )
    return body


def _reaction(key: str, ids: list[str], me: str) -> Payload:
    count = {"burst": 0, "normal": len(ids)}
    body: Payload = {"count": len(ids), "count_details": count, "burst_colors": []}
    return {**body, "me": me in ids, "me_burst": False, "emoji": emoji(key)}


def _roles(of: Message) -> dict[str, Role]:
    return of.chat.guild.roles if of.chat.guild else {}


def dispatched(of: Message, *, nonce: bool = False) -> Payload:
    """Return a message object as the gateway gives it: with guild and member."""
    body = message(of)
    if of.chat.guild:
        body["guild_id"] = of.chat.guild.id
        if not of.webhook:
            body["member"] = member(of.chat.guild, of.author)
    if nonce and of.nonce:
        body["nonce"] = of.nonce
    return body


def withheld(body: Payload, of: Message, *, allowed: bool) -> Payload:
    """Return the message without its content unless the bot may read it.

    https://discord.com/developers/docs/events/gateway#message-content-intent: what the bot wrote,
    direct messages and messages that mention it are exempt.
    """
    me = of.chat.world.bot
    if allowed or of.author is me or of.chat.kind == DM or me.id in of.pings:
        return body
    return {**body, "content": "", "embeds": [], "attachments": [], "components": []}
