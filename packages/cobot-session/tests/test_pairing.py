"""Pairing: what strangers are told, how often, and what is kept of it."""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import IncomingMessage, OutgoingMessage, Session
from cobot_session.pairing import Desk
from cobot_session.pairing.codes import ALPHABET, digest, fits, is_code, new_code, new_salt
from cobot_session.pairing.desk import MOST_A_DAY, MOST_AN_HOUR
from cobot_session.spool import SqliteSpool, access
from cobot_session.spool.beside import Beside
from cobot_session.testing import FakeChannel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOUND = 40.0
HOUR = 3600.0


@pytest.fixture
def fake() -> FakeChannel:
    return FakeChannel()


def session(tmp_path: Path, fake: FakeChannel, **access: Any) -> Session:
    block = {"access": {"users": ["ann"], "pairing": True} | access}
    plugins = {"workspace": {"path": str(tmp_path)}, "session": {"events": "all"}, "fake": block}
    return Session({"plugins": plugins}, plugins={"fake": fake.plugin})


def code_in(message: OutgoingMessage) -> str:
    return re.findall(r"approve (\S+)", message.content)[0]


def approve(folder: Path, code: str) -> access.Paired | None:
    return Beside(folder / "session.db").approve(lambda one: fits(code, one.salt, one.digest))


def after_ann(running: Session, fake: FakeChannel) -> None:
    """Wait until all that was said before has been judged."""
    fake.says("hello", sender="ann")
    (message,) = running.poll_all_channels(wait=BOUND)
    assert message.sender_id == "ann"


# -- a stranger


def test_a_stranger_gets_one_code_and_is_let_in_by_it(tmp_path: Path, fake: FakeChannel) -> None:
    """The code comes once; when the owner approves it, the running session lets them in."""
    with session(tmp_path, fake) as running:
        for _ in range(3):
            fake.says("SESAME", sender="bob", chat="bob's")
        (told,) = fake.wait_for_sent()
        assert told.channel_id == "bob's"
        assert "good for one hour" in told.content
        after_ann(running, fake)
        paired = approve(tmp_path, code_in(told))
        assert paired is not None
        assert (paired.channel_type, paired.user, paired.chat) == ("fake", "bob", "bob's")
        batch: list[IncomingMessage] = []
        while not batch:
            fake.says("hello again", sender="bob", chat="bob's")
            batch = running.poll_all_channels(wait=0.1)
        assert batch[0].sender_id == "bob"
        assert running.send(OutgoingMessage("fake", "bob's", "welcome"), BOUND).status == "sent"
    assert [one.channel_id for one in fake.sent] == ["bob's", "bob's"]


def test_who_is_paired_stays_so(tmp_path: Path, fake: FakeChannel) -> None:
    """A restart forgets nobody; `revoke` does, in the running session and for what it writes."""
    with session(tmp_path, fake):
        fake.says("hi", sender="bob", chat="bob's")
        (told,) = fake.wait_for_sent()
    assert approve(tmp_path, code_in(told)) is not None
    with session(tmp_path, fake) as running:
        fake.says("hello", sender="bob", chat="bob's")
        (message,) = running.poll_all_channels(wait=BOUND)
        assert message.sender_id == "bob"
        assert running.send(OutgoingMessage("fake", "bob's", "hi"), BOUND).status == "sent"
        assert Beside(tmp_path / "session.db").revoke("fake", "bob")
        while running.send(OutgoingMessage("fake", "bob's", "still there?")).status != "failed":
            time.sleep(0.02)
        fake.says("hello?", sender="bob", chat="bob's")
        after_ann(running, fake)
    with session(tmp_path, fake) as running:
        fake.says("hello??", sender="bob", chat="bob's")
        after_ann(running, fake)


