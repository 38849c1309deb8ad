"""A session that works for long takes no more memory than one that has just begun to."""

from __future__ import annotations

import gc
import itertools
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cobot_session.messages import IncomingMessage, OutgoingMessage
from cobot_session.plugin import Plugin, PluginMeta
from cobot_session.session import Session

pytestmark = pytest.mark.slow

BOUND = 3000.0
SAMPLES = 20
MOST_GROWTH = 16 * 2**20
"""Bytes between the first third and the end: caches and arenas, no message a byte."""


class Echoed(Plugin):
    """Says so many messages, and counts the answers."""

    meta = PluginMeta("echoed", "1")

    def __init__(self, messages: int, whole: threading.Event) -> None:
        self.numbers = iter(range(messages))
        self.left = messages
        self.whole = whole

    async def session_receive(self) -> list[IncomingMessage]:
        now = datetime.now(UTC)
        return [
            IncomingMessage(
                str(n), "", f"chat{n % 64}", "someone", "Someone", "x" * 200, now, key=str(n)
            )
            for n in itertools.islice(self.numbers, 100)
        ]

    async def session_send(self, message: OutgoingMessage) -> str:
        self.left -= 1
        if not self.left:
            self.whole.set()
        return message.id


def resident() -> int:
    """Return the bytes of memory that this process takes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(10_000, id="small"),
        pytest.param(500_000, id="soak", marks=pytest.mark.soak),
    ],
)
def test_memory_stays_flat(tmp_path: Path, messages: int) -> None:
    """So many messages and as many answers leave nothing behind."""
    whole = threading.Event()
    channel = Echoed(messages, whole)
    config: dict[str, Any] = {
        "session": {"durability": "normal", "max_pending": 1000, "retain_count": 1000},
        "workspace": {"path": str(tmp_path)},
        "console": {"enabled": False},
        "echoed": {
            "access": {"open": True, "rates": {"sender": 0, "chat": 0}},
            "poll_interval": 0.01,
        },
    }
    samples: list[int] = []
    handled = 0

    async def handle(message: IncomingMessage) -> str:
        nonlocal handled
        handled += 1
        if handled % (messages // SAMPLES) == 0:
            gc.collect()
            samples.append(resident())
        return message.content

    with Session({"plugins": config}, plugins={"echoed": lambda: channel}) as session:
        thread = threading.Thread(target=session.run, args=(handle, 32))
        thread.start()
        assert whole.wait(BOUND), handled
    thread.join(BOUND)
    print(f"\n{2 * messages} messages: MB " + " ".join(f"{one / 2**20:.0f}" for one in samples))
    growth = max(samples[SAMPLES // 2 :]) - max(samples[: SAMPLES // 3])
    assert growth < MOST_GROWTH
