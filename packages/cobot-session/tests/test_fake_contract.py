"""The network in memory passes the contract that channels pass."""

from __future__ import annotations

import pytest

from cobot_session import Limits, Media, OutgoingMessage
from cobot_session.testing import ChannelCase, ChannelContract, FakeChannel, FakeWire


class TestFake(ChannelContract):
    @pytest.fixture
    def network(self) -> FakeChannel:
        return FakeChannel(limits=Limits(text=200, unit="utf16", files=1), shows_drafts=True)

    @pytest.fixture
    def channel(self, network: FakeChannel) -> ChannelCase:
        return ChannelCase("fake", plugin=network.plugin)

    @pytest.fixture
    def wire(self, network: FakeChannel) -> FakeWire:
        return FakeWire(network)


@pytest.mark.slow
class TestIdempotentFake(TestFake):
    @pytest.fixture
    def network(self) -> FakeChannel:
        return FakeChannel(limits=Limits(idempotent=True, files=1))


def test_person_may_look_while_messages_come() -> None:
    """The channel sends from a thread of its own, also while somebody looks at the chat."""
    network = FakeChannel()

    class Name:
        def __str__(self) -> str:
            network.post(OutgoingMessage("fake", "chat", "meanwhile", id="2"))
            return "notes.txt"

    attached = [Media(path=Name())]  # type: ignore[arg-type]
    network.post(OutgoingMessage("fake", "chat", "look", media=attached, id="1"))
    wire = FakeWire(network)
    assert [(one.text, one.files) for one in wire.seen()] == [("look", ["notes.txt"])]
    assert wire.seen()[1].text == "meanwhile"
