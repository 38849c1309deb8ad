"""What outlasts a power cut: nothing is told to anybody outside that is not on the disk yet.

What is on the disk is what the spool's files held when they were synced last.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cobot_session.errors import SpoolFull
from cobot_session.messages import IncomingMessage, OutgoingMessage
from cobot_session.plugin import Limits, Plugin, PluginMeta
from cobot_session.session import Session
from cobot_session.spool import Item, SqliteSpool, disk
from cobot_session.testing import FakeChannel

BOUND = 40.0


class Disk:
    """A disk whose syncs can be held up, can fail, and are remembered."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "session.db"
        self.syncs = 0
        self.fails = False
        self.holds: str | None = None
        """What finds rows in what is written: only a sync of those is held up."""
        self.begun = threading.Event()
        self.may_sync = threading.Event()
        self.may_sync.set()
        self._synced = Path(tempfile.mkdtemp(dir=folder))
        self._copying = threading.Lock()
        self._sync = disk._sync
        monkeypatch.setattr(disk, "_sync", self.sync)

    def sync(self, file: int) -> None:
        self.begun.set()
        if self.holds is None or self.written(self.holds):
            assert self.may_sync.wait(BOUND)
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._sync(file)
        self.syncs += 1
        with self._copying:
            for name in (self.path.name, f"{self.path.name}-wal"):
                shutil.copy(self.path.with_name(name), self._synced)

    def written(self, select: str) -> list[Any]:
        """Return what would be found after the end of the process."""
        with closing(sqlite3.connect(self.path)) as db:
            return [value for (value,) in db.execute(select)]

    def rows(self, select: str) -> list[Any]:
        """Return what would be found after a power cut."""
        with tempfile.TemporaryDirectory() as folder:
            with self._copying:
                shutil.copytree(self._synced, folder, dirs_exist_ok=True)
            with closing(sqlite3.connect(Path(folder, self.path.name))) as db:
                return [value for (value,) in db.execute(select)]


class Witness(Plugin):
    """A channel that looks at the disk whenever it is called."""

    meta = PluginMeta("witness", "1")
    disk: Disk
    given: list[str]
    found: list[str]
    begin: threading.Event
    over: threading.Event

    async def session_receive(self) -> list[IncomingMessage]:
        stored = self.disk.rows("SELECT key FROM inbox") if self.given else []
        lost = [key for key in self.given if key not in stored]
        self.found += [f"{key} was confirmed and is lost" for key in lost]
        if not self.begin.is_set():
            return []
        if len(self.given) == 20:
            self.over.set()
            return []
        key = str(len(self.given))
        self.given.append(key)
        return [IncomingMessage(key, "", "chat", "ann", "Ann", "hi", datetime.now(UTC), key=key)]

    async def session_send(self, message: OutgoingMessage) -> str:
        open_ = "SELECT id FROM outbox WHERE state = 0"
        expected = open_ if self.limits.idempotent else f"{open_} AND in_flight"
        if message.id.partition("~")[0] not in self.disk.rows(expected):
            self.found.append(f"{message.content} was sent and would be sent again")
        return message.id


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(tmp_path, monkeypatch)


def witnessed(slow: Disk, *, idempotent: bool, **session: Any) -> tuple[Session, type[Witness]]:
    facts = {"disk": slow, "limits": Limits(idempotent=idempotent), "given": [], "found": []}
    facts |= {"begin": threading.Event(), "over": threading.Event()}
    kind: type[Witness] = type("Seeing", (Witness,), facts)
    config = {
        "session": session,
        "workspace": {"path": str(slow.path.parent)},
        "console": {"enabled": False},
        "witness": {"access": {"open": True}},
    }
    return Session({"plugins": config}, plugins={"witness": kind}), kind


@pytest.mark.parametrize("idempotent", [False, True])
def test_nothing_outside_knows_more_than_the_disk(slow: Disk, *, idempotent: bool) -> None:
    """What was confirmed, what was sent and what a receipt told of is found after a power cut."""
    session, witness = witnessed(slow, idempotent=idempotent)
    with session:
        runner = threading.Thread(
            target=session.run, args=(lambda message: message.key,), daemon=True
        )
        runner.start()
        witness.begin.set()
        for number in range(20):
            receipt = session.send(OutgoingMessage("witness", "other", str(number)), 0)
            assert receipt.status == "queued"
            assert receipt.id in slow.rows("SELECT id FROM outbox")
        assert witness.over.wait(BOUND)
        last = session.send(OutgoingMessage("witness", "chat", "last"), BOUND)
        assert last.status == "sent"
        assert last.id in slow.rows("SELECT id FROM outbox WHERE status = 'sent'")
    runner.join(BOUND)
    assert witness.found == []


