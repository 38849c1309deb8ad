"""Gaps, and how they are filled: no event passes while something before it may be missing.

When a gateway session begins, every chat is closed: what comes is held. A chat opens when nothing
can be missing from it, or when what is missing has been read from its history; then what was held
follows. Nothing tells of direct chats except that they are known from before, or speak.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cobot_discord.backfill import Backfill
from cobot_discord.inflow import MOST_WAITING, Inflow
from cobot_discord.marks import DIRECT_SPACE, Marks
from cobot_discord.parse import moment_of, snowflake_at
from cobot_discord.places import MALFORMED, Place, guild_of, snowflake
from cobot_session.errors import (
    AuthError,
    ChannelError,
    PermanentError,
    RateLimited,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_discord.backfill import History
    from cobot_discord.clock import Clock
    from cobot_discord.config import DiscordSettings
    from cobot_discord.places import Payload, Places
    from cobot_session.plugin import State

log = logging.getLogger(__name__)

WORKERS = 4
GONE = 404
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

Event = tuple[str, dict[str, Any], str]
"""Name, payload, and what tells this occurrence from another."""


class Gaps:
    """Holds events back where messages before them may be missing, and fetches those.

    Args:
        state: where marks are kept.
        places: what is known of chats.
        settings: bounds of what is fetched.
        deliver: what to do with an event that may pass.
        clock: Discord's time.
    """

    def __init__(
        self,
        state: State,
        places: Places,
        settings: DiscordSettings,
        deliver: Callable[[str, Payload, str], None],
        clock: Clock,
        log: logging.Logger = log,
    ) -> None:
        self.marks = Marks(state, clock)
        self.inflow = Inflow(self.marks, self._is_whole)
        self._places = places
        self._settings = settings
        self._deliver = deliver
        self._clock = clock
        self._log = log
        self._backfill = Backfill(settings, clock, log)
        self._open: set[str] = set()
        self._held: dict[str, list[Event]] = {}
        self._jobs: asyncio.Queue[str] = asyncio.Queue()
        self._pending: dict[str, str | None] = {}
        self._failures: dict[str, int] = {}
        self._session = 0
        self._starved: dict[str, str | None] = {}

    # What the gateway tells

    def begin(self) -> None:
        """Begin a new gateway session: anything may have been missed."""
        self._session += 1
        self._open.clear()
        now = snowflake_at(self._clock.now())
        began = self.marks.floor(DIRECT_SPACE)
        if began is None or began > now:  # nothing begins in the future: a clock was wrong
            self.marks.begin(DIRECT_SPACE, now)
        for kind in ("dm", "seen", "unread"):
            for name, _, newest in list(self.marks.known(kind)):
                if self._is_old(newest):  # where a guild's floor, or nothing, says as much
                    self.marks.forget(name)
        for _, ids, _ in list(self.marks.known("dm")):
            self._fill_later(ids[0], None)

    def guild(self, guild_id: str) -> None:
        """Take up a guild whose channels have just been told."""
        places = self._places.in_guild(guild_id)
        if self.marks.floor(guild_id) is None:
            self.marks.begin(guild_id, max([int(guild_id), *(place.last for place in places)]))
        for place in places:
            if self.marks.may_miss(place):
                self._open.discard(place.id)
                self._fill_later(place.id, guild_id)
            else:
                self._open_up(place.id)
        self._take_up_archived(guild_id, {place.id for place in places})

    def changed(self, channel_id: str) -> None:
        """Try once more to read a gap that was forbidden: permissions may be what changed."""
        place = self._places.get(channel_id)
        if place is not None and self.marks.unread(place) is not None:
            self._fill_later(place.id, place.guild)

    def permitted(self, guild_id: str) -> None:
        """Try every gap of a guild once more that was forbidden: roles of it have changed."""
        for _, ids, _ in list(self.marks.known("unread")):
            place = self._places.get(ids[0])
            if place is not None and place.guild == guild_id:
                self._fill_later(ids[-1], guild_id)

    def created(self, channel_id: str) -> None:
        """Open a channel that came into being under our eyes."""
        self._open_up(channel_id)

    def take(self, event: Event) -> None:
        """Let an event pass, or hold it until what came before it is there."""
        name, data, _ = event
        channel_id, guild = snowflake(data["channel_id"]), guild_of(data)
        if self.inflow.is_full or self._held_events >= MOST_WAITING:
            self._lose(channel_id, name, guild)
        elif channel_id in self._open:
            self._deliver(*event)
        else:
            self._held.setdefault(channel_id, []).append(event)
            self._fill_later(channel_id, guild)

    def drained(self) -> None:
        """Fetch again what did not fit into memory, now that there is room."""
        if self._starved and len(self.inflow) <= MOST_WAITING // 2:
            self._log.info("there is room again; chats that catch up: %d", len(self._starved))
            starved, self._starved = self._starved, {}
            for channel_id, guild in starved.items():
                self._fill_later(channel_id, guild)

    # Filling

    async def run(self, history: History) -> None:
        """Fill gaps for ever.

        Raises:
            AuthError: the credentials are refused.
        """
        workers = [asyncio.create_task(self._work(history)) for _ in range(WORKERS)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, history: History) -> None:
        while True:
            channel_id = await self._jobs.get()
            session = self._session
            try:
                await self._fill(channel_id, history)
            except AuthError:
                raise
            except (PermanentError, *MALFORMED) as error:
                self._log.warning("no history of chat %s: %s", channel_id, error)
                self._done(channel_id, session)
            except ChannelError as error:
                self._try_again(channel_id, error)
            else:
                self._done(channel_id, session)

    def _try_again(self, channel_id: str, error: ChannelError) -> None:
        failures = self._failures.get(channel_id, 0)
        self._failures[channel_id] = failures + 1
        pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
        if isinstance(error, RateLimited):
            pause = error.retry_after
        self._log.info("history of chat %s in %g s: %s", channel_id, pause, error)
        asyncio.get_running_loop().call_later(pause, self._jobs.put_nowait, channel_id)

    def _done(self, channel_id: str, session: int) -> None:
        self._failures.pop(channel_id, None)
        guild = self._pending.pop(channel_id, None)
        if session == self._session and channel_id not in self._starved:
            self._open_up(channel_id)
        elif channel_id not in self._starved:
            self._fill_later(channel_id, guild)

    async def _fill(self, channel_id: str, history: History) -> None:
        place = self._places.get(channel_id)
        guild = self._pending.get(channel_id)
        if place is None and guild is not None:
            place = self._places.add(await history.channel(channel_id), guild)
        place = place or Place(channel_id, 1)
        after = self.marks.gap_begins(place)
        if after is None or not self._settings.backfill_messages:
            return
        try:
            missed = await self._backfill.missed(place, after, history)
        except PermanentError as error:
            if getattr(error, "status", 0) != GONE:
                self.marks.leave_unread(place, after)
            raise
        if place.guild:
            await self._backfill.add_members(missed, place.guild, history)
        for data in missed:
            self._deliver("MESSAGE_CREATE", data, "")
        self.marks.was_read(place)
        if missed:
            self._log.info("read what was missed in chat %s: %d", place.address, len(missed))

    # Holding

    def _open_up(self, channel_id: str) -> None:
        self._open.add(channel_id)
        for event in self._held.pop(channel_id, []):
            self._deliver(*event)

    def _fill_later(self, channel_id: str, guild: str | None) -> None:
        if channel_id not in self._pending:
            self._pending[channel_id] = guild
            self._jobs.put_nowait(channel_id)

    def _lose(self, channel_id: str, name: str, guild: str | None) -> None:
        """Keep only in mind that something came; the history has it when there is room."""
        if not self._starved:
            self._log.warning("too much waits in memory; chats catch up from their history")
        self._open.discard(channel_id)
        self._held.pop(channel_id, None)
        self._starved[channel_id] = guild
        if name != "MESSAGE_CREATE":
            self._log.warning("a %s did not fit into memory and is lost", name)

    def _take_up_archived(self, guild_id: str, listed: set[str]) -> None:
        """Look after threads that spoke and are not listed any more."""
        for _, ids, _ in [*self.marks.known("seen"), *self.marks.known("unread")]:
            parent = self._places.get(ids[0])
            if parent is not None and parent.guild == guild_id and ids[-1] not in listed:
                self._fill_later(ids[-1], guild_id)

    def _is_old(self, mark: int) -> bool:
        age = self._clock.now() - moment_of(mark)
        return age > timedelta(hours=self._settings.backfill_hours)

    def _is_whole(self, guild: str) -> bool:
        return guild not in self._pending.values() and guild not in self._starved.values()

    @property
    def _held_events(self) -> int:
        return sum(map(len, self._held.values()))
