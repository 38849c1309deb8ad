"""Sends of unknown outcome, settled from the chat's history when the nonce has been forgotten.

Discord remembers a nonce for a few minutes only. Who tries again later, because Discord was out of
reach for so long, looks first whether the message is there. Nothing else of its lane is sent in
between, so a message of ours with the same text, written since, is the one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cobot_discord.parse import moment_of

if TYPE_CHECKING:
    from cobot_discord.places import Payload
    from cobot_session.messages import OutgoingMessage

NONCE_SECONDS = 120.0
"""Up to this age of the first try a repeat is left to the nonce."""
SKEW = timedelta(seconds=90)
"""How far our clock and Discord's may be apart."""


class Unsettled:
    """The sends of this process whose outcome is unknown: id -> when they were first tried."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def note(self, message_id: str, began: datetime) -> None:
        """Note that nobody knows what became of a send."""
        if message_id:
            self._since.setdefault(message_id, began)

    def settle(self, message_id: str) -> None:
        """Forget a send whose outcome is known."""
        self._since.pop(message_id, None)

    def doubtful(self, message_id: str) -> datetime | None:
        """Return when a send was first tried if its nonce may be forgotten by now."""
        since = self._since.get(message_id)
        if since is None or (datetime.now(UTC) - since).total_seconds() < NONCE_SECONDS:
            return None
        return since


def find(message: OutgoingMessage, since: datetime, history: list[Payload], me: str) -> str | None:
    """Return the id under which a message stands in the history since its first try."""
    for data in history:
        ours = str((data.get("author") or {}).get("id")) == me
        same = str(data.get("content") or "").strip() == message.content.strip()
        files = len(data.get("attachments") or ()) == len(message.media)
        if ours and same and files and moment_of(int(data["id"])) > since - SKEW:
            return str(data["id"])
    return None