@pytest.mark.parametrize(
    "fields",
    [
        {"direct": False},
        {"direct": False, "space_id": "guild"},
        {"kind": "edit"},
        {"kind": "reaction"},
        {"kind": "callback"},
        {"kind": "deletion"},
        {"sender": ""},
    ],
)
def test_codes_are_given_in_direct_chats_only(
    tmp_path: Path, fake: FakeChannel, fields: dict[str, Any]
) -> None:
    """In a group, for anything that is no message, and for nobody in particular there is none."""
    with session(tmp_path, fake) as running:
        fake.says("hello", **{"sender": "bob"} | fields)
        after_ann(running, fake)
    assert fake.sent == []
    assert not Beside(tmp_path / "session.db").book().requests


def test_nothing_is_said_where_pairing_is_not_wanted(tmp_path: Path, fake: FakeChannel) -> None:
    """Without `pairing: true` strangers hear nothing."""
    with session(tmp_path, fake, pairing=False) as running:
        fake.says("hello", sender="bob")
        after_ann(running, fake)
    assert fake.sent == []


def test_nothing_of_a_stranger_is_kept_but_ids(tmp_path: Path, fake: FakeChannel) -> None:
    """Neither the words, nor the name, nor the code stand in any file."""
    with session(tmp_path, fake) as running:
        fake.says("SESAME", sender="bob", sender_name="OWNER-BOB")
        (told,) = fake.wait_for_sent()
        after_ann(running, fake)
    code = code_in(told)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    assert b"bob" in kept
    for word in (b"SESAME", b"OWNER-BOB", code.encode(), code.replace("-", "").encode()):
        assert word not in kept


def test_a_wrong_code_and_a_used_one_open_nothing(tmp_path: Path, fake: FakeChannel) -> None:
    """A code is good once, for one person; however it is cased and spaced."""
    with session(tmp_path, fake):
        fake.says("hello", sender="bob")
        (told,) = fake.wait_for_sent()
    code = code_in(told)
    assert approve(tmp_path, new_code()) is None
    assert approve(tmp_path, code.lower().replace("-", " ")) is not None
    assert approve(tmp_path, code) is None


def test_a_code_ends_after_an_hour(tmp_path: Path, fake: FakeChannel) -> None:
    """What was given longer ago is refused."""
    with session(tmp_path, fake):
        fake.says("hello", sender="bob")
        (told,) = fake.wait_for_sent()
    db = sqlite3.connect(tmp_path / "session.db")
    with db:
        db.execute("UPDATE asked SET until = ?", (time.time() - 1,))
    db.close()
    assert approve(tmp_path, code_in(told)) is None


def test_a_refused_stranger_gets_no_code(tmp_path: Path, fake: FakeChannel) -> None:
    """After `reject` their code is void, and there is no other."""
    with session(tmp_path, fake):
        fake.says("hello", sender="bob")
        (told,) = fake.wait_for_sent()
    assert Beside(tmp_path / "session.db").refuse(lambda one: one.user == "bob") is not None
    assert approve(tmp_path, code_in(told)) is None
    with session(tmp_path, fake) as running:
        fake.says("hello", sender="bob")
        after_ann(running, fake)
    assert len(fake.sent) == 1


# -- how often


class Clerk:
    """A desk with a clock of its own, and what it told."""

    def __init__(self, spool: SqliteSpool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        self.told: list[str] = []
        self._spool = spool
        monkeypatch.setattr("cobot_session.pairing.desk.time.time", lambda: self.now)
        self.desk = self.open()

    def open(self) -> Desk:
        log = logging.getLogger("cobot_session.plugin.x")
        return Desk("x", self._spool, self._say, gives=True, log=log)

    def _say(self, message: OutgoingMessage) -> Future[None]:
        self.told.append(message.channel_id)
        said: Future[None] = Future()
        said.set_result(None)
        return said

    def hears(self, user: str) -> None:
        now = datetime.now(UTC)
        self.desk.offer(IncomingMessage("1", "x", user, user, user, "hi", now, direct=True))
        self._spool.dead_letters().result(BOUND)  # what was asked before is stored
        self._spool.dead_letters().result(BOUND)

    def restarts(self) -> None:
        book = self._spool.load().result(BOUND).book
        assert book is not None
        self.desk = self.open()
        self.desk.take_up(book)


@pytest.fixture
def clerk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clerk]:
    spool = SqliteSpool(tmp_path / "session.db")
    spool.load().result(BOUND)
    yield Clerk(spool, monkeypatch)
    spool.close()


