"""Order within a chat, under retries and concurrency, in both directions."""

from __future__ import annotations

import itertools
import random
import threading
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.errors import RateLimited, TemporaryError
from cobot_session.messages import IncomingMessage, OutgoingMessage
from cobot_session.plugin import Plugin, PluginMeta
from cobot_session.session import Session

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CHATS = 64
BOUND = 300.0
chance = random.SystemRandom()


class Network:
    """Says numbers in every chat, and notes what it is answered."""

    def __init__(self, messages: int, faults: float) -> None:
        self.messages = messages
        self.faults = faults
        self.said = itertools.count()
        self.answers: dict[str, list[int]] = defaultdict(list)
        self.count = 0
        self.failed = 0
        self.whole = threading.Event()

    def plugin(self) -> Plugin:
        return Talkative(self)


class Talkative(Plugin):
    meta = PluginMeta("talkative", "1")

    def __init__(self, network: Network) -> None:
        self.network = network

    async def session_receive(self) -> list[IncomingMessage]:
        numbers = itertools.islice(self.network.said, chance.randint(1, 100))
        return [
            IncomingMessage(
                str(n),
                "",
                f"chat{chance.randrange(CHATS)}",
                "someone",
                "Someone",
                str(n),
                datetime.now(UTC),
                key=str(n),
            )
            for n in numbers
            if n < self.network.messages
        ]

    async def session_send(self, message: OutgoingMessage) -> None:
        network = self.network
        if chance.random() < network.faults:
            network.failed += 1
            raise chance.choice([TemporaryError("no"), RateLimited(0.01), ConnectionError("no")])
        network.answers[message.channel_id].append(int(message.content))
        network.count += 1
        if network.count == network.messages:
            network.whole.set()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("messages", "faults"),
    [
        pytest.param(2_000, 0.01, id="small"),
        pytest.param(100_000, 0.002, id="soak", marks=pytest.mark.soak),
    ],
)
def test_no_message_is_out_of_order(tmp_path: Path, messages: int, faults: float) -> None:
    """Handlers that fail and sends that fail are tried again, and nothing overtakes them."""
    network = Network(messages, faults)
    handled: dict[str, list[int]] = defaultdict(list)
    refused = []
    config: dict[str, Any] = {
        "session": {"max_deliveries": 50, "redeliver_after": 0.2, "drain": 0.0},
        "workspace": {"path": str(tmp_path)},
        "console": {"enabled": False},
        "talkative": {
            "access": {"open": True, "rates": {"sender": 0, "chat": 0}},
            "poll_interval": 0.01,
        },
    }

    async def handle(message: IncomingMessage) -> str:
        if chance.random() < faults:
            refused.append(message.content)
            raise ValueError("tried again")
        handled[message.channel_id].append(int(message.content))
        return message.content

    with Session({"plugins": config}, plugins={"talkative": network.plugin}) as session:
        thread = threading.Thread(target=session.run, args=(handle, 16))
        thread.start()
        assert network.whole.wait(BOUND), network.count
        dead = session.status()["talkative"].dead
    thread.join(BOUND)
    print(
        f"\n{messages} messages over {CHATS} chats: {len(refused)} handlers and"
        f" {network.failed} sends failed and were tried again"
    )
    assert dead == 0
    assert sum(map(len, network.answers.values())) == messages
    for chat, numbers in network.answers.items():
        assert numbers == sorted(numbers), f"answers out of order in {chat}"
        assert handled[chat] == numbers, f"handled out of order in {chat}"
