"""Gateway events and history, made into messages of the session. Pure: no I/O, no library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cobot_discord.authors import NOBODY, Author
from cobot_discord.mentions import is_meant, names, readable, shown_name
from cobot_discord.places import DIRECT, Place, guild_of, snowflake
from cobot_session.messages import IncomingMessage, Media, MediaKind

if TYPE_CHECKING:
    from cobot_discord.config import DiscordSettings
    from cobot_discord.places import Payload, Places

SPOKEN = frozenset({0, 19})
"""Message types that people write: an ordinary message, a reply. The others are notices.

https://discord.com/developers/docs/resources/message#message-object-message-types
"""
VOICE_MESSAGE = 1 << 13
CDN_STICKERS = "https://media.discordapp.net/stickers"
_STICKER_ENDINGS = {1: "png", 2: "png", 3: "json", 4: "gif"}
EPOCH = 1420070400000


@dataclass(frozen=True, slots=True)
class Parser:
    """Reads payloads by what is known of places, and leaves out what is not for the agent."""

    places: Places
    settings: DiscordSettings

    def message(self, data: Payload) -> IncomingMessage | None:
        """Return what was said, or `None`: a notice, the bot's own, or not for it.

        Raises:
            KeyError, TypeError, ValueError: the payload is not what Discord documents.
        """
        author = data["author"]
        if int(data["type"]) not in SPOKEN or self._is_unheard(data, author):
            return None
        if self._is_gated(data) and not is_meant(data, self.places):
            return None
        media = [*map(_attachment(data), data.get("attachments") or ())]
        media += [_sticker(one) for one in data.get("sticker_items") or ()]
        made = self._made(data, author, media)
        if not (made.content or media or made.metadata.keys() & {"embeds", "poll", "forwarded"}):
            return None  # withheld: the intent for message content is missing
        return made

    def edit(self, data: Payload) -> IncomingMessage | None:
        """Return a changed text; `None` also for changes that are not the author's."""
        if not data.get("edited_timestamp") or "author" not in data or "content" not in data:
            return None
        made = self.message({"type": 0, **data})
        if made is None:
            return None
        made.kind = "edit"
        made.key = f"e{made.id}@{data['edited_timestamp']}"
        made.metadata["edited_at"] = data["edited_timestamp"]
        return made

    def deletion(self, data: Payload, author: Author | None = None) -> IncomingMessage | None:
        """Return that a message is gone. Discord does not tell whose it was, nor who did it.

        Args:
            data: the event.
            author: who wrote it, if that is known; what the agent never got is left out.
        """
        if not self._is_heard_place(data) or (author is not None and not author.heard):
            return None
        author = author or NOBODY
        made = self._event(data, author.id, author.name, "")
        made.roles = list(author.roles)
        made.metadata |= {"on_own": True} if author.own else {}
        made.id, made.kind = snowflake(data["id"]), "deletion"
        made.key = f"d{made.id}"
        return made

    def reaction(self, data: Payload, stamp: str, *, added: bool) -> IncomingMessage | None:
        """Return a reaction; `stamp` tells one occurrence from another."""
        member = data.get("member") or {}
        person = member.get("user") or {"id": data["user_id"]}
        on_own = str(data.get("message_author_id")) == self.places.me
        if self._is_unheard(data, person):
            return None
        if self._is_gated(data) and not on_own:
            return None
        emoji = data["emoji"]
        sign = str(emoji.get("name") or "")
        name = member.get("nick") or shown_name(person)
        made = self._event(data, snowflake(data["user_id"]), name, sign if added else "")
        made.roles = [str(role) for role in member.get("roles") or ()]
        made.id = made.key = f"r{stamp}"
        made.kind, made.reply_to = "reaction", snowflake(data["message_id"])
        made.metadata |= {"emoji": sign, "on_own": on_own}
        if emoji.get("id"):
            made.metadata["emoji_id"] = str(emoji["id"])
        return made

    def place(self, data: Payload) -> Place:
        """Return the place of an event, also one that is not known yet."""
        channel_id = snowflake(data["channel_id"])
        known = self.places.get(channel_id)
        guild = guild_of(data)
        return known or Place(channel_id, 0 if guild else 1, guild=guild)

    def _is_gated(self, data: Payload) -> bool:
        return self.settings.respond == "mentioned" and bool(data.get("guild_id"))

    def _is_unheard(self, data: Payload, person: Payload) -> bool:
        if str(person["id"]) == self.places.me:
            return True
        if (person.get("bot") or data.get("webhook_id")) and not self.settings.bots:
            return True
        return not self._is_heard_place(data)

    def _is_heard_place(self, data: Payload) -> bool:
        place = self.place(data)
        return place.guild is None or self.settings.listens_in(place.guild, place.around)

    def _made(self, data: Payload, author: Payload, media: list[Media]) -> IncomingMessage:
        member = data.get("member") or {}
        nick = member.get("nick")
        name = nick if nick and isinstance(nick, str) else shown_name(author)
        content = data.get("content")
        text = readable(content if isinstance(content, str) else "", data, self.places)
        made = self._event(data, snowflake(author["id"]), name, text)
        made.id = snowflake(data["id"])
        made.key = f"m{made.id}"
        made.timestamp = _time(data["timestamp"])
        made.roles = [str(role) for role in member.get("roles") or ()]
        made.media = media
        reference = data.get("message_reference") or {}
        if reference.get("type", 0) == 0 and reference.get("message_id"):
            made.reply_to = str(reference["message_id"])
        made.metadata |= _facts(data, author)
        made.metadata["mentioned"] = is_meant(data, self.places)
        return made

    def _event(self, data: Payload, sender: str, name: str, content: str) -> IncomingMessage:
        place = self.place(data)
        metadata: dict[str, Any] = {}
        if place.name:
            metadata["channel_name"] = place.name
        if place.parent and place.address != place.id:
            metadata["parent_id"] = place.parent
        return IncomingMessage(
            id="",
            channel_type="",
            channel_id=place.address,
            sender_id=sender,
            sender_name=name,
            content=content,
            timestamp=datetime.now(UTC),
            metadata=metadata,
            direct=place.guild is None and place.kind in DIRECT,
            space_id=place.guild,
        )


