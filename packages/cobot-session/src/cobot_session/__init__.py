"""One session between an agent and every place where people talk to it."""

from cobot_session.aio import AsyncSession
from cobot_session.capabilities import Capabilities
from cobot_session.errors import (
    AuthError,
    ChannelError,
    CobotError,
    ConfigError,
    ConsumerBusy,
    OutcomeUnknown,
    PermanentError,
    PluginError,
    Problem,
    RateLimited,
    SessionError,
    SpoolBusy,
    SpoolError,
    SpoolFull,
    SpoolTooNew,
    TemporaryError,
    WrongFace,
)
from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Receipt, Sent
from cobot_session.plugin import Limits, Plugin, PluginContext, PluginMeta, hookimpl
from cobot_session.session import Session
from cobot_session.status import Health, Status

__all__ = [
    "AsyncSession",
    "AuthError",
    "Capabilities",
    "ChannelError",
    "CobotError",
    "ConfigError",
    "ConsumerBusy",
    "Health",
    "IncomingMessage",
    "Limits",
    "Media",
    "OutcomeUnknown",
    "OutgoingMessage",
    "PermanentError",
    "Plugin",
    "PluginContext",
    "PluginError",
    "PluginMeta",
    "Problem",
    "RateLimited",
    "Receipt",
    "Sent",
    "Session",
    "SessionError",
    "SpoolBusy",
    "SpoolError",
    "SpoolFull",
    "SpoolTooNew",
    "Status",
    "TemporaryError",
    "WrongFace",
    "hookimpl",
]
