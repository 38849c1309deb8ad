"""The channel keeps the contract: the conformance kit, with local relays as its wire."""

import gc
from collections.abc import Iterator, Mapping, Sequence

import pytest
from nostr_rig import BOT, FAST, nsec

from cobot_nostr.channel import Nostr
from cobot_nostr.testing import NostrServer, Refuse, Swallow, User
from cobot_session.testing import Absent, ChannelCase, ChannelContract, Refusal, Seen, Wire

REFUSALS = {
    "temporary": lambda _: Refuse("error: busy"),
    "permanent": lambda _: Refuse("blocked: no"),
    "rate_limited": lambda seconds: Refuse(f"rate-limited: wait {seconds:g} s"),
    "unknown": lambda _: Swallow(),
}


class NostrWire(Wire):
    """A person with a private chat, on one relay."""

    def __init__(self, server: NostrServer, user: User) -> None:
        self.server = server
        self.user = user
        self.last = None

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        if files:
            ((name, data),) = files.items()
            self.last = self.user.sends(name, data)
        else:
            answered = self.server.message(reply_to) if reply_to else None
            self.last = self.user.says(text, reply_to=answered)
        return self.last.id

    def seen(self) -> Sequence[Seen]:
        return [
            Seen(
                message.id,
                message.text,
                message.reply_to,
                reactions=[emoji for who, emoji in message.reactions.items() if who == BOT.public],
            )
            for message in self.user.chat.answers
        ]

    def repeats(self) -> None:
        self.user.resends(self.last)

    def deletes(self, message_id: str) -> None:
        self.user.deletes(self.server.message(message_id))

    def reacts(self, message_id: str, emoji: str) -> None:
        self.user.reacts(self.server.message(message_id), emoji)

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
