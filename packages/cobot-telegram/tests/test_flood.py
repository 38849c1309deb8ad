"""What a flood of strangers costs over the real protocol: disk, memory, and patience."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cobot_session.session import Session
    from cobot_telegram.testing import BotApiServer, User

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc"),
]

FLOOD = 100_000
WAITING = 1_000
BOUND = 60.0


def resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


def on_disk(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


@pytest.fixture
def settings(settings: dict[str, Any], ada: User) -> dict[str, Any]:
    settings["plugins"]["telegram"]["access"] = {"users": [str(ada.id)], "pairing": True}
    return settings


def test_a_flood_of_a_stranger_costs_next_to_nothing(
    session: Session, server: BotApiServer, ada: User, tmp_path: Path
) -> None:
    """100,000 messages of a stranger: none is stored, memory is bounded, Ada is heard."""
    agent = threading.Thread(target=session.run, args=(lambda _: "hi",), daemon=True)
    agent.start()
    group = server.group("Club")
    mallory = server.user("Mallory")
    times: list[float] = []

    def asks() -> None:
        began, answers = time.perf_counter(), len(ada.chat.answers)
        ada.says("hello")
        ada.chat.wait_for("hi", count=answers + 1, timeout=BOUND)
        times.append(time.perf_counter() - began)

    def flood() -> None:
        for _ in range(FLOOD):
            while len(server.bot.updates) >= WAITING:
                time.sleep(0.005)
            said = mallory.says("let me in " * 20, chat=group)
            del group.all_messages[said.id]  # the server need not remember it

    for _ in range(20):
        asks()
    quiet, disk, memory = [*times], on_disk(tmp_path), resident()
    times.clear()
    began = time.perf_counter()
    writer = threading.Thread(target=flood, daemon=True)
    writer.start()
    while writer.is_alive():
        asks()
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    server.bot.wait_until_confirmed(BOUND)
    status, grown = session.status()["telegram"], resident() - memory
    session.stop()
    agent.join(BOUND)
    print(
        f"\n{FLOOD} messages of a stranger in {seconds:.0f} s ({FLOOD / seconds:.0f}/s):"
        f" disk {on_disk(tmp_path) - disk:+d} bytes, memory {grown / 2**20:+.1f} MB;"
        f" Ada waits median {1000 * statistics.median(times):.0f} ms,"
        f" worst {1000 * max(times):.0f} ms of {len(times)},"
        f" before {1000 * statistics.median(quiet):.0f} ms; dropped {status.dropped_by}"
    )
    assert status.dropped == FLOOD
    assert status.received == len(quiet) + len(times)
    assert on_disk(tmp_path) - disk < 8 * 2**20
    assert grown < 96 * 2**20
