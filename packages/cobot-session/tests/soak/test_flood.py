"""What a flood of strangers costs: disk, memory, and the patience of who is let in."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import Session
from cobot_session.testing import FakeChannel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc"),
]

FLOOD = 100_000
WAITING = 2_000
BOUND = 60.0


def resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


def on_disk(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


class Ann:
    """Says something again and again, and times how long the answer takes."""

    def __init__(self, fake: FakeChannel) -> None:
        self._fake = fake
        self.seconds: list[float] = []

    def asks(self) -> None:
        answers, deadline = len(self._fake.texts("ann")), time.monotonic() + BOUND
        began = time.perf_counter()
        self._fake.says("hello", sender="ann", chat="ann")
        while len(self._fake.texts("ann")) == answers:
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        self.seconds.append(time.perf_counter() - began)

    def told(self) -> str:
        times = sorted(self.seconds)
        return (
            f"median {1000 * statistics.median(times):.1f} ms,"
            f" worst {1000 * times[-1]:.0f} ms of {len(times)}"
        )


@pytest.fixture
def fake() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def running(tmp_path: Path, fake: FakeChannel) -> Iterator[Session]:
    block: dict[str, Any] = {"access": {"users": ["ann"], "pairing": True}}
    plugins = {"workspace": {"path": str(tmp_path)}, "fake": block}
    with Session({"plugins": plugins}, plugins={"fake": fake.plugin}) as session:
        agent = threading.Thread(target=session.run, args=(lambda _: "hi",), daemon=True)
        agent.start()
        yield session
        session.stop()
        agent.join(BOUND)


@pytest.mark.parametrize("strangers", [1, FLOOD], ids=["of one person", "of as many people"])
def test_a_flood_of_strangers_costs_next_to_nothing(
    tmp_path: Path, fake: FakeChannel, running: Session, strangers: int
) -> None:
    """100,000 messages of strangers: none is stored, memory is bounded, who is let in is heard."""
    before, during = Ann(fake), Ann(fake)
    for _ in range(100):
        before.asks()
    disk, memory = on_disk(tmp_path), resident()

    def flood() -> None:
        for number in range(FLOOD):
            while len(fake._waiting) >= WAITING:
                time.sleep(0.001)
            who = number % strangers
            fake.says("let me in " * 100, sender=f"s{who}", chat=f"c{who}")

    began = time.perf_counter()
    writer = threading.Thread(target=flood, daemon=True)
    writer.start()
    while writer.is_alive():
        during.asks()
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    status, grown = running.status()["fake"], resident() - memory
    codes = len(fake.texts()) - len(fake.texts("ann"))
    print(
        f"\n{FLOOD} messages of {strangers} stranger(s) in {seconds:.1f} s"
        f" ({FLOOD / seconds:.0f}/s): disk {on_disk(tmp_path) - disk:+d} bytes,"
        f" memory {grown / 2**20:+.1f} MB; who is let in waits {during.told()};"
        f" before {before.told()}; dropped {status.dropped_by}, {codes} codes given"
    )
    assert status.dropped_by.keys() <= {"stranger", "flood"}
    assert status.dropped >= FLOOD - WAITING
    assert status.received == len(before.seconds) + len(during.seconds)
    assert on_disk(tmp_path) - disk < 8 * 2**20
    assert grown < 64 * 2**20
