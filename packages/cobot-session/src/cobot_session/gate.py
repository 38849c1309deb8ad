"""Who may reach the agent. Everything that comes in passes here before it is stored or told."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Mapping

    from cobot_session.config import AccessSettings
    from cobot_session.messages import IncomingMessage

_TELL_AGAIN_SECONDS = 3600.0
_REMEMBERED = 4096
"""Strangers whose last log line is remembered."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What opens the gate of one channel.

    Attributes:
        users: sender ids.
        chats: chat ids; a topic or thread `chat/topic` belongs to its chat.
        spaces: guild or server ids.
        roles: `space/role`, so that a role counts only in its own space.
        open: everyone.
    """

    users: frozenset[str] = frozenset()
    chats: frozenset[str] = frozenset()
    spaces: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    open: bool = False


def rules(settings: AccessSettings, own: Mapping[str, Any] | None = None) -> Rules:
    """Merge a block's `access` with what the channel's own keys say (`config_model.access()`)."""
    own = own or {}
    return Rules(
        users=_ids(settings.users) | _ids(own.get("users", ())),
        chats=_ids(settings.chats) | _ids(own.get("chats", ())),
        spaces=_ids(own.get("spaces", ())),
        roles=_ids(settings.roles) | _ids(own.get("roles", ())),
        open=settings.open or bool(own.get("open", False)),
    )


class Gate:
    """Denies by default; matches stable ids only, never names."""

    def __init__(self, allowed: Rules, log: logging.Logger) -> None:
        self._allowed = allowed
        self._log = log
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    def refusal(self, message: IncomingMessage) -> str | None:
        """Return why a message may not pass; `None`: it may."""
        if self._admits(message):
            return None
        self._tell(message)
        return "stranger"

    def _admits(self, message: IncomingMessage) -> bool:
        allowed = self._allowed
        if allowed.open or (message.sender_id and message.sender_id in allowed.users):
            return True
        if not allowed.chats.isdisjoint(_enclosing(message.channel_id)):
            return True
        space = message.space_id
        if space is None:
            return False
        return space in allowed.spaces or any(
            f"{space}/{role}" in allowed.roles for role in message.roles
        )

    def _tell(self, message: IncomingMessage) -> None:
        """Log a stranger once an hour, with the ids that would let them in."""
        who = (message.sender_id, message.channel_id)
        now = time.monotonic()
        if now - self._told.get(who, -_TELL_AGAIN_SECONDS) < _TELL_AGAIN_SECONDS:
            return
        self._told[who] = now
        self._told.move_to_end(who)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._log.warning(
            "dropped a %s from a stranger. To let them in, add under `access`:"
            " `users: [%r]` for the person, or `chats: [%r]` for the whole chat",
            message.kind,
            message.sender_id,
            message.channel_id,
        )


def _enclosing(channel_id: str) -> list[str]:
    """Return a chat's id and the ids of what it lies in: `-100/7` lies in `-100`."""
    pieces = channel_id.split("/")
    return ["/".join(pieces[: count + 1]) for count in range(len(pieces))]


def _ids(values: Iterable[Any]) -> frozenset[str]:
    if isinstance(values, str):  # one id, and not its letters
        return frozenset({values})
    return frozenset(str(value) for value in values)
