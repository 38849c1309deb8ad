"""A session that is killed, frozen or out of disk at random moments loses and doubles nothing.

A peer process remembers what it was told to be accepted and what reached it; the session answers
each message it gets and sends others by itself, while somebody breaks it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.spool import SqliteSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Trial

small = pytest.param(6, 120, id="small")
soak = pytest.param(300, 10_000, id="soak", marks=pytest.mark.soak)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, freezes and limits processes"),
]
BOUND = 30.0


def finish(trial: Trial, messages: int) -> dict[str, Any]:
    """Let all that is left be done, end the session, and return what the peer remembers."""
    limit = max(messages, trial.ask("counts")["limit"])
    limit -= limit % 8
    trial.ask("set_limit", limit=limit)
    trial.begin()
    trial.until(lambda counts: counts["receipts"] == counts["handled"] == counts["limit"])
    settle(trial)
    trial.end()
    facts: dict[str, Any] = trial.ask("facts")
    return facts


def settle(trial: Trial) -> None:
    """Wait until nothing new reaches the peer."""
    before = -1
    while (now := trial.ask("counts")["effects"]) != before:
        before = now
        time.sleep(0.5)


def dead_letters(trial: Trial) -> dict[str, str]:
    """Return the dead letters' texts and reasons; nothing else may be left in the file."""
    with closing(SqliteSpool(trial.folder / "session.db")) as spool:
        backlog = spool.load().result(BOUND)
        assert (backlog.entries, backlog.items) == ([], [])
        return {one.content: one.reason for one in spool.dead_letters().result(BOUND)}


def judge(trial: Trial, facts: dict[str, Any], what: str) -> None:
    """Hold the peer's memory against the promises."""
    dead = dead_letters(trial)
    limit = facts["limit"]
    effects, receipts = Counter(facts["effects"]), facts["receipts"]
    handled = Counter(n for numbers in facts["handled"].values() for n in numbers)
    expected = {f"reply-{n}" for n in range(1, limit + 1)} | set(receipts)
    statuses = Counter(receipts.values())
    print(
        f"\n{what}: {facts['accepted']} accepted, handled {handled.total()} times;"
        f" {len(effects)} delivered; receipts {dict(statuses)};"
        f" {len(dead)} dead letters; arrivals repeated {_extra(facts['arrivals'])} times"
    )
    assert facts["accepted"] == limit
    assert set(handled) >= set(range(1, limit + 1)), "accepted and never handled"
    assert max(effects.values()) == 1, "reached the peer twice"
    assert all(effects[id_] == 1 for id_, status in receipts.items() if status == "sent")
    assert all(effects[id_] == 0 for id_, status in receipts.items() if status == "failed")
    missing = {id_ for id_ in expected - set(effects) if receipts.get(id_) != "failed"}
    assert missing <= set(dead), "neither delivered nor a dead letter"
    assert all("cut off" in reason or "unknown" in reason for reason in dead.values())
    if trial.idempotent:
        assert not missing
        assert not dead
    for chat, order in facts["order"].items():
        numbers = [int(text.rpartition("-")[2]) for text in order]
        assert numbers == sorted(numbers), f"out of order in {chat}"


def _extra(counts: dict[str, int]) -> int:
    return sum(counts.values()) - len(counts)


def pace(trial: Trial, step: int, steps: int, messages: int) -> None:
    """Let messages come as the trial goes on, so that each moment has some."""
    trial.ask("set_limit", limit=(messages * (step + 1) // steps) // 8 * 8)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kills", "messages"), [small, soak])
@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
def test_killed_session_loses_and_doubles_nothing(
    trial: Callable[..., Trial], idempotent: bool, kills: int, messages: int
) -> None:
    """SIGKILL at random moments, while it starts as well as while it works."""
    one = trial(idempotent=idempotent)
    for kill in range(kills):
        pace(one, kill, kills, messages)
        one.begin()
        if one.random.random() < 0.9:
            one.wait_up()
            time.sleep(one.random.uniform(0.0, 0.15))
        else:
            time.sleep(one.random.uniform(0.0, 0.1))
        one.kill()
    judge(one, finish(one, messages), f"{kills} kills")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("stops", "messages"), [small, soak])
def test_frozen_session_loses_and_doubles_nothing(
    trial: Callable[..., Trial], stops: int, messages: int
) -> None:
    """SIGSTOP and SIGCONT at random moments, longer than a channel may be silent, and kills."""
    one = trial(idempotent=False, stall_after=0.5)
    one.begin()
    one.wait_up()
    for stop in range(stops):
        pace(one, stop, stops, messages)
        time.sleep(one.random.uniform(0.0, 0.1))
        one.freeze(one.random.choice([0.01, 0.1, 0.8]))
        if stop % 10 == 9:
            one.kill()
            one.begin()
            one.wait_up()
    one.kill()
    judge(one, finish(one, messages), f"{stops} freezes")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("times", "messages"), [small, soak])
@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
def test_session_out_of_disk_loses_and_doubles_nothing(
    trial: Callable[..., Trial], idempotent: bool, times: int, messages: int
) -> None:
    """Its files cannot grow, at random moments and at random sizes; now and then it is killed."""
    one = trial(idempotent=idempotent)
    one.begin()
    one.wait_up()
    for time_ in range(times):
        pace(one, time_, times, messages)
        time.sleep(one.random.uniform(0.0, 0.1))
        one.fill_disk(one.random.choice([0, 20_000, 100_000, 1_000_000]))
        time.sleep(one.random.uniform(0.0, 0.1))
        if time_ % 7 == 6:
            one.kill()
            one.begin()
            one.wait_up()
        else:
            one.free_disk()
    one.kill()
    judge(one, finish(one, messages), f"{times} full disks")


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a small file system, where that is allowed."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("times", "messages"), [small, soak])
def test_session_on_a_full_file_system_loses_and_doubles_nothing(
    trial: Callable[..., Trial], tmp_path: Path, times: int, messages: int
) -> None:
    """Somebody else fills the file system to the last byte, and makes room again."""
    with small_disk(tmp_path / "disk", "16m") as disk:
        one = trial(idempotent=False, folder=disk / "work", retain_count=500)
        one.begin()
        one.wait_up()
        for time_ in range(times):
            pace(one, time_, times, messages)
            time.sleep(one.random.uniform(0.0, 0.1))
            fill(disk / "ballast")
            time.sleep(one.random.uniform(0.0, 0.1))
            if time_ % 7 == 6:
                one.kill()
                (disk / "ballast").unlink()
                one.begin()
                one.wait_up()
            else:
                (disk / "ballast").unlink()
        one.kill()
        judge(one, finish(one, messages), f"{times} full file systems")


def fill(ballast: Path) -> None:
    """Take all the room there is."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