def test_one_person_gets_a_code_an_hour_and_few_a_day(clerk: Clerk) -> None:
    """However often they write, and though the session restarts."""
    for hour in range(6):
        clerk.now = 1_000_000 + hour * (HOUR + 1)
        for _ in range(5):
            clerk.hears("bob")
        clerk.restarts()
        clerk.hears("bob")
        assert clerk.told.count("bob") == min(hour + 1, MOST_A_DAY)
    clerk.now += 25 * HOUR
    clerk.hears("bob")
    assert clerk.told.count("bob") == MOST_A_DAY + 1


def test_a_crowd_gets_few_codes(clerk: Clerk) -> None:
    """However many strangers write, so many requests are pending, after a restart as well."""
    for number in range(3 * MOST_AN_HOUR):
        clerk.hears(f"s{number}")
        if number == MOST_AN_HOUR:
            clerk.restarts()
    assert len(clerk.told) == MOST_AN_HOUR
    clerk.now += HOUR + 1
    clerk.hears("late")
    assert clerk.told[-1] == "late"


def test_a_code_that_cannot_be_stored_is_not_given(clerk: Clerk) -> None:
    """With a spool that refuses, nothing is said."""
    clerk._spool.close()
    clerk.desk.offer(
        IncomingMessage("1", "x", "bob", "bob", "", "hi", datetime.now(UTC), direct=True)
    )
    assert clerk.told == []


# -- codes


def test_codes_are_long_and_unmistakable() -> None:
    """Twelve characters without look-alikes, never the same."""
    codes = {new_code() for _ in range(2000)}
    assert len(codes) == 2000
    assert set("".join(codes)) == {*ALPHABET, "-"}
    assert not set("01ILOU") & set(ALPHABET)
    assert all(is_code(code) for code in codes)
    assert len(ALPHABET) ** 12 > 2**58


@pytest.mark.parametrize("text", ["", "ABCD", "7KQX-93MW-TRB", "7KQX-93MW-TRB0", "é" * 12])
def test_what_is_no_code_is_told(text: str) -> None:
    """A text of another form is no code."""
    assert not is_code(text)


def test_each_digest_has_a_salt_of_its_own() -> None:
    """Equal codes are kept differently, and fit their own only."""
    code, first, second = new_code(), new_salt(), new_salt()
    assert digest(code, first) != digest(code, second)
    assert fits(code, first, digest(code, first))
    assert not fits(code, second, digest(code, first))


def test_old_requests_are_forgotten(tmp_path: Path) -> None:
    """A day after, nothing is left of one who asked; a month, of one who was refused."""
    spool = SqliteSpool(tmp_path / "session.db")
    spool.load().result(BOUND)
    now = time.time()
    new = access.Request("x", "new", "c", b"s", b"d", now, now + HOUR, now)
    for user, age, refused in [("old", 25, False), ("no", 25, True), ("old no", 750, True)]:
        at = now - age * HOUR
        spool.ask(replace(new, user=user, at=at, refused=refused))
    spool.ask(new)
    spool.trim().result(BOUND)
    spool.close()
    assert set(Beside(tmp_path / "session.db").book().requests["x"]) == {"new", "no"}


def test_a_code_of_a_clock_that_was_ahead_is_none(tmp_path: Path, fake: FakeChannel) -> None:
    """Once the clock is right it opens nothing, and keeps nobody from a new one."""
    with session(tmp_path, fake):
        fake.says("hi", sender="bob", chat="bob's")
        (told,) = fake.wait_for_sent()
    with sqlite3.connect(tmp_path / "session.db") as db:
        db.execute("UPDATE asked SET at = at + 9e4, until = until + 9e4, first = first + 9e4")
    db.close()
    assert approve(tmp_path, code_in(told)) is None
    with session(tmp_path, fake):
        fake.says("hi again", sender="bob", chat="bob's")
        told = fake.wait_for_sent(2)[-1]
    assert approve(tmp_path, code_in(told)) is not None
