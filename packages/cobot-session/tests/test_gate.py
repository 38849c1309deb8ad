"""The gate: who may reach the agent, how fast, and where it may write."""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import IncomingMessage, OutgoingMessage, Session
from cobot_session.config import load_config
from cobot_session.gate.drops import MOST_KNOWN, Drops
from cobot_session.gate.flood import MOST_BUCKETS, Buckets, Flood
from cobot_session.gate.reach import Reach
from cobot_session.gate.rules import Rules, rules
from cobot_session.spool.access import MOST_HEARD
from cobot_session.spool.beside import Beside
from cobot_session.spool.schema import MIGRATIONS
from cobot_session.testing import FakeChannel

if TYPE_CHECKING:
    from pathlib import Path

BOUND = 30.0
KINDS = ["message", "edit", "reaction", "deletion", "callback"]


def access(**settings: Any) -> Any:
    config = load_config({"plugins": {"x": {"access": settings}}}, env={})
    return config.blocks["x"].common.access


def event(**fields: Any) -> IncomingMessage:
    known = {"id": "1", "channel_type": "x", "channel_id": "room", "sender_id": "ann"}
    known |= {"sender_name": "Ann", "content": "hello", "timestamp": datetime.now(UTC)}
    return IncomingMessage(**known | fields)


@pytest.fixture
def fake() -> FakeChannel:
    return FakeChannel()


def session(tmp_path: Path, fake: FakeChannel, **block: Any) -> Session:
    plugins = {"workspace": {"path": str(tmp_path)}, "session": {"events": "all"}, "fake": block}
    return Session({"plugins": plugins}, plugins={"fake": fake.plugin})


def heard(session: Session) -> IncomingMessage:
    (message,) = session.poll_all_channels(wait=BOUND)
    return message


# -- in


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_event_of_a_stranger_passes(
    tmp_path: Path, fake: FakeChannel, kind: str
) -> None:
    """A stranger's message, edit, reaction, deletion or button is dropped; a person's passes."""
    with session(tmp_path, fake, access={"users": ["ann"]}) as running:
        fake.says("stranger", sender="mallory", sender_name="ann", kind=kind)
        fake.says("person", sender="ann", kind=kind)
        assert heard(running).sender_id == "ann"
        status = running.status()["fake"]
    assert (status.received, status.dropped_by) == (1, {"stranger": 1})


@pytest.mark.parametrize(
    ("settings", "fields", "admitted"),
    [
        ({}, {}, False),
        ({"users": ["ann"]}, {}, True),
        ({"users": ["Ann"]}, {}, False),
        ({"users": [{"id": "ann", "chats": ["room"]}]}, {}, True),
        ({"users": [{"id": "ann", "chats": ["room"]}]}, {"channel_id": "room/7"}, True),
        ({"users": [{"id": "ann", "chats": ["room"]}]}, {"channel_id": "other"}, False),
        ({"users": [{"id": "ann", "chats": ["room"]}]}, {"sender_id": "bob"}, False),
        ({"users": ["ann"]}, {"sender_id": ""}, False),
        ({"chats": ["room"]}, {"sender_id": ""}, True),
        ({"chats": ["room"]}, {"channel_id": "roomier"}, False),
        ({"roles": ["g1/9"]}, {"space_id": "g1", "roles": ["9"]}, True),
        ({"roles": ["g1/9"]}, {"space_id": "g2", "roles": ["9"]}, False),
        ({"roles": ["g1/9"]}, {"roles": ["9", "g1/9"]}, False),
        ({"open": True}, {"sender_id": ""}, True),
    ],
)
def test_only_what_is_listed_opens_the_gate(
    settings: dict[str, Any], fields: dict[str, Any], admitted: bool
) -> None:
    """Ids count, in the place they are limited to; names and foreign roles do not."""
    assert rules(access(**settings)).admit(event(**fields)) is admitted


