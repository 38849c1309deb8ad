"""Discord's markup for people and places, made readable."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cobot_discord.places import Payload, Places

_MARKUP = re.compile(
    r"(?P<code>```[\s\S]*?```|`[^`\n]*`)"
    r"|<@!?(?P<user>\d{1,20})>"
    r"|<@&(?P<role>\d{1,20})>"
    r"|<#(?P<channel>\d{1,20})>"
    r"|<a?:(?P<emoji>\w{1,64}):\d{1,20}>"
    r"|<t:(?P<time>-?\d{1,15})(?::[tTdDfFRsS])?>"
    r"|</(?P<command>[^:<>\n]{1,100}):\d{1,20}>"
)
"""https://discord.com/developers/docs/reference#message-formatting; code is left alone."""


def readable(content: str, data: Payload, places: Places) -> str:
    """Return a message's text with names in place of ids; what is not known stays as it is."""
    people = names(data)
    guild = data.get("guild_id")

    def put(found: re.Match[str]) -> str:
        whole, kind, value = found[0], found.lastgroup, found[found.lastgroup or 0]
        match kind:
            case "user":
                return f"@{people[value]}" if value in people else whole
            case "role":
                name = places.role_name(guild, value)
                return f"@{name.removeprefix('@')}" if name else whole
            case "channel":
                name = places.channel_name(value)
                return f"#{name}" if name else whole
            case "emoji":
                return f":{value}:"
            case "time":
                return _moment(int(value)) or whole
            case "command":
                return f"/{value}"
        return whole

    return _MARKUP.sub(put, content)


def names(data: Payload) -> dict[str, str]:
    """Return the people a message mentions: id -> the name they show."""
    found: dict[str, str] = {}
    for person in data.get("mentions") or ():
        nick = (person.get("member") or {}).get("nick")
        found[str(person["id"])] = nick or shown_name(person)
    return found


def shown_name(person: Payload) -> str:
    """Return the name a user shows: the chosen one, else the unique one, else the id."""
    names = (person.get("global_name"), person.get("username"))
    return next((name for name in names if name and isinstance(name, str)), str(person["id"]))


def is_meant(data: Payload, places: Places) -> bool:
    """Tell whether a message mentions the bot, one of its roles, or answers it."""
    answered: Any = data.get("referenced_message") or {}
    roles = {str(role) for role in data.get("mention_roles") or ()}
    return (
        places.me in names(data)
        or str((answered.get("author") or {}).get("id")) == places.me
        or not roles.isdisjoint(places.own_roles(data.get("guild_id")))
    )


def _moment(seconds: int) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return None
