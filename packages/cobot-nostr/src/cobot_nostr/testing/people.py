"""People with a key of their own, scripted, and the places where they talk."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cobot_nostr import giftwrap, nip19
from cobot_nostr.event import Event, Rumor, make_event, make_rumor
from cobot_nostr.testing.changes import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_nostr.crypto import Key
    from cobot_nostr.testing.server import NostrServer

ChatKind: TypeAlias = Literal["private", "old", "notes", "channel", "group"]

TEXT_NOTE, OLD_DIRECT, DELETION, REACTION, GROUP_MESSAGE = 1, 4, 5, 7, 9
PRIVATE_MESSAGE, PRIVATE_FILE, CHANNEL_MESSAGE = 14, 15, 42
PROFILE, INBOX_RELAYS = 0, 10050
_SHOWN_AT_TIMEOUT = 5
_MOST_DRIFT = 60


@dataclass(slots=True, eq=False)
class Message:
    """One message, whoever wrote it.

    Attributes:
        event: the event or, in private, the rumor.
        chat: where it stands.
        text: what it says, decrypted.
        reactions: emoji by the public key of who reacted.
        deleted: its author asked for its deletion.
    """

    event: Rumor
    chat: Chat = field(repr=False)
    text: str
    reactions: dict[str, str] = field(default_factory=dict)
    deleted: bool = False

    @property
    def id(self) -> str:
        """The event's or the rumor's id."""
        return self.event.id

    @property
    def sender(self) -> str:
        """The author's public key."""
        return self.event.pubkey

    @property
    def reply_to(self) -> str | None:
        """The id of what it answers (the last `e` tag, or the one marked `reply`)."""
        tags = [tag for tag in self.event.tags if tag[0] == "e" and len(tag) > 1]
        marked = [tag for tag in tags if len(tag) > 3 and tag[3] == "reply"]
        found = marked or tags
        return found[-1][1] if found else None


