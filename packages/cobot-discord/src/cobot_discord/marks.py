"""Marks: what was received of each chat, stored with it, and so where a gap begins.

A mark is the id of a message. For each chat the greatest few are stored in the transaction that
stores the messages themselves, and for each guild the floor: all that came before it, in whatever
channel of it, is stored. A few instead of one, and a floor that stays behind what was reached,
because events may overtake each other: what was overtaken is still missing. A gap that may not be
read is noted, and stays one until it may.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cobot_discord.clock import Clock
from cobot_discord.parse import moment_of, snowflake_at
from cobot_discord.places import MALFORMED, THREADS, snowflake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cobot_discord.places import Place
    from cobot_session.plugin import State

log = logging.getLogger(__name__)

KEPT_MARKS = 16
DIRECT_SPACE = "@me"
"""Stands for a guild where direct chats are meant. Its floor stays where it began: Discord lists no
direct chats, so that one which was missed shows only when the person writes again."""
RECENT = timedelta(minutes=10)
"""What is older is overtaken no more. A chat that was busy so shortly before is looked at even when
nothing seems to be missing."""
JUST_NOW = timedelta(minutes=1)
"""What is younger may still be overtaken, however much has come."""


class Marks:
    """The marks of all chats, the floors of all guilds, and the gaps that may not be read.

    Args:
        state: where they are kept.
        clock: Discord's time, of which the ids are.
    """

    def __init__(self, state: State, clock: Clock | None = None) -> None:
        self._state = state
        self._clock = clock or Clock()
        self._marks: dict[str, list[int]] = {}
        self._newest: dict[str, list[int]] = {}
        self._dropped: set[str] = set()
        self._filled: set[str] = set()

    def of(self, place: Place) -> list[int]:
        """Return the greatest ids that came from a chat, in this process or before."""
        name = _name(place)
        if name not in self._marks:
            self._marks[name] = self._stored(name)
        return self._marks[name]

    def add(self, place: Place, mark: int) -> None:
        """Note an id that has come; `store` makes it last."""
        self._marks[_name(place)] = _greatest([*self.of(place), mark])
        if place.guild:
            self._newest[place.guild] = _greatest([*self._newest.get(place.guild, ()), mark])

    def store(self, received: list[tuple[Place, int]]) -> None:
        """Put ids into the state, in the `session_receive` that hands their messages over."""
        new: dict[str, list[int]] = {}
        for place, mark in received:
            new.setdefault(_name(place), []).append(mark)
        self._take_out(self._dropped)
        for name, marks in new.items():
            self._state[name] = _greatest([*self._stored(name), *marks])

    def settle(self, whole: list[str], *, moved: bool) -> None:
        """Raise floors, and end gaps that were read, when nothing waits any more.

        Args:
            whole: guilds of which nothing is being fetched.
            moved: something is stored anyway; else only what comes to its end is.
        """
        self._take_out(self._filled)
        now = self._clock.now()
        for guild in whole:
            reached = self._newest[guild][-1]
            floor, before = self._safe_floor(self._newest[guild], now), self.floor(guild)
            if before is not None and floor > before and (moved or floor == reached):
                self._state[f"floor/{guild}"] = str(floor)

    @property
    def guilds(self) -> list[str]:
        """The guilds of which something came in this process."""
        return list(self._newest)

    def gap_begins(self, place: Place) -> int | None:
        """Return the id after which messages of a chat may be missing; `None`: none can be."""
        marks, begins = self.of(place), self._unmarked_from(place)
        if marks and (len(marks) == KEPT_MARKS or begins is None):
            begins = marks[0]
        elif marks and begins is not None:  # all that came of it is known: earlier may be missing
            begins = min(marks[0], begins)
        unread = self.unread(place)
        return begins if unread is None else min(unread, begins or unread)

    def may_miss(self, place: Place) -> bool:
        """Tell whether a chat, by the last id that Discord tells of it, may have more for us."""
        begins = self.gap_begins(place)
        if begins is None or not place.last:
            return False
        marks = self.of(place)
        if self.unread(place) is not None or not marks:
            return place.last > begins
        floor = self.floor(place.guild or DIRECT_SPACE) or 0
        return (
            place.last > marks[-1]
            or marks[-1] > floor
            or self._clock.now() - moment_of(marks[-1]) < RECENT
        )

    def floor(self, guild: str) -> int | None:
        """Return the id before which nothing of a guild is missing; `None`: it is new."""
        return self._one(f"floor/{guild}")

    def begin(self, guild: str, first: int) -> None:
        """Begin with a guild (or `DIRECT_SPACE`), at once: what came before is not for us."""
        self._state[f"begun/{guild}"] = self._state[f"floor/{guild}"] = str(first)

    def unread(self, place: Place) -> int | None:
        """Return where a gap begins that could not be read; `None`: there is none."""
        stored = self._stored(_unread(place))
        return stored[0] if stored else None

    def leave_unread(self, place: Place, after: int) -> None:
        """Note at once that what came after an id may not be read for now."""
        name = _unread(place)
        self._filled.discard(name)
        self._dropped.discard(name)
        self._state[name] = [min([*self._stored(name), after])]

    def was_read(self, place: Place) -> None:
        """Let a gap end as soon as all that was read of it is received."""
        if self.unread(place) is not None:
            self._filled.add(_unread(place))

    def forget(self, name: str) -> None:
        """Drop what is known of a chat that is gone."""
        self._dropped.add(name)
        self._marks.pop(name, None)

    def known(self, kind: str) -> Iterator[tuple[str, list[str], int]]:
        """Yield the chats that spoke: name of their marks, ids, greatest mark.

        Args:
            kind: `dm` for direct chats, `seen` for the others, `unread` for gaps left open.
        """
        for name in {*self._state, *self._marks}:
            first, *ids = name.split("/")
            if first == kind and ids and (marks := self._marks.get(name) or self._stored(name)):
                yield name, ids, marks[-1]

    def _unmarked_from(self, place: Place) -> int | None:
        """Return after which id a chat may be missing something of which nothing ever came."""
        space = place.guild or DIRECT_SPACE
        floor = self.floor(space)
        if floor is None:
            return None
        begun = self._one(f"begun/{space}")
        recent = snowflake_at(self._clock.now() - RECENT)
        made = int(place.id) - 1 if place.kind in THREADS else floor  # it may have been archived
        return max(floor if begun is None else begun, min(floor, recent, made))

    def _safe_floor(self, newest: list[int], now: datetime) -> int:
        """Return up to where nothing can have been overtaken that did not come yet."""
        counted = newest[0] if len(newest) == KEPT_MARKS else 0
        settled = max(counted, snowflake_at(now - RECENT))
        return min(newest[-1], settled, snowflake_at(now - JUST_NOW))

    def _one(self, name: str) -> int | None:
        found = _ids([self._state.get(name)])
        return found[0] if found else None

    def _stored(self, name: str) -> list[int]:
        return [] if name in self._dropped else _ids(self._state.get(name))

    def _take_out(self, names: set[str]) -> None:
        while names:
            name = names.pop()
            if name in self._state:
                del self._state[name]


def _ids(stored: Any) -> list[int]:
    """Return what are ids of what is stored; anything else would point into nowhere."""
    found = []
    for value in stored if isinstance(stored, list) else ():
        try:
            found.append(int(snowflake(value)))
        except MALFORMED:
            if value is not None:
                log.warning("left out a stored mark that is no id")
    return sorted(found)


def _name(place: Place) -> str:
    return f"seen/{place.address}" if place.guild else f"dm/{place.address}"


def _unread(place: Place) -> str:
    return f"unread/{place.address}"


def _greatest(marks: list[int]) -> list[int]:
    return sorted(set(marks))[-KEPT_MARKS:]
