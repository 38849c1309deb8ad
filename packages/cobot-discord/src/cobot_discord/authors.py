"""Who wrote what lately: Discord tells of a deletion neither whose message it was nor who did it.

https://discord.com/developers/docs/events/gateway-events#message-delete
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cobot_discord.places import MALFORMED, snowflake

if TYPE_CHECKING:
    from cobot_discord.places import Payload, Places
    from cobot_session.messages import IncomingMessage

REMEMBERED = 10_000
"""Messages whose author is remembered, in memory; about 300 bytes each."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message.

    Attributes:
        heard: the message was one for the agent, or the bot's own.
        own: it was the bot's own.
    """

    id: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    heard: bool = True
    own: bool = False


NOBODY = Author()


class Authors:
    """The authors of the messages that came last.

    Args:
        places: tell who the bot is.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._authors: dict[str, Author] = {}

    def note(self, data: Payload, message: IncomingMessage | None) -> None:
        """Remember who wrote a message.

        Args:
            data: as Discord tells of it.
            message: what the agent gets of it; `None`: nothing.
        """
        message_id = snowflake(data["id"])
        if message is not None:
            author = Author(message.sender_id, message.sender_name, tuple(message.roles))
        else:
            own = str(data["author"]["id"]) == self._places.me
            author = Author(heard=own, own=own)
        self._authors.pop(message_id, None)
        self._authors[message_id] = author
        if len(self._authors) > REMEMBERED:
            del self._authors[next(iter(self._authors))]

    def of(self, data: Payload) -> Author | None:
        """Return who wrote the message an event is about; `None`: that is not known."""
        try:
            return self._authors.get(snowflake(data["id"]))
        except MALFORMED:
            return None
