"""Nostr in the demonstration: a relay, and people who use it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from cobot_nostr import nip19
from cobot_nostr.crypto import Key
from cobot_nostr.testing.server import NostrServer
from cobot_session.demo import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cobot_nostr.testing.chats import Message
    from cobot_nostr.testing.people import User
    from cobot_session.demo import Person


class NostrPerson:
    """Somebody with a key, in the private chat with the bot."""

    def __init__(self, user: User) -> None:
        self._user = user

    @property
    def name(self) -> str:
        """What the profile says."""
        return self._user.name

    @property
    def id(self) -> str:
        """The public key."""
        return self._user.public

    def says(self, text: str, *, reply_to: str | None = None) -> str:
        """Send a private message."""
        answered = None if reply_to is None else self._message(reply_to)
        return self._user.says(text, reply_to=answered).id

    def sends(self, files: Mapping[str, bytes]) -> None:
        """Send files, each in a message of its own."""
        for name, data in files.items():
            self._user.sends(name, data)

    def edits(self, message_id: str, text: str) -> None:
        """Nostr has no edits."""
        raise NotImplementedError("Nostr has no edits")

    def reacts(self, message_id: str, emoji: str) -> None:
        """React to a message."""
        self._user.reacts(self._message(message_id), emoji)

    def sees(self) -> Sequence[Seen]:
        """Return the bot's messages."""
        return [Seen(one.id, one.text, one.reply_to) for one in self._user.chat.answers]

    def _message(self, message_id: str) -> Message:
        return self._user.chat.all_messages[message_id]


class NostrScene:
    """A local relay."""

    offers: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._key = Key()
        self._server = NostrServer(bot=self._key.public)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__(None, None, None)

    def person(self, name: str) -> NostrPerson:
        """Return a new person, who has published a profile."""
        return NostrPerson(self._server.user(name))

    def settings(self, people: Sequence[Person]) -> dict[str, Any]:
        """Return the settings of the channel."""
        return {
            "nsec": nip19.encode("nsec", self._key.secret_bytes()),
            "relays": self._server.urls,
            "private_networks": True,
            "access": {"users": [one.id for one in people]},
        }

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Stop the relay."""
        for relay in self._server.relays:
            relay.stop()
        try:
            yield
        finally:
            for relay in self._server.relays:
                relay.start()

    def wait_for(self, probe: Callable[[], bool], seconds: float) -> bool:
        """Wait for something on the relay."""
        try:
            return self._server.changes.wait(probe, seconds)
        except TimeoutError:
            return False
