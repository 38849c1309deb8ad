"""Every exception of the session and of its channels.

CobotError
├── ConfigError              cobot.yml is wrong; carries every problem at once
├── PluginError              a plugin cannot be used; carries the reason and the remedy
├── SessionError             the session is used in a way it does not allow
│   ├── ConsumerBusy         a second poll, messages or run
│   └── WrongFace            the sync face on an event loop of a channel, or the other way round
├── SpoolError               the durable store
│   ├── SpoolBusy            another process runs this spool (`pid`)
│   ├── SpoolTooNew          written by a newer version
│   └── SpoolFull            no room: the disk, or `max_pending`
└── ChannelError             raised by channels, understood by the session
├── TemporaryError       try again later
│   └── RateLimited      try again after `retry_after` seconds
├── PermanentError       never try this message again
├── AuthError            never try this channel again: its credentials are refused
└── OutcomeUnknown       the request left, no answer came
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence


class CobotError(Exception):
    """Base of all errors of this project."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration.

    Attributes:
        field: dotted path, such as `plugins.telegram.bot_token`.
        rule: what is wrong, as a sentence without a full stop.
        fix: what to do about it.
        file: the file it stands in, if it came from one.
        line: counted from 1; 0: not known.
        column: counted from 1; 0: not known.
    """

    field: str
    rule: str
    fix: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        fix = f" Fix: {self.fix}" if self.fix else ""
        return f"{place}{self.field}: {self.rule}.{fix}"


class ConfigError(CobotError):
    """The configuration has mistakes; `problems` lists them all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PluginError(CobotError):
    """A plugin cannot be used; `reason` says why and `remedy` what to do."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{reason}. {remedy}".rstrip() if remedy else reason)


class SessionError(CobotError):
    """The session is used in a way it does not allow."""


class ConsumerBusy(SessionError):
    """Another poll, messages or run is consuming this session's messages."""


class WrongFace(SessionError):
    """A blocking verb was called where it would deadlock, or an async one outside a loop."""


class SpoolError(CobotError):
    """The durable store cannot do what was asked."""


class SpoolBusy(SpoolError):
    """Another process runs this spool; `pid` is its process id, 0 when it cannot be told."""

    def __init__(self, message: str, pid: int = 0) -> None:
        self.pid = pid
        super().__init__(message)


class SpoolTooNew(SpoolError):
    """The spool was written by a newer version of this package."""


class SpoolFull(SpoolError):
    """There is no room: the disk is full, or `max_pending` is reached."""


class ChannelError(CobotError):
    """Base of what a channel's hooks raise to tell the session what happened."""


class TemporaryError(ChannelError):
    """It did not happen and may work later."""


class RateLimited(TemporaryError):
    """The platform asks for a pause.

    Args:
        retry_after: seconds to wait, as the platform told.
        scope: `chat`: only this chat waits; `channel`: the whole channel does.
        message: the platform's words.
    """

    def __init__(
        self,
        retry_after: float,
        scope: Literal["chat", "channel"] = "chat",
        message: str = "",
    ) -> None:
        self.retry_after = float(retry_after)
        self.scope = scope
        super().__init__(message or f"rate limited for {self.retry_after:g} s ({scope})")


class PermanentError(ChannelError):
    """It did not happen and never will: this message must not be tried again."""


class AuthError(ChannelError):
    """The platform refuses our credentials: this channel must not be tried again."""


class OutcomeUnknown(ChannelError):
    """The request left and no answer came: it may or may not have happened."""
