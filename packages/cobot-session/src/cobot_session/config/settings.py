"""What the core itself reads of `cobot.yml`; a channel's own keys are in its `config_model`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path  # noqa: TC003  # pydantic reads the annotation
from typing import Annotated, Any, Literal, get_args

import platformdirs
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from cobot_session.messages import Kind


def _no_boolean(value: Any) -> Any:
    """Refuse `yes` where a number belongs; pydantic would make a 1 of it."""
    if isinstance(value, bool):
        raise PydanticCustomError("number", "should be a number, not true or false")
    return value


def _as_kinds(value: Any) -> Any:
    if value == "all":
        return list(get_args(Kind))
    return [value] if isinstance(value, str) else value


Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1)]
Seconds = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, allow_inf_nan=False)]
Span = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, allow_inf_nan=False)]
Id = Annotated[str, Field(min_length=1)]
Kinds = Annotated[
    list[Kind],
    BeforeValidator(_as_kinds),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["all", *get_args(Kind)]},
                {"type": "array", "items": {"enum": list(get_args(Kind))}},
            ]
        }
    ),
]


class Settings(BaseModel):
    """Base of the core's settings: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SessionSettings(Settings):
    """The block `plugins.session`."""

    default_channel: str | None = Field(
        None, description="The channel of a message that names none."
    )
    strict: bool = Field(False, description="A plugin that fails to load ends the start.")
    durability: Literal["full", "normal"] = Field(
        "full",
        description="full: stored through a power cut. normal: faster, its last moments may go.",
    )
    max_deliveries: Count = Field(
        5, description="How often a message is handed out before it is a dead letter."
    )
    redeliver_after: Seconds = Field(
        1.0,
        description="Seconds at most until a message that the agent failed on comes again; five"
        " times as long after each further failure, up to 300.",
    )
    max_pending: Count = Field(
        10_000, description="Messages that may wait, for each channel and direction."
    )
    format: Literal["markdown", "text"] = Field(
        "markdown", description="What the agent writes: Markdown, or text to be shown as it is."
    )
    events: Kinds = Field(
        ["message"], description="Kinds of events that reach the agent: one, a list, or all."
    )
    on_unknown: Literal["keep", "resend"] = Field(
        "keep",
        description="A send whose outcome is unknown: keep it as a dead letter, or send it again.",
    )
    stall_after: Seconds = Field(
        120.0, description="Seconds without a sign of life before a channel is restarted."
    )
    max_age: Seconds = Field(
        86_400.0, description="Seconds a message may wait to be sent before it is a dead letter."
    )
    retain_days: Span = Field(7.0, description="Days that finished messages are kept.")
    retain_count: Annotated[int, BeforeValidator(_no_boolean), Field(ge=0)] = Field(
        100_000, description="Finished messages that are kept."
    )
    drain: Span = Field(5.0, description="Seconds that a stop waits for the outbox to empty.")


class WorkspaceSettings(Settings):
    """The block `plugins.workspace`."""

    path: Path | None = Field(
        None, description="Folder of what the session keeps; default: the user's data folder."
    )

    @property
    def folder(self) -> Path:
        """The folder to use: `path`, or the platform's folder for a user's data."""
        return self.path or platformdirs.user_data_path("cobot", appauthor=False)


class UserRule(Settings):
    """A person who may write to the agent in some chats only."""

    id: Id = Field(description="Id of the person.")
    chats: list[Id] = Field(min_length=1, description="Ids of the only chats where they may.")


class RateSettings(Settings):
    """How fast people may write; what comes faster is dropped, and counted as `flood`."""

    sender: Span = Field(60.0, description="Messages a minute of one person; 0: no bound.")
    sender_burst: Count = Field(1000, description="Messages of one person that may come at once.")
    chat: Span = Field(600.0, description="Messages a minute of one chat; 0: no bound.")
    chat_burst: Count = Field(10_000, description="Messages of one chat that may come at once.")
    backlog: Count = Field(
        5000,
        description="Messages of one person, written while the bot was away, that may come at once;"
        " of a chat four times as many.",
    )


def _is_rule(value: Any) -> str:
    return "rule" if isinstance(value, (Mapping, UserRule)) else "text"


User = Annotated[
    Annotated[Id, Tag("text")] | Annotated[UserRule, Tag("rule")], Discriminator(_is_rule)
]
Targets = Annotated[
    list[Id],
    BeforeValidator(lambda value: [value] if value == "any" else value),
    WithJsonSchema(
        {"anyOf": [{"const": "any"}, {"type": "array", "items": {"type": ["string", "integer"]}}]}
    ),
]


class AccessSettings(Settings):
    """Who may reach the agent through one channel, and where it may send."""

    users: list[User] = Field(
        [],
        description="Ids of the people who may write to the agent; `{id: …, chats: […]}` lets one"
        " in only in those chats.",
    )
    chats: list[Id] = Field([], description="Ids of the chats in which everybody may.")
    roles: list[Id] = Field(
        [], description="Roles that may, each `SPACE/ROLE`: a role counts in its own guild only."
    )
    pairing: bool = Field(
        False, description="A stranger's direct message is answered with a pairing code."
    )
    open: bool = Field(False, description="Everybody may, and the agent may write to everybody.")
    send_to: Targets | None = Field(
        None,
        description="Ids of the only chats the agent may write to, or `any`; default: those it has"
        " heard from, and those that are configured.",
    )
    rates: RateSettings = Field(
        default_factory=RateSettings, description="How fast people may write."
    )


class CommonSettings(Settings):
    """The keys that every plugin's block may have; the core takes them off."""

    use: str | None = Field(None, description="Name of the plugin; default: the name of the block.")
    enabled: bool = Field(True, description="false: the plugin is not even imported.")
    default_chat: Id | None = Field(
        None, description="Id of the chat of a message that names none."
    )
    poll_interval: Seconds = Field(
        1.0, description="Seconds between two looks at a channel that has nothing new."
    )
    access: AccessSettings = Field(
        default_factory=AccessSettings, description="Who may reach the agent."
    )


COMMON_KEYS = frozenset(CommonSettings.model_fields)
