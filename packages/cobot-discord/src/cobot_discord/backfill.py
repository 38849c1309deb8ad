"""What was missed, read from a chat's history within its bounds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from cobot_discord.parse import moment_of, snowflake_at
from cobot_discord.places import MALFORMED, snowflake
from cobot_session.errors import PermanentError

if TYPE_CHECKING:
    import logging

    from cobot_discord.clock import Clock
    from cobot_discord.config import DiscordSettings
    from cobot_discord.places import Payload, Place

PAGE = 100


class History(Protocol):
    """The requests that filling gaps takes."""

    async def messages(self, channel_id: str, before: int | None) -> list[Payload]:
        """Return up to `PAGE` messages, newest first."""

    async def channel(self, channel_id: str) -> Payload:
        """Return a channel object."""

    async def member(self, guild_id: str, user_id: str) -> Payload | None:
        """Return a member object; `None`: no member any more."""


class Backfill:
    """Reads gaps.

    Args:
        settings: bounds of what is read.
        clock: Discord's time.
        log: told when a bound cuts.
    """

    def __init__(self, settings: DiscordSettings, clock: Clock, log: logging.Logger) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log

    async def missed(self, place: Place, after: int, history: History) -> list[Payload]:
        """Return what was said after an id, oldest first; the newest, where there is too much."""
        most = self._settings.backfill_messages
        oldest = snowflake_at(self._clock.now() - timedelta(hours=self._settings.backfill_hours))
        found: list[Payload] = []
        page: list[Payload] = []
        while len(found) <= most:
            page = await history.messages(place.id, _id(page[-1]) if page else None)
            page.sort(key=_id, reverse=True)
            new = [data for data in page if _id(data) > after]
            found += new
            if len(page) < PAGE or len(new) < len(page) or _id(page[-1]) <= oldest:
                break
        kept = [data for data in found[:most] if _id(data) > oldest]
        if len(kept) < len(found):
            self._log.warning(
                "chat %s: a gap is longer than backfill_messages=%d or backfill_hours=%g allows;"
                " what was said before %s is left out",
                place.address,
                most,
                self._settings.backfill_hours,
                moment_of(_id(kept[-1]) if kept else oldest),
            )
        return kept[::-1]

    async def add_members(self, missed: list[Payload], guild: str, history: History) -> None:
        """Add what history leaves out and the gate needs: the guild, and the roles of people."""
        members: dict[str, Payload | None] = {}
        for data in missed:
            data["guild_id"] = guild
            author = data.get("author")
            if not isinstance(author, dict) or author.get("bot") or data.get("webhook_id"):
                continue
            user_id = str(author.get("id"))
            if user_id not in members:
                members[user_id] = await self._member(guild, user_id, history)
            if member := members[user_id]:
                data["member"] = member

    async def _member(self, guild: str, user_id: str, history: History) -> Payload | None:
        """Return a member; of one who may not be looked up no roles are known."""
        try:
            return await history.member(guild, snowflake(user_id))
        except (PermanentError, *MALFORMED) as error:
            self._log.warning("the roles of user %s are not known: %s", user_id, error)
            return None


def _id(data: Payload) -> int:
    return int(data["id"])