def test_a_channels_own_keys_limit_people_to_chats_too() -> None:
    """`access()` of a settings model takes the same forms as the file."""
    made = rules(access(), {"users": ["1", {"id": "2", "chats": ["a"]}]})
    assert (made.users, made.users_in) == ({"1"}, {("2", "a")})


# -- out


def test_the_agent_writes_where_it_has_heard_from(tmp_path: Path, fake: FakeChannel) -> None:
    """A chat that somebody let in wrote in can be written to, after a restart as well."""
    with session(tmp_path, fake, access={"users": ["ann"]}) as running:
        fake.says("hello", chat="ann's", sender="ann")
        assert running.reply(heard(running), "hi", BOUND).status == "sent"
    with session(tmp_path, fake, access={"users": ["ann"]}) as running:
        assert running.send(OutgoingMessage("fake", "ann's", "again"), BOUND).status == "sent"
    assert fake.texts() == ["hi", "again"]


def test_the_agent_writes_nowhere_else(tmp_path: Path, fake: FakeChannel) -> None:
    """Every verb to a chat that nobody let in wrote in is refused, with the fix; none is stored."""
    with session(tmp_path, fake, access={"users": ["ann"]}) as running:
        fake.says("let me in", chat="evil", sender="mallory")
        fake.says("hello", sender="ann")
        message = heard(running)
        receipts = [
            running.send(OutgoingMessage("fake", "evil", "secret")),
            running.edit("fake", "evil", "s1", "secret"),
            running.delete("fake", "evil", "s1"),
            running.react("fake", "evil", "s1", "x"),
        ]
        assert not running.typing("fake", "evil")
        stolen = IncomingMessage(**vars(message) | {"channel_id": "evil"})
        receipts.append(running.stream(stolen, ["sec", "ret"]))
        status = running.status()["fake"]
    assert (status.pending, status.dead) == (1, 0)  # the message in hand
    assert {one.status for one in receipts} == {"failed"}
    assert all("`plugins.fake.access.send_to`" in (one.error or "") for one in receipts)
    assert (fake.sent, fake.edits, fake.deleted, fake.reactions) == ([], [], [], [])
    assert fake.typings == []