def test_the_agent_begins_before_the_disk_is_done(slow: Disk) -> None:
    """A message is handed out once it outlasts the process; its answer waits for the disk."""
    fake, waits = FakeChannel(), [1, 1, 1, 2, 2, 4, 8]
    heard = [threading.Event() for _ in waits]

    def handler(message: IncomingMessage) -> str:
        heard[int(message.content)].set()
        return f"re: {message.content}"

    def is_heard_unsynced(number: int) -> bool:
        """Tell it of one message; not so when the status, say, had to last at once beside it."""
        slow.holds = f"SELECT seq FROM inbox WHERE seq > {number}"  # noqa: S608 - a number of ours
        slow.may_sync.clear()
        fake.says(str(number))
        try:
            return heard[number].wait(waits[number]) and len(fake.sent) == number
        finally:
            slow.may_sync.set()
            fake.wait_for_sent(number + 1)

    config = {"workspace": {"path": str(slow.path.parent)}, "fake": {"access": {"open": True}}}
    with Session({"plugins": config}, plugins={"fake": fake.plugin}) as session:
        runner = threading.Thread(target=session.run, args=(handler,), daemon=True)
        runner.start()
        assert any(map(is_heard_unsynced, range(len(waits))))
    runner.join(BOUND)


def test_one_sync_serves_all_that_waited(tmp_path: Path, slow: Disk) -> None:
    """What is committed while the disk is busy is synced together."""
    with closing(SqliteSpool(tmp_path / "session.db")) as spool:
        spool.load().result(BOUND)
        slow.begun.clear()
        slow.may_sync.clear()
        first = spool.enqueue(item("first"))
        assert slow.begun.wait(BOUND)
        before = slow.syncs
        rest = [spool.enqueue(item(str(number))) for number in range(200)]
        slow.may_sync.set()
        assert [one.result(BOUND) for one in (first, *rest)] == [None] * 201
        assert slow.syncs == before + 2


def test_looking_costs_no_sync(tmp_path: Path, slow: Disk) -> None:
    """The disk is waited for only when something was written."""
    with closing(SqliteSpool(tmp_path / "session.db")) as spool:
        spool.enqueue(item("a")).result(BOUND)
        before = slow.syncs
        spool.receipt("a").result(BOUND)
        spool.lasting().result(BOUND)
        assert slow.syncs == before


def test_normal_durability_waits_for_no_disk(tmp_path: Path, slow: Disk) -> None:
    """`durability: normal` leaves it to SQLite's checkpoints."""
    with closing(SqliteSpool(tmp_path / "session.db", durability="normal")) as spool:
        spool.enqueue(item("a")).result(BOUND)
    assert slow.syncs == 0


def test_a_disk_that_fails_is_told_and_tried_again(tmp_path: Path, slow: Disk) -> None:
    """Nothing is promised while the disk refuses; the next success makes it all last."""
    with closing(SqliteSpool(tmp_path / "session.db")) as spool:
        spool.load().result(BOUND)
        slow.fails = True
        with pytest.raises(SpoolFull, match="cannot be synced"):
            spool.enqueue(item("a")).result(BOUND)
        slow.fails = False
        spool.lasting().result(BOUND)
        assert slow.rows("SELECT id FROM outbox") == ["a"]


def test_a_session_outlasts_a_disk_that_fails(slow: Disk) -> None:
    """Nothing is confirmed or sent while the disk refuses; then everything goes on, once."""
    session, witness = witnessed(slow, idempotent=False)
    with session:
        runner = threading.Thread(
            target=session.run, args=(lambda message: message.key,), daemon=True
        )
        slow.fails = True
        runner.start()
        witness.begin.set()
        unsure = session.send(OutgoingMessage("witness", "other", "unsure"), 0)
        assert unsure.status == "queued"
        assert "may not outlast a power cut" in (unsure.error or "")
        slow.fails = False
        assert witness.over.wait(2 * BOUND)
        told = session.send(OutgoingMessage("witness", "other", "", id=unsure.id), BOUND)
        assert told.status == "sent"
    runner.join(BOUND)
    assert witness.found == []


def item(id_: str) -> Item:
    return Item("send", OutgoingMessage("fake", "chat", "text", id=id_), 0.0)
