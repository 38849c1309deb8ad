"""Telegram in the demonstration: the local server, and people who use it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from cobot_session.demo import Seen
from cobot_telegram.testing.files import Attachment
from cobot_telegram.testing.server import BotApiServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cobot_session.demo import Person
    from cobot_telegram.testing.chats import Message
    from cobot_telegram.testing.people import User


class TelegramPerson:
    """Somebody with a Telegram app, in the private chat with the bot."""

    def __init__(self, user: User) -> None:
        self._user = user

    @property
    def name(self) -> str:
        """The first name."""
        return self._user.name

    @property
    def id(self) -> str:
        """The user's id."""
        return str(self._user.id)

    def says(self, text: str, *, reply_to: str | None = None) -> str:
        """Send a message."""
        answered = None if reply_to is None else self._message(reply_to)
        return str(self._user.says(text, reply_to=answered).id)

    def sends(self, files: Mapping[str, bytes]) -> None:
        """Send photos; several are an album."""
        self._user.says(files=[Attachment("photo", data, name) for name, data in files.items()])

    def edits(self, message_id: str, text: str) -> None:
        """Edit a message."""
        self._user.edits(self._message(message_id), text)

    def reacts(self, message_id: str, emoji: str) -> None:
        """React to a message."""
        self._user.reacts(self._message(message_id), emoji)

    def sees(self) -> Sequence[Seen]:
        """Return the bot's messages."""
        return [
            Seen(str(one.id), one.text, str(one.reply_to.id) if one.reply_to else None)
            for one in self._user.chat.answers
        ]

    def _message(self, message_id: str) -> Message:
        return self._user.chat.all_messages[int(message_id)]


class TelegramScene:
    """A local Bot API server."""

    offers = frozenset({"edit", "album"})

    def __init__(self) -> None:
        self._server = BotApiServer()

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def person(self, name: str) -> TelegramPerson:
        """Return a new user."""
        return TelegramPerson(self._server.user(name))

    def settings(self, people: Sequence[Person]) -> dict[str, Any]:
        """Return the settings of the channel."""
        return {
            "bot_token": self._server.token,
            "api_url": self._server.api_url,
            "access": {"users": [one.id for one in people]},
        }

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Stop the server, as in an outage of Telegram."""
        self._server.__exit__()
        try:
            yield
        finally:
            self._server.__enter__()

    def wait_for(self, probe: Callable[[], bool], seconds: float) -> bool:
        """Wait for something on the server."""
        try:
            return bool(self._server.wait_for(probe, seconds))
        except TimeoutError:
            return False
