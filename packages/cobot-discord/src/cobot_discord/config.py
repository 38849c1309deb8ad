"""The settings of a Discord channel in `cobot.yml`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

API_URL = "https://discord.com/api/v10"
GATEWAY_URL = "wss://gateway.discord.gg/"

Intent: TypeAlias = Literal[
    "guilds",
    "members",
    "moderation",
    "expressions",
    "webhooks",
    "invites",
    "voice_states",
    "presences",
    "guild_messages",
    "guild_reactions",
    "guild_typing",
    "dm_messages",
    "dm_reactions",
    "dm_typing",
    "message_content",
    "guild_scheduled_events",
    "guild_polls",
    "dm_polls",
]
"""Names of https://discord.com/developers/docs/events/gateway#list-of-intents, as discord.py's."""

NEEDED: tuple[Intent, ...] = (
    "guilds",
    "guild_messages",
    "guild_reactions",
    "dm_messages",
    "dm_reactions",
)
"""What the channel asks for by default, beside `message_content`."""

PRIVILEGED: dict[Intent, str] = {
    "members": "Server Members Intent",
    "presences": "Presence Intent",
    "message_content": "Message Content Intent",
}
"""Intents that must be switched on for the bot, as Discord's developer portal calls them."""


def _as_id(value: Any) -> Any:
    """Take a whole number for the id it is; YAML keeps every digit of it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


Snowflake = Annotated[
    str,
    BeforeValidator(_as_id),
    Field(pattern=r"^[0-9]{1,20}$"),
    WithJsonSchema({"type": ["string", "integer"]}),
]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class GuildSettings(_Settings):
    """One guild ("server") in which the agent may be reached."""

    id: Snowflake = Field(description="Id of the guild.", examples=["1234567890123456789"])
    name: str = Field("", description="For you to read; not used.")
    channels: list[Snowflake] = Field(
        [], description="The only channels of it to listen in, with their threads; none: all."
    )
    roles: list[Snowflake] = Field(
        [], description="Roles of it, one of which a member needs; none: everyone there may write."
    )


class DiscordSettings(_Settings):
    """The block of a Discord channel."""

    bot_token: SecretStr = Field(
        description="From the page Bot of https://discord.com/developers/applications."
    )
    guilds: list[GuildSettings] = Field([], description="Guilds in which it may be reached.")
    respond: Literal["all", "mentioned"] = Field(
        "all",
        description="all: every message. mentioned: in guilds only messages that mention the bot or"
        " answer it, which needs no privileged intent.",
    )
    bots: bool = Field(False, description="Listen to other bots and to webhooks, too.")
    intents: list[Intent] | None = Field(
        None, description="What to ask Discord for; default: what the other settings need."
    )
    activity: str | None = Field(
        None, min_length=1, max_length=128, description="Text shown beside the bot's presence."
    )
    backfill_messages: int = Field(
        1000, ge=0, description="Most messages a chat catches up on after a gap; the newest stay."
    )
    backfill_hours: float = Field(
        168.0, gt=0, allow_inf_nan=False, description="Age up to which missed messages are read."
    )
    max_download: int = Field(
        100_000_000, ge=1, description="Bytes an attachment may have that is downloaded."
    )
    api_url: str = Field(API_URL, description="Where requests go: for compatible servers.")
    gateway_url: str = Field(GATEWAY_URL, description="The gateway: for compatible servers.")
    identify_seconds: float = Field(
        5.0, ge=0, allow_inf_nan=False, description="Least time between two new gateway sessions."
    )

    @field_validator("bot_token")
    @classmethod
    def _is_a_token(cls, value: SecretStr) -> SecretStr:
        token = re.sub(r"^Bot(\s+|$)", "", value.get_secret_value().strip())
        if not _TOKEN.fullmatch(token):
            raise PydanticCustomError(
                "token",
                "should be the token alone: three parts of letters, digits, `_` and `-`, with dots"
                " in between",
                {"fix": "Copy it whole from the bot's page in Discord's developer portal."},
            )
        return SecretStr(token)

    @field_validator("api_url", "gateway_url")
    @classmethod
    def _is_an_address(cls, value: str, info: Any) -> str:
        schemes = ("https", "http") if info.field_name == "api_url" else ("wss", "ws")
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname or parts.username:
            raise ValueError(f"should be an address that begins with {schemes[0]}://")
        return value.rstrip("/") if info.field_name == "api_url" else value

    def asked(self) -> frozenset[Intent]:
        """Return the intents to ask for; `guilds` always, since nothing works without it."""
        if self.intents is not None:
            return frozenset(self.intents) | {"guilds"}
        content: set[Intent] = {"message_content"} if self.respond == "all" else set()
        return frozenset(NEEDED) | content

    def access(self) -> dict[str, list[str]]:
        """Return the guilds as access rules: who has a role, else a channel, else the guild."""
        roles = [f"{guild.id}/{role}" for guild in self.guilds for role in guild.roles]
        chats = [chat for guild in self.guilds if not guild.roles for chat in guild.channels]
        spaces = [guild.id for guild in self.guilds if not guild.roles and not guild.channels]
        return {"roles": roles, "chats": chats, "spaces": spaces}

    @classmethod
    def access_id(cls, kind: str, value: str) -> str:
        """Return the snowflake of a person or chat, `channel/thread`, or `guild/role`.

        Raises:
            ValueError: it is a name, or a role without its guild.
        """
        if not _FORMS[kind].fullmatch(value):
            if kind == "role" and _SNOWFLAKE.fullmatch(value):
                raise ValueError("names a role without its guild; a role counts in its guild only")
            raise ValueError("is no Discord id: that is a number (“Copy ID”); names can change")
        return value

    def listens_in(self, guild_id: str, channel_ids: tuple[str, ...]) -> bool:
        """Tell whether a channel, or what it lies in, is one to listen in."""
        for guild in self.guilds:
            if guild.id == guild_id and guild.channels:
                return not set(guild.channels).isdisjoint(channel_ids)
        return True


_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SNOWFLAKE = re.compile(r"[0-9]{1,20}")
_FORMS = {
    "user": _SNOWFLAKE,
    "chat": re.compile(r"[0-9]{1,20}(?:/[0-9]{1,20})?"),
    "role": re.compile(r"[0-9]{1,20}/[0-9]{1,20}"),
}

INTENTS: tuple[Intent, ...] = get_args(Intent)
