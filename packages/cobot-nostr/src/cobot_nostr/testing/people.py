"""People with a key of their own, scripted: what their clients would do."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import secrets
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cobot_nostr import giftwrap, nip19
from cobot_nostr.event import Event, Rumor, make_event, make_rumor

if TYPE_CHECKING:
    from cobot_nostr.crypto import Key
    from cobot_nostr.testing.chats import Chat, Message
    from cobot_nostr.testing.server import NostrServer

TEXT_NOTE, OLD_DIRECT, DELETION, REACTION, GROUP_MESSAGE = 1, 4, 5, 7, 9
PRIVATE_MESSAGE, PRIVATE_FILE, CHANNEL_MESSAGE = 14, 15, 42
PROFILE, INBOX_RELAYS = 0, 10050
_MOST_DRIFT = 60


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
