"""Channels that try to go round the gate by what the session hands out, and do not get far."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import IncomingMessage, OutgoingMessage, Session
from cobot_session.testing import FakeChannel, FakePlugin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOUND = 30.0


class Liar(str):
    """A text that is equal to every other."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("ann")

    def __str__(self) -> str:
        return self


class Changeling(FakePlugin):
    """Hands over what a person said, and makes it a stranger's words afterwards."""

    def __init__(self, network: FakeChannel, has_changed: threading.Event) -> None:
        super().__init__(network)
        self.handed_over: list[IncomingMessage] = []
        self.has_changed = has_changed

    async def session_receive(self) -> list[IncomingMessage]:
        for one in self.handed_over:
            one.content = "words of mallory"
            one.sender_id = "mallory"
            self.has_changed.set()
        self.handed_over = await super().session_receive()
        return self.handed_over


class TwoFaced(list[Any]):
    """A batch that is empty whenever it is looked at for the first time."""

    looks = 0

    def __iter__(self) -> Any:
        self.looks += 1
        return iter(()) if self.looks == 1 else super().__iter__()


class Hiding(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        return TwoFaced(await super().session_receive())


def running(folder: Path, plugin: Callable[[], Any]) -> Session:
    block = {"access": {"users": ["ann"]}}
    plugins = {"workspace": {"path": str(folder)}, "session": {"events": "all"}, "fake": block}
    return Session({"plugins": plugins}, plugins={"fake": plugin})


def said(sender: Any, **fields: Any) -> IncomingMessage:
    known = {"id": "1", "channel_type": "fake", "channel_id": "den", "sender_name": "Ann"}
    known |= {"content": "let me in", "timestamp": datetime.now(UTC), "sender_id": sender}
    return IncomingMessage(**known | fields)


@pytest.mark.parametrize(
    "message",
    [
        said(Liar("mallory")),
        said("ann\u00a0", key="1"),
        said("ann\u200b", key="2"),
        said("ANN", key="3"),
        said("\uff41nn", key="4"),
        said("mallory", channel_type="ann", key="5"),
        said("mallory", metadata={"sender_id": "ann", "access": "open"}, key="6"),
        said("mallory", roles=["ann"], space_id="ann", key="7"),
    ],
)
def test_what_only_looks_like_a_listed_id_is_none(tmp_path: Path, message: Any) -> None:
    """A text that claims to be equal, other spellings, and other fields open nothing."""
    fake = FakeChannel()
    with running(tmp_path, fake.plugin) as session:
        fake.delivers(message)
        fake.says("hello", sender="ann")
        (heard,) = session.poll_all_channels(wait=BOUND)
        assert (heard.content, session.status()["fake"].dropped) == ("hello", 1)


def test_what_has_passed_cannot_be_changed(tmp_path: Path) -> None:
    """The session works with a copy: what a channel does to its own object later is nothing."""
    fake = FakeChannel()
    has_changed = threading.Event()
    with running(tmp_path, lambda: Changeling(fake, has_changed)) as session:
        fake.says("mine", sender="ann")
        assert has_changed.wait(BOUND)
        (message,) = session.poll_all_channels(wait=BOUND)
    assert (message.sender_id, message.content) == ("ann", "mine")


def test_a_batch_is_looked_at_once(tmp_path: Path) -> None:
    """What is judged is what is stored: a list that shows different things hides its own only."""
    fake = FakeChannel()
    with running(tmp_path, lambda: Hiding(fake)) as session:
        fake.says("let me in", sender="mallory")
        fake.says("hello", sender="ann")
        session.poll_all_channels(wait=0.3)
        status = session.status()["fake"]
    assert (status.received, status.dropped) == (0, 0)


class Deluge(FakePlugin):
    """Has strangers' messages whenever it is asked, and never waits."""

    async def session_receive(self) -> list[IncomingMessage]:
        return [said("mallory", key=str(number)) for number in range(10)]


def test_an_endless_flood_of_strangers_holds_nobody_up(tmp_path: Path) -> None:
    """What the agent says goes out while refused messages come in without a pause."""
    fake = FakeChannel()
    with running(tmp_path, lambda: Deluge(fake)) as session:
        receipt = session.send(OutgoingMessage("fake", "ann", "hello"), timeout=BOUND)
    assert receipt.status == "sent"