def test_what_was_stored_for_a_chat_that_is_barred_now_is_not_sent(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """A narrower `send_to` holds for what waited in the outbox, too: it becomes a dead letter."""
    fake.is_cut = True
    with session(tmp_path, fake, access={"open": True}) as running:
        queued = running.send(OutgoingMessage("fake", "old", "late", id="late"), timeout=0)
        assert queued.status == "queued"
        running.stop(drain=0)
    fake.mends()
    with session(tmp_path, fake, access={"open": True, "send_to": ["new"]}) as running:
        assert running.send(OutgoingMessage("fake", "new", "hello"), BOUND).status == "sent"
        again = running.send(OutgoingMessage("fake", "old", "late", id="late2"), BOUND)
        assert again.status == "failed"
        while running.status()["fake"].dead != 1:
            running.poll_all_channels(wait=0.01)
    assert fake.texts() == ["hello"]


@pytest.mark.parametrize(
    ("send_to", "allowed", "chat", "passes"),
    [
        (None, Rules(), "room", False),
        (None, Rules(chats=frozenset({"room"})), "room/7", True),
        (None, Rules(users=frozenset({"ann"})), "ann", True),
        (None, Rules(users_in=frozenset({("ann", "room")})), "room", True),
        (None, Rules(open=True), "room", True),
        (["any"], Rules(), "room", True),
        (["room"], Rules(open=True), "room/7", True),
        (["room"], Rules(open=True), "other", False),
    ],
)
def test_send_to_bounds_the_agent(
    send_to: list[str] | None, allowed: Rules, chat: str, passes: bool
) -> None:
    """By default configured chats; `any`; or a list, which binds also where everybody may write."""
    assert (Reach("x", send_to, allowed).refusal(chat) is None) is passes


def test_a_default_chat_is_configured(tmp_path: Path, fake: FakeChannel) -> None:
    """What `default_chat` names may be written to, whoever wrote there."""
    with session(tmp_path, fake, access={"users": ["ann"]}, default_chat="lobby") as running:
        assert running.send(OutgoingMessage("fake", content="hello"), BOUND).status == "sent"
        assert running.send(OutgoingMessage("fake", "lobby", "hello"), BOUND).status == "sent"


def test_the_chats_heard_from_are_bounded() -> None:
    """The oldest of very many is forgotten."""
    reach = Reach("x", None, Rules())
    reach.hear(f"c{n}" for n in range(MOST_HEARD + 1))
    assert reach.refusal("c0") is not None
    assert reach.refusal("c1") is None


def test_a_chat_is_known_in_every_spelling_of_its_id() -> None:
    """The channel's own form of an id is what counts."""
    reach = Reach("x", None, Rules(), ["ab"], str.lower)
    assert reach.refusal("AB") is None


# -- floods


def test_a_flood_of_one_person_is_dropped(tmp_path: Path, fake: FakeChannel) -> None:
    """What one person writes beyond the burst is counted, and others pass."""
    block = {"open": True, "rates": {"sender": 0.01, "sender_burst": 3}}
    with session(tmp_path, fake, access=block) as running:
        for number in range(10):
            fake.says(str(number), sender="mallory")
        fake.says("hello", sender="ann")
        texts: list[str] = []
        while len(texts) < 4:
            texts += [one.content for one in running.poll_all_channels(wait=BOUND)]
        assert texts == ["0", "1", "2", "hello"]
        assert running.status()["fake"].dropped_by == {"flood": 7}


def rated(**settings: Any) -> Any:
    return access(rates=settings).rates


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_tokens_come_back_with_time() -> None:
    """A person who waits may write again, and never more than the burst."""
    clock = Clock()
    flood = Flood(rated(sender=60, sender_burst=2), clock)

    def passed(count: int) -> int:
        return sum(not flood.too_fast(event(), admitted=True) for _ in range(count))

    assert passed(5) == 2
    clock.now += 1
    assert passed(5) == 1
    clock.now += 3600
    assert passed(5) == 2


def test_one_chat_of_many_writers_is_bounded_too() -> None:
    """Many accounts in one chat share that chat's burst; other chats are not touched."""
    flood = Flood(rated(chat_burst=5), Clock())
    events = [event(sender_id=f"s{n}") for n in range(9)]
    assert [flood.too_fast(one, admitted=True) for one in events] == [False] * 5 + [True] * 4
    assert not flood.too_fast(event(channel_id="other"), admitted=True)


def test_strangers_take_nothing_from_those_let_in() -> None:
    """A stranger's flood in a chat leaves its burst to the people who may write there."""
    flood = Flood(rated(chat_burst=2), Clock())
    for number in range(50):
        flood.too_fast(event(sender_id=f"stranger{number}"), admitted=False)
    assert not flood.too_fast(event(), admitted=True)


def test_a_backlog_is_no_flood(tmp_path: Path, fake: FakeChannel) -> None:
    """What was written while the bot was away comes at once, and all of it passes."""
    block = {"users": ["ann"], "rates": {"sender_burst": 3, "chat_burst": 3}}
    with session(tmp_path, fake, access=block) as running:
        before = datetime.now(UTC) - timedelta(hours=5)
        for number in range(100):
            fake.says(str(number), sender="ann", timestamp=before + timedelta(minutes=number))
        texts: list[str] = []
        while len(texts) < 100:
            texts += [one.content for one in running.poll_all_channels(wait=BOUND)]
        assert running.status()["fake"].dropped == 0


def test_a_dated_back_flood_is_bounded() -> None:
    """Who chooses the time of what they write gains the backlog, once."""
    flood = Flood(rated(backlog=20), Clock())
    before = datetime.now(UTC) - timedelta(days=1)
    late = [flood.too_fast(event(timestamp=before), admitted=True) for _ in range(30)]
    assert late.count(False) == 20


def test_no_bound_where_none_is_wanted() -> None:
    """A rate of 0 lets everything pass."""
    flood = Flood(rated(sender=0, chat=0, sender_burst=1, chat_burst=1), Clock())
    assert not any(flood.too_fast(event(), admitted=True) for _ in range(100))


def test_buckets_stay_few() -> None:
    """However many senders there are, memory is bounded."""
    buckets = Buckets(60, 1)
    for number in range(MOST_BUCKETS + 100):
        buckets.take(str(number), 0.0)
    assert len(buckets) == MOST_BUCKETS


# -- drops


def test_a_stranger_is_told_of_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """The log names the id to add once, wherever the stranger writes; again after an hour."""
    clock = Clock()
    drops = Drops(logging.getLogger("cobot_session.plugin.x"), clock=clock)
    for chat in ("a", "b", "a"):
        drops.note("stranger", event(channel_id=chat))
    assert len(caplog.records) == 1
    assert "`users: ['ann']`" in caplog.text
    clock.now += 3601
    drops.note("stranger", event())
    assert len(caplog.records) == 2


def test_where_a_stranger_is_to_be_added_is_told_whole(caplog: pytest.LogCaptureFixture) -> None:
    """The line says under which channel, without a logger's name; nobody is no person to add."""
    drops = Drops(logging.getLogger("x"), clock=Clock())
    drops.note("stranger", event())
    drops.note("stranger", event(sender_id=""))
    drops.note("flood", event())
    named, unnamed, fast = [record.getMessage() for record in caplog.records]
    channel = event().channel_type
    assert f"under `plugins.{channel}.access`: `users: ['ann']`" in named
    assert f"under `plugins.{channel}.access`: `chats: [" in unnamed
    assert f"`plugins.{channel}.access.rates` bounds it" in fast


def test_a_crowd_of_strangers_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Beyond a number of lines an hour they are only counted, and that is said once."""
    drops = Drops(logging.getLogger("cobot_session.plugin.x"), clock=Clock())
    for number in range(5000):
        drops.note("stranger", event(sender_id=str(number)))
    assert len(caplog.records) == 61
    assert "counted in the status" in caplog.records[-1].message


def test_what_is_kept_of_drops_is_bounded_and_no_text() -> None:
    """Ids, counts and times of the latest are kept; nothing of what was written."""
    drops = Drops(logging.getLogger("x"), clock=Clock())
    for number in range(MOST_KNOWN + 10):
        drops.note("stranger", event(sender_id=str(number) * 500, content="SECRET"))
    kept = drops.changed()
    assert kept is not None
    assert len(kept) == 50
    assert kept[0]["sender"].startswith(str(MOST_KNOWN + 9))
    assert "SECRET" not in str(kept)
    assert max(len(one["sender"]) for one in kept) == 200
    assert drops.changed() is None


def test_drops_are_counted_on_after_a_restart(tmp_path: Path, fake: FakeChannel) -> None:
    """What `doctor` shows goes on where the last session left it."""
    for _ in range(2):
        with session(tmp_path, fake, access={"users": ["ann"]}) as running:
            fake.says("let me in", sender="mallory", chat="evil")
            fake.says("hello", sender="ann")
            heard(running)
            fake.wait_for_acknowledged()
    (drop,) = Beside(tmp_path / "session.db").drops()["fake"]
    assert (drop["sender"], drop["chat"], drop["count"]) == ("mallory", "evil", 2)


def test_a_spool_of_before_knows_the_chats_of_its_inbox(tmp_path: Path, fake: FakeChannel) -> None:
    """An upgrade takes nothing away: the agent may go on writing where it was written to."""
    db = sqlite3.connect(tmp_path / "session.db", isolation_level=None)
    db.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
    db.execute(
        "INSERT INTO inbox (channel, key, chat, body, state, at) VALUES ('fake', 'k', 'old', '', 2,"
        " strftime('%s'))"
    )
    db.close()
    with session(tmp_path, fake, access={"users": ["ann"]}) as running:
        assert running.send(OutgoingMessage("fake", "old", "hello again"), BOUND).status == "sent"
