"""The channel keeps the contract: the conformance kit, with local relays as its wire."""

import gc
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from nostr_rig import BOT, FAST, nsec

from cobot_nostr import nip44
from cobot_nostr.channel import Nostr
from cobot_nostr.crypto import Key
from cobot_nostr.event import Event, make_event, make_rumor
from cobot_nostr.testing import NostrServer, Refuse, Swallow, User
from cobot_nostr.testing.chats import Chat
from cobot_session.testing import Absent, ChannelCase, ChannelContract, Refusal, Seen, Wire

REFUSALS = {
    "temporary": lambda _: Refuse("error: busy"),
    "permanent": lambda _: Refuse("blocked: no"),
    "rate_limited": lambda seconds: Refuse(f"rate-limited: wait {seconds:g} s"),
    "unknown": lambda _: Swallow(),
}


class NostrWire(Wire):
    """A person with a private chat, on one relay."""

    def __init__(self, server: NostrServer, user: User, chat: Chat | None = None) -> None:
        self.server = server
        self.user = user
        self.chat = chat or user.chat
        self.last = None

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        if files:
            ((name, data),) = files.items()
            if self.chat.kind != "private":
                raise Absent
            self.last = self.user.sends(name, data, chat=self.chat)
        else:
            answered = self.server.message(reply_to) if reply_to else None
            self.last = self.user.says(text, chat=self.chat, reply_to=answered)
        return self.last.id

    def seen(self) -> Sequence[Seen]:
        return [
            Seen(
                message.id,
                message.text,
                message.reply_to,
                reactions=[emoji for who, emoji in message.reactions.items() if who == BOT.public],
            )
            for message in self.chat.answers
        ]

    def repeats(self) -> None:
        if self.chat.kind != "private":
            raise Absent  # a relay delivers an event once more by itself: it is the same event
        self.user.resends(self.last)

    def deletes(self, message_id: str) -> None:
        self.user.deletes(self.server.message(message_id))

    def reacts(self, message_id: str, emoji: str) -> None:
        self.user.reacts(self.server.message(message_id), emoji)

    def person_id(self) -> str:
        return self.user.npub

    def strangers(self) -> dict[str, Wire]:
        server = self.server
        mallory, namesake = server.user("Mallory"), server.user(self.user.name)
        room = mallory.chat_with(BOT.public, server.user("Carol").public)
        return {
            "stranger": NostrWire(server, mallory),
            "namesake": NostrWire(server, namesake),
            "group": NostrWire(server, mallory, room),
            "elsewhere": NostrWire(server, self.user, server.notes),
            "in public": NostrWire(server, mallory, server.notes),
            "by the old way": NostrWire(server, mallory, mallory.old_chat),
            "forger": ForgingWire(server, mallory, self.user),
            "meddler": MeddlingWire(server, mallory, self.user),
        }

    def garbles(self) -> None:
        for frame in ("[", '["EVENT"]', '["EVENT","wraps",{"id":1}]'):
            self.server.relays[0].sends(frame)
        self.user.publishes(1059, [["p", BOT.public]], "no ciphertext")

    def refuses(self, how: Refusal, retry_after: float = 1.0) -> None:
        if how not in REFUSALS:
            raise Absent  # a key is not something that a relay can revoke
        self.server.faults.add(REFUSALS[how](retry_after), on="EVENT", to=self.user)

    def presence(self) -> str | None:
        return self.server.statuses.get(BOT.public)

    def cuts(self) -> None:
        self.server.relays[0].stop()

    def mends(self) -> None:
        self.server.relays[0].start()


class ForgingWire(NostrWire):
    """Writes what names another as its author, in every way that a relay would carry."""

    def __init__(self, server: NostrServer, user: User, author: User) -> None:
        super().__init__(server, user)
        self.author = author

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        if reply_to or files:
            raise Absent
        now, once, to = int(time.time()), Key(), BOT.public
        rumor = make_rumor(self.author.public, now, 14, [["p", to]], text)
        sealed = nip44.encrypt(rumor.to_json(), nip44.conversation_key(self.user.key, to))
        seal = make_event(self.user.key, now, 13, (), sealed)
        stolen = replace(seal, pubkey=self.author.public)
        note = make_event(self.user.key, now, 1, [["p", to]], text)
        for inside in (seal, stolen, rumor):
            wrapped = nip44.encrypt(json.dumps(inside.to_dict()), nip44.conversation_key(once, to))
            self._sends(make_event(once, now, 1059, [["p", to]], wrapped))
        self._sends(replace(note, pubkey=self.author.public))
        return rumor.id

    def repeats(self) -> None:
        raise Absent

    def deletes(self, message_id: str) -> None:
        raise Absent

    def reacts(self, message_id: str, emoji: str) -> None:
        raise Absent

    def _sends(self, event: Event) -> None:
        """Let the relay send it, whatever it would have said of it."""
        for name in ("wraps", "public"):
            self.server.relays[0].sends(json.dumps(["EVENT", name, event.to_dict()]))


class MeddlingWire(NostrWire):
    """Knows the id of a message in somebody else's private chat, and does things to it."""

    def __init__(self, server: NostrServer, user: User, victim: User) -> None:
        super().__init__(server, user)
        self.victim = victim

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        if files:
            raise Absent
        said = self.victim.chat.messages[0]
        self.last = self.user.says(text, reply_to=said)
        return said.id

    def reacts(self, message_id: str, emoji: str) -> None:
        self.user.publishes(7, [["e", message_id], ["p", BOT.public]], emoji)
        super().reacts(message_id, emoji)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `server`
class TestContract(ChannelContract):
    @pytest.fixture
    def server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[NostrServer]:
        monkeypatch.setattr(Nostr, "tuning", FAST)
        monkeypatch.setattr("cobot_nostr.pool.PATIENCE", 2.0)
        with NostrServer(bot=BOT.public) as server:
            yield server
        gc.collect()  # what the kit kills leaves its sockets open: that is told here, not later

    @pytest.fixture
    def wire(self, server: NostrServer) -> NostrWire:
        return NostrWire(server, server.user("Ada"))

    @pytest.fixture
    def channel(self, server: NostrServer, wire: NostrWire) -> ChannelCase:
        options = {"nsec": nsec(), "relays": server.urls, "private_networks": True}
        return ChannelCase("nostr", options, chat=wire.user.public, boundary=12.0)