@dataclass(slots=True, eq=False)
class Chat:
    """One place.

    Attributes:
        kind: `private` (NIP-17), `old` (NIP-04), `notes` (kind 1), `channel` (NIP-28) or `group`
            (NIP-29).
        members: of a private one, all public keys in it.
        id: of a channel or a group, its id.
    """

    world: NostrServer = field(repr=False)
    kind: ChatKind
    members: frozenset[str] = frozenset()
    id: str = ""
    all_messages: dict[str, Message] = field(default_factory=dict, repr=False)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What stands there now, in the order of arrival, without what was deleted."""
        with self.world.changes:
            return tuple(one for one in self.all_messages.values() if not one.deleted)

    @property
    def answers(self) -> tuple[Message, ...]:
        """The messages among them that no scripted person wrote."""
        people = {user.public for user in self.world.users}
        return tuple(message for message in self.messages if message.sender not in people)

    @property
    def texts(self) -> list[str]:
        """The texts of `answers`."""
        return [message.text for message in self.answers]

    def wait_for(
        self,
        text: str | None = None,
        *,
        count: int = 1,
        where: Callable[[Message], bool] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Message:
        """Block until `count` matching answers stand here; return the last of them.

        Args:
            text: the whole text; `None`: any.
            count: how many.
            where: a further condition, looked at again after each reaction and deletion.
            timeout: seconds.

        Raises:
            TimeoutError: it did not happen; the error shows what stands there.
        """
        return self.world.changes.wait(
            lambda: self._find(text, count, where), timeout, lambda: self._missed(text)
        )

    async def wait_for_async(
        self,
        text: str | None = None,
        *,
        count: int = 1,
        where: Callable[[Message], bool] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Message:
        """Do what `wait_for` does without blocking the event loop."""
        return await self.world.changes.wait_async(
            lambda: self._find(text, count, where), timeout, lambda: self._missed(text)
        )

    def _find(
        self, text: str | None, count: int, where: Callable[[Message], bool] | None
    ) -> Message | None:
        fitting = [
            message
            for message in self.answers
            if (text is None or message.text == text) and (where is None or where(message))
        ]
        return fitting[count - 1] if len(fitting) >= count else None

    def _missed(self, text: str | None) -> str:
        wanted = "the message" if text is None else repr(text)
        last = [message.text for message in self.messages[-_SHOWN_AT_TIMEOUT:]]
        return f"{wanted} did not come to this {self.kind} chat; last there: {last}"

    def add(self, rumor: Rumor, text: str) -> Message:
        """Put a message there, once."""
        if rumor.id not in self.all_messages:
            self.all_messages[rumor.id] = Message(rumor, self, text)
        return self.all_messages[rumor.id]


class User:
    """One person, whose client publishes to all relays of the server and reads from all."""

    def __init__(self, world: NostrServer, name: str, key: Key) -> None:
        self.world = world
        self.name = name
        self.key = key
        self._stamp = 0

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self.key.public

    @property
    def npub(self) -> str:
        """The public key as people write it."""
        return nip19.npub(self.key.public)

    @property
    def chat(self) -> Chat:
        """The private chat (NIP-17) with the server's bot."""
        return self.chat_with(self.world.bot)

    @property
    def old_chat(self) -> Chat:
        """The old direct chat (NIP-04) with the server's bot."""
        return self.world.chat("old", frozenset({self.public, self.world.bot}))

    def chat_with(self, *others: str) -> Chat:
        """Return the private chat with these public keys."""
        return self.world.chat("private", frozenset({self.public, *others}))

    def publishes_profile(self, *, inbox: bool = True) -> None:
        """Publish a profile (kind 0) and, with `inbox`, the relays for private messages (10050)."""
        self.publishes(PROFILE, [], json.dumps({"name": self.name}))
        if inbox:
            self.publishes(INBOX_RELAYS, [["relay", url] for url in self.world.urls])

    def publishes(
        self, kind: int, tags: list[list[str]], content: str = "", *, at: int | None = None
    ) -> Event:
        """Sign an event of any kind and hand it to all relays; return it."""
        event = make_event(self.key, at or self._now(), kind, tags, content)
        self.world.publish(event)
        return event

    def says(
        self,
        text: str,
        *,
        chat: Chat | None = None,
        reply_to: Message | None = None,
        mention: str | None = None,
        at: int | None = None,
    ) -> Message:
        """Send a message and return it.

        Args:
            text: what to say.
            chat: where; by default the private chat with the server's bot.
            reply_to: what it answers.
            mention: a public key named in a public message; by default the bot's, `""`: none.
            at: Unix time it claims to be of; by default now.
        """
        chat = chat or self.chat
        if chat.kind == "private":
            return self._says_privately(chat, text, reply_to, at)
        if chat.kind == "old":
            (other,) = chat.members - {self.public}
            cipher = self.key.encrypt_nip04(text, other)
            tags = [["p", other], *([["e", reply_to.id]] if reply_to else [])]
            return self.world.add(chat, self.publishes(OLD_DIRECT, tags, cipher, at=at), text)
        tags = self._public_tags(chat, reply_to, self.world.bot if mention is None else mention)
        kind = {"notes": TEXT_NOTE, "channel": CHANNEL_MESSAGE, "group": GROUP_MESSAGE}[chat.kind]
        return self.world.add(chat, self.publishes(kind, tags, text, at=at), text)

    def sends(self, name: str, data: bytes, *, chat: Chat | None = None) -> Message:
        """Send a file to a private chat, encrypted (kind 15), and return its message."""
        chat = chat or self.chat
        key, nonce = secrets.token_bytes(32), secrets.token_bytes(12)
        sealed = AESGCM(key).encrypt(nonce, data, None)
        mime = mimetypes.guess_type(name)[0] or "application/octet-stream"
        tags = [
            *(["p", other] for other in sorted(chat.members - {self.public})),
            ["file-type", mime],
            ["encryption-algorithm", "aes-gcm"],
            ["decryption-key", key.hex()],
            ["decryption-nonce", nonce.hex()],
            ["x", hashlib.sha256(sealed).hexdigest()],
            ["size", str(len(sealed))],
        ]
        url = self.world.relays[0].keeps(sealed)
        rumor = make_rumor(self.public, self._now(), PRIVATE_FILE, tags, url)
        message = self.world.add(chat, rumor, url)
        self._wrap(rumor, chat)
        return message

    def resends(self, message: Message) -> None:
        """Let a private message arrive once more, in a new wrap."""
        self._wrap(message.event, message.chat)

    def _now(self) -> int:
        """Return a time later than that of what was said before, so that order shows."""
        now = int(time.time())
        self._stamp = min(max(now, self._stamp + 1), now + _MOST_DRIFT)
        return self._stamp

    def replies(self, message: Message, text: str) -> Message:
        """Answer a message where it stands."""
        return self.says(text, chat=message.chat, reply_to=message)

    def reacts(self, message: Message, emoji: str) -> Rumor:
        """React to a message with one emoji; return the reaction's event (or rumor)."""
        tags = [["e", message.id], ["p", message.sender], ["k", str(message.event.kind)]]
        return self._does(message.chat, REACTION, tags, emoji)

    def deletes(self, message: Message) -> Rumor:
        """Ask for the deletion of a message of one's own; return the request."""
        return self.retracts(message.event, message.chat)

    def retracts(self, event: Rumor, chat: Chat) -> Rumor:
        """Ask for the deletion of any event of one's own, such as a reaction."""
        return self._does(chat, DELETION, [["e", event.id], ["k", str(event.kind)]], "")

    def _does(self, chat: Chat, kind: int, tags: list[list[str]], content: str) -> Rumor:
        if chat.kind != "private":
            return self.publishes(kind, tags, content)
        rumor = make_rumor(self.public, self._now(), kind, tags, content)
        self._wrap(rumor, chat)
        self.world.observe_rumor(rumor)
        return rumor

    def _says_privately(
        self, chat: Chat, text: str, reply_to: Message | None, at: int | None
    ) -> Message:
        tags = [["p", other] for other in sorted(chat.members - {self.public})]
        if reply_to is not None:
            tags.append(["e", reply_to.id])
        # Two messages of one second with one text are one rumor; people's clients send two.
        self.world.serial += 1
        tags.append(["n", str(self.world.serial)])
        rumor = make_rumor(self.public, at or self._now(), PRIVATE_MESSAGE, tags, text)
        message = self.world.add(chat, rumor, text)
        self._wrap(rumor, chat)
        return message

    def _wrap(self, rumor: Rumor, chat: Chat) -> None:
        for member in sorted(chat.members):
            self.world.publish(giftwrap.wrap(self.key, rumor, member, int(time.time())))

    def _public_tags(self, chat: Chat, reply_to: Message | None, mention: str) -> list[list[str]]:
        tags: list[list[str]] = []
        if chat.kind == "group":
            tags.append(["h", chat.id])
        if chat.kind == "channel":
            tags.append(["e", chat.id, "", "root"])
        if reply_to is not None:
            root = next((t[1] for t in reply_to.event.tags if t[3:4] == ("root",)), None)
            if chat.kind == "notes":
                tags.append(["e", root or reply_to.id, "", "root"])
            if chat.kind != "notes" or root is not None:
                tags.append(["e", reply_to.id, "", "reply"])
            tags.append(["p", reply_to.sender])
        if mention and ["p", mention] not in tags:
            tags.append(["p", mention])
        return tags
