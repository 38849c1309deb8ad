"""The requests of the channel, each one call; addresses and ids as the session knows them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from discord.http import Route

from cobot_discord.backfill import PAGE
from cobot_discord.payload import form
from cobot_discord.places import MALFORMED, snowflake
from cobot_discord.rest import RefusedError
from cobot_discord.wellformed import wellformed
from cobot_session.errors import OutcomeUnknown, PermanentError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cobot_discord.payload import Upload
    from cobot_discord.places import Payload
    from cobot_discord.rest import Rest
    from cobot_session.messages import Media

UNKNOWN_MESSAGE, UNKNOWN_MEMBER, UNKNOWN_USER, UNKNOWN_EMOJI = 10008, 10007, 10013, 10014
CDN = frozenset({"cdn.discordapp.com", "media.discordapp.net"})


class Api:
    """Requests to Discord.

    All raise `RateLimited`, `TemporaryError`, `OutcomeUnknown`, `PermanentError` or `AuthError`.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def send(self, address: str, body: Payload, uploads: Sequence[Upload]) -> str:
        """Send a message and return its id."""
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=_channel(address))
        if uploads:
            made = await self._rest.request(route, form=form(body, list(uploads)))
        else:
            made = await self._rest.request(route, json=body)
        try:
            return snowflake(made["id"])
        except MALFORMED:
            raise OutcomeUnknown("Discord's answer does not name the message it made") from None

    async def edit(self, address: str, message_id: str, body: Payload) -> None:
        """Change a message."""
        await self._rest.request(self._message("PATCH", address, message_id), json=body)

    async def delete(self, address: str, message_id: str) -> None:
        """Delete a message; one that is gone already is deleted."""
        try:
            await self._rest.request(self._message("DELETE", address, message_id))
        except RefusedError as error:
            if error.code != UNKNOWN_MESSAGE:
                raise

    async def react(self, address: str, message_id: str, emoji: str) -> None:
        """Add a reaction."""
        await self._rest.request(self._reaction("PUT", address, message_id, emoji))

    async def unreact(self, address: str, message_id: str) -> None:
        """Take every reaction of the bot back; one that is gone already is taken back."""
        try:
            message = _object(await self._rest.request(self._message("GET", address, message_id)))
            for emoji in _own_reactions(message):
                await self._rest.request(self._reaction("DELETE", address, message_id, emoji))
        except RefusedError as error:
            if error.code not in {UNKNOWN_MESSAGE, UNKNOWN_EMOJI}:
                raise

    async def typing(self, address: str) -> None:
        """Show the bot typing."""
        route = Route("POST", "/channels/{channel_id}/typing", channel_id=_channel(address))
        await self._rest.request(route)

    async def messages(self, channel_id: str, before: int | None) -> list[Payload]:
        """Return up to `PAGE` messages, newest first."""
        route = Route("GET", "/channels/{channel_id}/messages", channel_id=channel_id)
        params = {"limit": str(PAGE), **({"before": str(before)} if before else {})}
        found = await self._rest.request(route, params=params)
        if not isinstance(found, list):
            raise TemporaryError("the history is not a list of messages")
        return [wellformed(data) for data in found if _is_message(data)]

    async def latest(self, address: str) -> list[Payload]:
        """Return the latest messages of a chat, newest first."""
        return await self.messages(_channel(address), None)

    async def channel(self, channel_id: str) -> Payload:
        """Return a channel object."""
        route = Route("GET", "/channels/{channel_id}", channel_id=channel_id)
        return _object(await self._rest.request(route))

    async def member(self, guild_id: str, user_id: str) -> Payload | None:
        """Return a member object; `None`: no member any more."""
        route = Route(
            "GET", "/guilds/{guild_id}/members/{user_id}", guild_id=guild_id, user_id=user_id
        )
        try:
            return _object(await self._rest.request(route))
        except RefusedError as error:
            if error.code in {UNKNOWN_MEMBER, UNKNOWN_USER}:
                return None
            raise

    async def fetch(self, media: Media, own_host: str) -> bytes:
        """Download an attachment, by its link or, once that has ended, by a fresh one.

        Args:
            media: as it was received.
            own_host: of a compatible server, whose links are trusted like Discord's.
        """
        if media.url and _is_trusted(media.url, own_host):
            try:
                return await self._rest.download(media.url)
            except RefusedError:  # the link has ended
                if (media.id or "").count("/") != 2:
                    raise
        url = await self._fresh(media.id or "")
        if not _is_trusted(url, own_host):
            raise PermanentError("the attachment is on a host that is not Discord's")
        return await self._rest.download(url)

    async def _fresh(self, media_id: str) -> str:
        channel_id, _, rest = media_id.partition("/")
        message_id, _, attachment_id = rest.partition("/")
        if not attachment_id:
            raise PermanentError("this attachment names no message to fetch it from")
        found = await self._rest.request(self._message("GET", channel_id, message_id))
        with _reading():
            for attachment in _object(found).get("attachments") or ():
                if str(attachment.get("id")) == attachment_id:
                    return str(attachment["url"])
        raise PermanentError("the attachment is gone")

    def _message(self, method: str, address: str, message_id: str) -> Route:
        path = "/channels/{channel_id}/messages/{message_id}"
        return Route(method, path, channel_id=_channel(address), message_id=_number(message_id))

    def _reaction(self, method: str, address: str, message_id: str, emoji: str) -> Route:
        return Route(
            method,
            "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me",
            channel_id=_channel(address),
            message_id=_number(message_id),
            emoji=_plain(emoji),
        )


def _plain(emoji: str) -> str:
    """Return `name:id` also for a custom emoji as it is written in a text, `<:name:id>`."""
    return emoji.strip("<>").removeprefix("a:").lstrip(":") if emoji.startswith("<") else emoji


def _channel(address: str) -> str:
    """Return the id of the channel or thread that an address ends with."""
    return _number(address.rpartition("/")[2])


def _number(value: str) -> str:
    try:
        return snowflake(value)
    except ValueError as error:
        raise PermanentError(f"{value!r} is no Discord id: {error}") from None


def _is_message(data: Any) -> bool:
    """Tell whether an item of a history has an id, without which it has no place in it."""
    try:
        snowflake(data["id"])
    except MALFORMED:
        return False
    return True


def _object(value: Any) -> Payload:
    if not isinstance(value, dict):
        raise TemporaryError("Discord's answer is not a JSON object")
    return value


@contextmanager
def _reading() -> Iterator[None]:
    """Take an answer that is not what Discord documents for trouble that may pass."""
    try:
        yield
    except MALFORMED as error:
        what = type(error).__name__
        raise TemporaryError(f"Discord's answer cannot be read ({what})") from None


def _own_reactions(message: Payload) -> list[str]:
    with _reading():
        own = [one["emoji"] for one in message.get("reactions") or () if one.get("me")]
        return [_key(emoji) for emoji in own]


def _key(emoji: Payload) -> str:
    return f"{emoji['name']}:{emoji['id']}" if emoji.get("id") else str(emoji["name"])


def _is_trusted(url: str, own_host: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.hostname in CDN:
        return parts.scheme == "https"
    return bool(own_host) and parts.hostname == own_host and parts.scheme in {"http", "https"}