def _facts(data: Payload, author: Payload) -> dict[str, Any]:
    """Return the metadata of a message, without what is empty."""
    snapshots = data.get("message_snapshots") or ()
    facts = {
        "username": author.get("username") if isinstance(author.get("username"), str) else None,
        "bot": bool(author.get("bot")),
        "webhook_id": data.get("webhook_id"),
        "mentions": names(data),
        "mention_roles": [str(role) for role in data.get("mention_roles") or ()],
        "mention_everyone": bool(data.get("mention_everyone")),
        "embeds": data.get("embeds"),
        "poll": data.get("poll"),
        "forwarded": [one.get("message") for one in snapshots],
    }
    return {name: value for name, value in facts.items() if value}


def _attachment(data: Payload) -> Any:
    where = f"{data['channel_id']}/{data['id']}"
    voice = int(data.get("flags") or 0) & VOICE_MESSAGE

    def media(one: Payload) -> Media:
        mime = str(one.get("content_type") or "").partition(";")[0] or None
        return Media(
            kind="voice" if voice or "waveform" in one else _kind(mime),
            id=f"{where}/{one['id']}",
            url=one.get("url"),
            filename=one.get("filename"),
            mime_type=mime,
            size=one.get("size"),
        )

    return media


def _kind(mime: str | None) -> MediaKind:
    match (mime or "").partition("/")[0]:
        case "image":
            return "image"
        case "video":
            return "video"
        case "audio":
            return "audio"
    return "document"


def _sticker(one: Payload) -> Media:
    ending = _STICKER_ENDINGS.get(int(one.get("format_type") or 1), "png")
    url = f"{CDN_STICKERS}/{one['id']}.{ending}"
    return Media("sticker", id=str(one["id"]), url=url, filename=f"{one.get('name')}.{ending}")


def _time(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def snowflake_at(moment: datetime) -> int:
    """Return the least id of what was made at a moment or later."""
    return max(0, int(moment.timestamp() * 1000) - EPOCH) << 22


def moment_of(snowflake: int) -> datetime:
    """Return when something with this id was made."""
    return datetime.fromtimestamp(((snowflake >> 22) + EPOCH) / 1000, UTC)
