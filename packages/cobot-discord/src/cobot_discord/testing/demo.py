"""Discord in the demonstration: the local server, and people who use it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from cobot_discord.testing.model import File
from cobot_discord.testing.server import DiscordServer
from cobot_session.demo import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cobot_discord.testing.model import Message, User
    from cobot_session.demo import Person


class DiscordPerson:
    """Somebody with a Discord app, in the direct chat with the bot."""

    def __init__(self, user: User) -> None:
        self._user = user

    @property
    def name(self) -> str:
        """The user's name."""
        return self._user.name

    @property
    def id(self) -> str:
        """The user's id."""
        return self._user.id

    def says(self, text: str, *, reply_to: str | None = None) -> str:
        """Write a message."""
        if reply_to is None:
            return self._user.says(text).id
        return self._user.replies(self._message(reply_to), text).id

    def sends(self, files: Mapping[str, bytes]) -> None:
        """Send files in one message."""
        self._user.says(files=[File(name, data, "image/png") for name, data in files.items()])

    def edits(self, message_id: str, text: str) -> None:
        """Edit a message."""
        self._user.edits(self._message(message_id), text)

    def reacts(self, message_id: str, emoji: str) -> None:
        """React to a message."""
        self._user.reacts(self._message(message_id), emoji)

    def sees(self) -> Sequence[Seen]:
        """Return the bot's messages."""
        return [
            Seen(one.id, one.content, one.reply_to.id if one.reply_to else None)
            for one in self._user.dm.by_bot()
        ]

    def _message(self, message_id: str) -> Message:
        return next(one for one in self._user.dm.messages if one.id == message_id)


class DiscordScene:
    """A local Discord."""

    offers = frozenset({"edit", "album"})

    def __init__(self) -> None:
        self._server = DiscordServer()

    def __enter__(self) -> Self:
        self._server.start_in_thread()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop_thread()

    def person(self, name: str) -> DiscordPerson:
        """Return a new user, whose direct chat is open."""
        user = self._server.user(name)
        user.dm  # noqa: B018  # opened by being looked at
        return DiscordPerson(user)

    def settings(self, people: Sequence[Person]) -> dict[str, Any]:
        """Return the settings of the channel."""
        return {
            "bot_token": self._server.token,
            "api_url": self._server.api_url,
            "gateway_url": self._server.gateway_url,
            "access": {"users": [one.id for one in people]},
        }

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Cut the gateway off, and take no connection."""
        self._server.gateway.refuse()
        try:
            yield
        finally:
            self._server.gateway.accept()

    def wait_for(self, probe: Callable[[], bool], seconds: float) -> bool:
        """Wait for something on the server."""
        try:
            return self._server.world.changes.wait(probe, seconds, lambda: "it did not happen")
        except TimeoutError:
            return False
