"""What opens the gate of one channel: ids, and nothing that a stranger can choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cobot_session.config.settings import UserRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cobot_session.config import AccessSettings
    from cobot_session.messages import IncomingMessage


@dataclass(frozen=True, slots=True)
class Rules:
    """What opens the gate of one channel.

    Attributes:
        users: ids of people who may write anywhere.
        users_in: `(user, chat)`: a person who may write in that chat only.
        chats: chat ids; a topic or thread `chat/topic` belongs to its chat.
        spaces: guild or server ids.
        roles: `space/role`, so that a role counts only in its own space.
        open: everyone.
    """

    users: frozenset[str] = frozenset()
    users_in: frozenset[tuple[str, str]] = frozenset()
    chats: frozenset[str] = frozenset()
    spaces: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    open: bool = False

    def admit(self, message: IncomingMessage) -> bool:
        """Tell whether something that came in may pass."""
        return (
            self.open
            or self._knows_person(message.sender_id, message.channel_id)
            or self.knows_chat(message.channel_id)
            or self._knows_place(message)
        )

    def knows_chat(self, channel_id: str) -> bool:
        """Tell whether a chat, or what it lies in, is listed."""
        return not self.chats.isdisjoint(enclosing(channel_id))

    def _knows_person(self, user: str, channel_id: str) -> bool:
        if not user:
            return False
        return user in self.users or any(
            (user, chat) in self.users_in for chat in enclosing(channel_id)
        )

    def _knows_place(self, message: IncomingMessage) -> bool:
        space = message.space_id
        if space is None:
            return False
        return space in self.spaces or any(
            f"{space}/{role}" in self.roles for role in message.roles
        )


def rules(settings: AccessSettings, own: Mapping[str, Any] | None = None) -> Rules:
    """Merge a block's `access` with what the channel's own keys say (`config_model.access()`)."""
    own = own or {}
    people = [*settings.users, *_listed(own.get("users", ()))]
    return Rules(
        users=frozenset(str(one) for one in people if not isinstance(one, UserRule | Mapping)),
        users_in=frozenset(_limited(people)),
        chats=_ids(settings.chats) | _ids(own.get("chats", ())),
        spaces=_ids(own.get("spaces", ())),
        roles=_ids(settings.roles) | _ids(own.get("roles", ())),
        open=settings.open or bool(own.get("open", False)),
    )


def enclosing(channel_id: str) -> list[str]:
    """Return a chat's id and the ids of what it lies in: `-100/7` lies in `-100`."""
    pieces = channel_id.split("/")
    return ["/".join(pieces[: count + 1]) for count in range(len(pieces))]


def _limited(people: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for one in people:
        rule = UserRule.model_validate(one) if isinstance(one, Mapping) else one
        if isinstance(rule, UserRule):
            yield from ((rule.id, chat) for chat in rule.chats)


def _ids(values: Iterable[Any]) -> frozenset[str]:
    return frozenset(map(str, _listed(values)))


def _listed(values: Iterable[Any]) -> Iterable[Any]:
    return [values] if isinstance(values, str) else values  # one id, and not its letters
