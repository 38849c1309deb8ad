"""What a channel says of its health, and what the session says of a channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

ChannelState: TypeAlias = Literal[
    "unconfigured", "starting", "online", "reconnecting", "failed", "stopped"
]


@dataclass(frozen=True, slots=True)
class Health:
    """A channel's own word on its receive path, from `session_health`.

    Attributes:
        ok: messages can arrive now.
        detail: one line for a person.
        latency: seconds of the last round trip on the receive path.
    """

    ok: bool
    detail: str = ""
    latency: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The session's word on one plugin.

    Attributes:
        state: where it is in its life.
        since: when it came into that state (aware, UTC).
        last_error: the latest trouble, secrets removed; kept after recovery.
        received: messages stored since the session started.
        sent: messages delivered since the session started.
        dropped: messages refused before they were stored (by the gate, or malformed).
        pending: messages stored and not done: received but not acknowledged, or not yet sent.
        dead: dead letters of this channel.
        dropped_by: `dropped` by reason.
        latency: seconds, as the channel's `session_health` told last.
        detail: the channel's own words on how it is, from there, too, secrets removed.
    """

    state: ChannelState
    since: datetime
    last_error: str | None = None
    received: int = 0
    sent: int = 0
    dropped: int = 0
    pending: int = 0
    dead: int = 0
    dropped_by: dict[str, int] = field(default_factory=dict)
    latency: float | None = None
    detail: str = ""
