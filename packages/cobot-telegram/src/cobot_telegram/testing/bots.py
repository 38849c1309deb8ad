"""The bots that talk to the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cobot_telegram.testing.changes import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from cobot_telegram.testing.changes import Changes
    from cobot_telegram.testing.updates import Updates


@dataclass(slots=True)
class Webhook:
    """Where updates are pushed: https://core.telegram.org/bots/api#webhookinfo."""

    url: str
    secret: str = field(default="", repr=False)
    max_connections: int = 40
    last_error: str | None = None
    last_error_date: int | None = None


@dataclass(slots=True, eq=False)
class BotAccount:
    """A bot registered with the server.

    Attributes:
        token: what it signs its calls with.
        id: the number before the colon.
        username: without the `@`.
        name: its first name.
        updates: what it has not seen.
        reads_all: group privacy mode is off; when it is on, a group's ordinary messages (neither
            commands, nor mentions of the bot, nor replies to it) do not reach it.
        webhook: set by `setWebhook`.
    """

    token: str = field(repr=False)
    id: int
    username: str
    name: str
    changes: Changes = field(repr=False)
    updates: Updates = field(repr=False)
    reads_all: bool = True
    webhook: Webhook | None = None

    def json(self) -> dict[str, Any]:
        """Return the API's User object."""
        return {
            "id": self.id,
            "is_bot": True,
            "first_name": self.name,
            "username": self.username,
        }

    def me(self) -> dict[str, Any]:
        """Return what `getMe` answers."""
        return {
            **self.json(),
            "can_join_groups": True,
            "can_read_all_group_messages": self.reads_all,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }

    def wait_until_polling(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Block until the bot waits in a long poll: it is up, and nothing is left for it."""
        self.changes.wait(
            lambda: self.updates.polled and not len(self.updates),
            timeout,
            lambda: f"@{self.username} is not polling",
        )

    def wait_until_confirmed(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Block until the bot has confirmed every update."""
        self.changes.wait(
            lambda: not len(self.updates),
            timeout,
            lambda: f"@{self.username} has not confirmed {len(self.updates)} updates",
        )
