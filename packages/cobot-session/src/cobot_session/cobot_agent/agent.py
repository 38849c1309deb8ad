"""What the bridge uses of the cobot agent 0.2, as types: the agent ships none."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from cobot_session.messages import OutgoingMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from cobot_session.messages import IncomingMessage

Context: TypeAlias = "dict[str, Any]"
"""What travels through the agent's extension points of the loop."""


class Registry(Protocol):
    """The agent's plugins."""

    def get(self, plugin_id: str) -> Any:
        """Return a plugin by its id, `None` when there is none."""

    def get_by_capability(self, capability: str) -> Any:
        """Return the first plugin that has a capability, `None` when there is none."""


class WorkspacePlugin(Protocol):
    """The agent's folder."""

    def get_path(self, *parts: str) -> Path:
        """Return a path within it."""


class Meta(Protocol):
    """What a plugin of the agent says of itself."""

    implements: Mapping[str, str]


class PairingPlugin(Protocol):
    """The agent's own gate."""

    meta: Meta
    on_message_received: Callable[[Context], Coroutine[Any, Any, Context]]


def as_agent_message(message: IncomingMessage, id_: str) -> Any:
    """Return a message in the agent's own type.

    Its moments are naive and local, as all of the agent's are: it sorts them with those of others.
    """
    communication = importlib.import_module("cobot.plugins.communication")
    return communication.IncomingMessage(
        id=id_,
        channel_type=message.channel_type,
        channel_id=message.channel_id,
        sender_id=message.sender_id,
        sender_name=message.sender_name,
        content=words_of(message),
        timestamp=message.timestamp.astimezone().replace(tzinfo=None),
        reply_to=message.reply_to,
        media=list(message.media),
        metadata=dict(message.metadata) | {"kind": message.kind, "direct": message.direct},
    )


def as_our_message(message: Any) -> OutgoingMessage:
    """Return a message of the agent in our type, without what its loop adds for its own."""
    metadata = {key: value for key, value in message.metadata.items() if key != "recipient"}
    return OutgoingMessage(
        message.channel_type,
        message.channel_id,
        message.content,
        message.reply_to,
        message.media,
        metadata,
    )


def words_of(message: IncomingMessage) -> str:
    """Return what a message says; attachments without words are named: `[image cat.jpg]`."""
    named = (f"[{media.kind} {media.filename or ''}".rstrip() + "]" for media in message.media)
    return message.content or " ".join(named)


def context_of(message: IncomingMessage, id_: str) -> Context:
    """Return what the agent's loop tells its plugins of a message (`loop.on_message`)."""
    return {
        "message": words_of(message),
        "sender": message.sender_name,
        "sender_id": message.sender_id,
        "channel_type": message.channel_type,
        "channel_id": message.channel_id,
        "event_id": id_,
    }
