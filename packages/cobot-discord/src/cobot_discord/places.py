"""Where the bot is: guilds, channels, threads and roles, as the gateway tells of them.

It is kept from raw events, so that neither what a message says of its place nor how a mention
reads depends on a library's cache having understood every other event.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]

MALFORMED = (
    *(LookupError, TypeError, ValueError, AttributeError),
    *(ArithmeticError, RecursionError),
)
"""What reading a payload may raise that is not what Discord documents."""

DIRECT = frozenset({1, 3})
THREADS = frozenset({10, 11, 12})
TALKING = frozenset({0, 2, 5, 13})
"""Types of channels with messages of their own: text, voice, announcements, stage."""


MOST_DIGITS = 19


def snowflake(value: object) -> str:
    """Return an id as text.

    Raises:
        ValueError: it is none: Discord's ids are whole numbers above 0 that fit in 63 bits.
    """
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise ValueError("an id should be digits")
    if not 0 < int(text) < 2**63:
        raise ValueError("an id should be above 0 and below 2**63")
    return str(int(text))


def guild_of(data: Payload) -> str | None:
    """Return the guild an event names; `None`: it happened outside of any.

    Raises:
        ValueError: what it names is no id.
    """
    guild = data.get("guild_id")
    return None if guild is None else snowflake(guild)


@dataclass(slots=True)
class Place:
    """One channel or thread.

    Attributes:
        last: id of the last message as Discord told it, 0 when there is none.
    """

    id: str
    kind: int
    name: str = ""
    guild: str | None = None
    parent: str | None = None
    last: int = 0

    @property
    def address(self) -> str:
        """The chat's `channel_id`: a thread lies in its channel, `channel/thread`."""
        return f"{self.parent}/{self.id}" if self.kind in THREADS and self.parent else self.id

    @property
    def around(self) -> tuple[str, ...]:
        """Its id and the id of what it lies in (for a thread) or is sorted under."""
        return (self.id, self.parent) if self.parent else (self.id,)


@dataclass(slots=True)
class _Guild:
    roles: dict[str, str] = field(default_factory=dict)
    own_roles: frozenset[str] = frozenset()


class Places:
    """All places, kept up to date by `learn`."""

    def __init__(self) -> None:
        self.me = ""
        self._places: dict[str, Place] = {}
        self._guilds: dict[str, _Guild] = {}

    def get(self, channel_id: str) -> Place | None:
        """Return a place that is known."""
        return self._places.get(channel_id)

    def in_guild(self, guild_id: str) -> list[Place]:
        """Return the known places of a guild in which people talk."""
        talking = TALKING | THREADS
        return [p for p in self._places.values() if p.guild == guild_id and p.kind in talking]

    def channel_name(self, channel_id: str) -> str | None:
        """Return the name of a channel or thread."""
        place = self._places.get(channel_id)
        return place.name if place and place.name else None

    def role_name(self, guild_id: str | None, role_id: str) -> str | None:
        """Return the name of a role."""
        guild = self._guilds.get(guild_id or "")
        return guild.roles.get(role_id) if guild else None

    def own_roles(self, guild_id: str | None) -> frozenset[str]:
        """Return the roles that stand for the bot itself in a guild."""
        guild = self._guilds.get(guild_id or "")
        return guild.own_roles if guild else frozenset()

    def learn(self, event: str, data: Payload) -> None:
        """Take in an event; those about other things are ignored."""
        match event:
            case "READY":
                self.me = str(data["user"]["id"])
            case "GUILD_CREATE":
                self._learn_guild(data)
            case "GUILD_DELETE":
                self._forget_guild(data)
            case "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "THREAD_CREATE" | "THREAD_UPDATE":
                self.add(data)
            case "CHANNEL_DELETE" | "THREAD_DELETE":
                self._places.pop(str(data["id"]), None)
            case "THREAD_LIST_SYNC":
                self._add_all(data.get("threads"), snowflake(data["guild_id"]))
            case "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE":
                self._learn_role(str(data["guild_id"]), data["role"])

    def add(self, data: Payload, guild_id: str | None = None) -> Place:
        """Take in one channel object."""
        parent = data.get("parent_id")
        place = Place(
            snowflake(data["id"]),
            int(data["type"]),
            str(data.get("name") or ""),
            guild_of(data) or guild_id,
            None if parent is None else snowflake(parent),
            _last(data.get("last_message_id")),
        )
        self._places[place.id] = place
        return place

    def _learn_guild(self, data: Payload) -> None:
        guild_id = snowflake(data["id"])
        if data.get("unavailable"):
            return
        self._guilds[guild_id] = _Guild()
        for role in data.get("roles") or ():
            self._learn_role(guild_id, role)
        self._add_all(data.get("channels"), guild_id)
        self._add_all(data.get("threads"), guild_id)

    def _learn_role(self, guild_id: str, role: Payload) -> None:
        guild = self._guilds.setdefault(guild_id, _Guild())
        guild.roles[str(role["id"])] = str(role.get("name") or "")
        if str((role.get("tags") or {}).get("bot_id")) == self.me:
            guild.own_roles |= {str(role["id"])}

    def _add_all(self, channels: Any, guild_id: str) -> None:
        for channel in channels or ():
            with contextlib.suppress(*MALFORMED):  # one broken channel hides no other
                self.add(channel, guild_id)

    def _forget_guild(self, data: Payload) -> None:
        if data.get("unavailable"):
            return
        guild_id = str(data["id"])
        self._guilds.pop(guild_id, None)
        for place in [p for p in self._places.values() if p.guild == guild_id]:
            del self._places[place.id]


def _last(value: object) -> int:
    """Return the id of a last message; what is none hides no channel."""
    with contextlib.suppress(ValueError):
        return int(snowflake(value))
    return 0
