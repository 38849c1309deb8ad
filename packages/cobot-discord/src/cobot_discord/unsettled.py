"""Sends of unknown outcome, settled from the chat's history when the nonce has been forgotten.

Discord remembers a nonce for a few minutes only. Who tries again later, because Discord was out of
reach for so long, looks first whether the message is there. Nothing else of its lane is sent in
between, so a message of ours with the same text, written since, is the one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cobot_discord.parse import moment_of, snowflake_at
from cobot_discord.places import MALFORMED, snowflake

if TYPE_CHECKING:
    from datetime import datetime

    from cobot_discord.clock import Clock, Moment
    from cobot_discord.places import Payload
    from cobot_session.messages import OutgoingMessage
    from cobot_session.plugin import State

NONCE_SECONDS = 120.0
"""Up to this age of the first try a repeat is left to the nonce."""
SKEW = timedelta(seconds=90)
"""How far the clocks of Discord's machines may be apart; ours, where no answer tells Discord's."""
KEPT = timedelta(days=30)
"""How long a send is remembered that is never tried again."""


class Unsettled:
    """The sends whose outcome is unknown, and when they were first tried.

    Args:
        clock: Discord's time.
        state: keeps them over a restart.
    """

    def __init__(self, clock: Clock, state: State) -> None:
        self._clock = clock
        self._state = state
        self._since: dict[str, Moment] = {}

    def note(self, message_id: str, began: Moment) -> None:
        """Note at once that nobody knows what became of a send."""
        if message_id and self._stored(message_id) is None:
            self._drop_old()
            self._since[message_id] = began
            self._state[_name(message_id)] = str(snowflake_at(began.at))

    def settle(self, message_id: str) -> None:
        """Forget a send whose outcome is known."""
        self._since.pop(message_id, None)
        if self._state.get(_name(message_id)) is not None:
            del self._state[_name(message_id)]

    def is_doubtful(self, message_id: str) -> bool:
        """Tell of a send that was tried before that its nonce may be forgotten by now.

        Of one that an earlier process tried nothing tells for certain how long ago that was.
        """
        began = self._since.get(message_id)
        if began is None:
            return self._stored(message_id) is not None
        return self._clock.age(began) >= NONCE_SECONDS

    def find(self, message: OutgoingMessage, history: list[Payload], me: str) -> str | None:
        """Return the id under which a message stands in a fresh history since its first try."""
        since = self._start_of(message.id)
        for data in history:
            ours = str((data.get("author") or {}).get("id")) == me
            same = str(data.get("content") or "").strip() == message.content.strip()
            files = len(data.get("attachments") or ()) == len(message.media)
            if ours and same and files and since and moment_of(int(data["id"])) > since - SKEW:
                return str(data["id"])
        return None

    def _start_of(self, message_id: str) -> datetime | None:
        if began := self._since.get(message_id):
            return self._clock.start_of(began)
        return self._stored(message_id)

    def _stored(self, message_id: str) -> datetime | None:
        try:
            return moment_of(int(snowflake(self._state.get(_name(message_id)))))
        except MALFORMED:
            return None

    def _drop_old(self) -> None:
        """Leave nothing behind of sends that were given up."""
        kept_since = self._clock.now() - KEPT
        for name in [name for name in self._state if name.startswith(_name(""))]:
            at = self._stored(name.removeprefix(_name("")))
            if at is None or at < kept_since:
                self._since.pop(name.removeprefix(_name("")), None)
                del self._state[name]


def _name(message_id: str) -> str:
    return f"unsettled/{message_id}"
