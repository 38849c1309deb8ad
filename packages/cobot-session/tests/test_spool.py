"""The verbs of the durable store, against a real file that is closed and opened again."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.errors import SpoolError
from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Receipt
from cobot_session.spool import Backlog, Entry, Item, SqliteSpool, bulk

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND = 40.0


def incoming(key: str, chat: str = "chat", **fields: Any) -> IncomingMessage:
    return IncomingMessage(
        **{
            "id": key,
            "channel_type": "fake",
            "channel_id": chat,
            "sender_id": "alice",
            "sender_name": "Alice",
            "content": f"text of {key}",
            "timestamp": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "key": key,
            **fields,
        }
    )


def outgoing(id_: str, chat: str = "chat", op: Any = "send", **fields: Any) -> Item:
    message = OutgoingMessage("fake", chat, f"text of {id_}", id=id_)
    return Item(op, message, time.time(), **fields)


def stored(spool: SqliteSpool, *keys: str, channel: str = "fake") -> list[Entry]:
    return spool.store(channel, [incoming(key) for key in keys], {}).result(BOUND)


def queued(spool: SqliteSpool, id_: str, chat: str = "chat", **fields: Any) -> Item:
    item = outgoing(id_, chat, **fields)
    assert spool.enqueue(item).result(BOUND) is None
    return item


def keys(entries: list[Entry]) -> list[str]:
    return [entry.message.key for entry in entries]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.db"


@pytest.fixture
def spool(path: Path) -> Iterator[SqliteSpool]:
    spool = SqliteSpool(path)
    yield spool
    spool.close()


def reopened(spool: SqliteSpool, path: Path) -> Backlog:
    """Return what a process that comes after this one finds."""
    spool.close()
    with closing(SqliteSpool(path)) as later:
        return later.load().result(BOUND)


# -- inbox


def test_stored_batch_is_found_after_a_restart(spool: SqliteSpool, path: Path) -> None:
    """What was stored is found again, in order, with all its fields and with the state."""
    first = incoming(
        "a",
        media=[Media("image", id="f1", data=b"\x00\xff", filename="x.png", size=2)],
        metadata={"topic": 7, "when": datetime(2026, 1, 1, tzinfo=UTC)},
        reply_to="r",
        roles=["admin"],
    )
    spool.store("fake", [first, incoming("b")], {"cursor": {"offset": 17}}).result(BOUND)
    backlog = reopened(spool, path)
    assert keys(backlog.entries) == ["a", "b"]
    found = backlog.entries[0].message
    assert found.metadata == {"topic": 7, "when": "2026-01-01T00:00:00+00:00"}
    found.metadata = first.metadata
    assert found == first
    assert backlog.states == {"fake": {"cursor": {"offset": 17}}}


def test_message_is_stored_once_for_each_key(spool: SqliteSpool, path: Path) -> None:
    """A known key is left out: in one batch, in a later one, settled or not, after a restart."""
    assert keys(stored(spool, "a", "b", "a")) == ["a", "b"]
    (_, b) = spool.load().result(BOUND).entries
    spool.settle([b]).result(BOUND)
    assert keys(stored(spool, "a", "b", "c")) == ["c"]
    spool.close()
    with closing(SqliteSpool(path)) as later:
        assert keys(stored(later, "a", "b", "c", "d")) == ["d"]


def test_key_is_unique_within_its_channel_only(spool: SqliteSpool) -> None:
    """Two channels may have the same key."""
    assert keys(stored(spool, "a")) == ["a"]
    assert keys(stored(spool, "a", channel="other")) == ["a"]


def test_duplicates_use_no_numbers_up(path: Path) -> None:
    """A channel that repeats itself does not push its own keys out of memory."""
    with closing(SqliteSpool(path, retain_count=10)) as spool:
        spool.settle(stored(spool, "a", "b")).result(BOUND)
        for _ in range(50):
            assert stored(spool, "a", "b") == []
        spool.settle(stored(spool, "c")).result(BOUND)
        spool.trim().result(BOUND)
        assert stored(spool, "a", "b", "c") == []


def test_state_is_stored_with_its_batch_or_not_at_all(spool: SqliteSpool, path: Path) -> None:
    """A batch that cannot be stored leaves its state behind, too; the others are stored."""
    broken = incoming("x", channel_id=None)  # a column that must not be null
    spool.store("fake", [incoming("a")], {"cursor": 1})
    refused = spool.store("fake", [incoming("b"), broken], {"cursor": 2})
    after = spool.store("fake", [incoming("c")], {"other": 3})
    with pytest.raises(SpoolError, match="NOT NULL"):
        refused.result(BOUND)
    assert keys(after.result(BOUND)) == ["c"]
    backlog = reopened(spool, path)
    assert keys(backlog.entries) == ["a", "c"]
    assert backlog.states == {"fake": {"cursor": 1, "other": 3}}


def test_state_of_none_removes_the_name(spool: SqliteSpool, path: Path) -> None:
    """`None` takes a name away, with a batch and by itself."""
    spool.set_state("fake", {"a": 1, "b": 2, "c": 3}).result(BOUND)
    spool.store("fake", [], {"a": None}).result(BOUND)
    spool.set_state("fake", {"b": None}).result(BOUND)
    assert reopened(spool, path).states == {"fake": {"c": 3}}


def test_metadata_that_cannot_be_stored_does_not_keep_its_message_out(
    spool: SqliteSpool, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A message whose metadata contains itself is stored without it, and the log says so."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    assert keys(spool.store("fake", [incoming("a", metadata=endless)], {}).result(BOUND)) == ["a"]
    assert "without its metadata" in caplog.text
    (entry,) = reopened(spool, path).entries
    assert entry.message.metadata == {}
    assert entry.message.content == "text of a"


def test_entry_in_hand_is_a_suspect_after_a_restart(spool: SqliteSpool, path: Path) -> None:
    """What was handed out and not settled comes back with its deliveries, and is suspected."""
    a, b = stored(spool, "a", "b")
    a.deliveries = 2
    spool.hand_out([a]).result(BOUND)
    entries = reopened(spool, path).entries
    assert [(e.message.key, e.deliveries, e.suspect) for e in entries] == [
        ("a", 2, True),
        ("b", b.deliveries, False),
    ]


def test_released_entry_is_no_suspect_and_keeps_its_delay(spool: SqliteSpool, path: Path) -> None:
    """What was put back waits for the time it was told, also after a restart."""
    (a,) = stored(spool, "a")
    spool.hand_out([a])
    a.deliveries = 1
    a.rest(3600)
    spool.release([a]).result(BOUND)
    (found,) = reopened(spool, path).entries
    assert not found.suspect
    assert found.deliveries == 1
    assert found.due - time.monotonic() == pytest.approx(3600, abs=BOUND)


def test_settled_entry_is_gone_and_cannot_come_back(spool: SqliteSpool, path: Path) -> None:
    """Nothing that is written late about a settled entry opens it again."""
    a = stored(spool, "a", "b")[0]
    spool.settle([a])
    spool.release([a])
    spool.hand_out([a])
    spool.bury_entry(a, "too late")
    assert keys(reopened(spool, path).entries) == ["b"]
    with closing(SqliteSpool(path)) as later:
        assert later.dead_letters().result(BOUND) == []


def test_reply_and_acknowledgement_are_one(spool: SqliteSpool, path: Path) -> None:
    """A reply that cannot be stored leaves its message in the inbox; one that can, takes it out."""
    a, b = stored(spool, "a", "b")
    unstorable = outgoing("r1", chat=None)  # type: ignore[arg-type]
    with pytest.raises(SpoolError):
        spool.settle([a], [unstorable]).result(BOUND)
    (accepted,) = spool.settle([b], [outgoing("r2")]).result(BOUND)
    assert accepted.id == "r2"
    backlog = reopened(spool, path)
    assert keys(backlog.entries) == ["a"]
    assert [item.id for item in backlog.items] == ["r2"]


def test_known_reply_is_left_out(spool: SqliteSpool) -> None:
    """A reply whose id was stored before acknowledges, and is not stored again."""
    a, b = stored(spool, "a", "b")
    assert len(spool.settle([a], [outgoing("r")]).result(BOUND)) == 1
    assert spool.settle([b], [outgoing("r")]).result(BOUND) == []
    assert spool.load().result(BOUND).entries == []


def test_buried_entry_is_a_dead_letter(spool: SqliteSpool, path: Path) -> None:
    """It is not handed out again, and tells its reason."""
    (a,) = stored(spool, "a")
    a.deliveries = 5
    spool.hand_out([a])
    spool.bury_entry(a, "half a \udc80 surrogate").result(BOUND)
    (letter,) = spool.dead_letters().result(BOUND)
    assert (letter.id, letter.direction, letter.attempts) == (f"in-{a.seq}", "in", 5)
    assert letter.reason == "half a ? surrogate"
    assert letter.content == "text of a"
    backlog = reopened(spool, path)
    assert backlog.entries == []
    assert backlog.dead == {"fake": 1}


def test_row_that_cannot_be_read_is_a_dead_letter(spool: SqliteSpool, path: Path) -> None:
    """A row of another version, or a damaged one, does not keep the rest from being delivered."""
    stored(spool, "a", "b")
    spool.enqueue(outgoing("o1")).result(BOUND)
    spool.enqueue(outgoing("o2")).result(BOUND)
    spool.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE inbox SET body = '{\"new\": 1}' WHERE key = 'a'")
        db.execute("UPDATE outbox SET body = 'no json' WHERE id = 'o1'")
    with closing(SqliteSpool(path)) as later:
        backlog = later.load().result(BOUND)
        assert keys(backlog.entries) == ["b"]
        assert [item.id for item in backlog.items] == ["o2"]
        assert backlog.dead == {"fake": 2}
        letters = later.dead_letters().result(BOUND)
        assert {letter.content for letter in letters} == {'{"new": 1}', "no json"}
        assert all("cannot be read" in letter.reason for letter in letters)


# -- outbox


def test_item_is_found_as_far_as_it_has_come(spool: SqliteSpool, path: Path) -> None:
    """A restart finds the parts, how many are done, their ids, the attempts and the pause."""
    item = queued(spool, "o")
    item.parts = [OutgoingMessage("fake", "chat", text, id=f"o~{text}") for text in "xyz"]
    item.done, item.message_ids, item.attempts, item.in_flight = 1, ["17"], 3, True
    item.whole_channel, item.error, item.detail = True, "no \udc80 text", {"relays": {"a": True}}
    item.rest(5827)
    spool.progress(item).result(BOUND)
    (found,) = reopened(spool, path).items
    assert found.parts == item.parts
    assert (found.done, found.message_ids, found.attempts) == (1, ["17"], 3)
    assert (found.in_flight, found.whole_channel) == (True, True)
    assert (found.error, found.detail) == ("no ? text", {"relays": {"a": True}})
    assert found.parts_stored
    assert found.due - time.monotonic() == pytest.approx(5827, abs=BOUND)


def test_progress_keeps_the_parts_that_are_stored(spool: SqliteSpool, path: Path) -> None:
    """Parts are written once; what is recorded later does not take them away."""
    item = queued(spool, "o", parts=[OutgoingMessage("fake", "chat", "x", id="o")])
    item.parts_stored, item.attempts = True, 1
    spool.progress(item).result(BOUND)
    (found,) = reopened(spool, path).items
    assert found.parts == item.parts


def test_known_id_stores_nothing_and_tells_its_receipt(spool: SqliteSpool) -> None:
    """The same id again gets the receipt of the first, as it stands at that moment."""
    item = queued(spool, "o")
    assert spool.enqueue(outgoing("o")).result(BOUND) == Receipt("o", "queued")
    item.message_ids, item.attempts = ["17"], 1
    sent = Receipt("o", "sent", ("17",), None, 1, {"fact": 1})
    spool.finish(item, sent).result(BOUND)
    assert spool.enqueue(outgoing("o")).result(BOUND) == sent
    assert spool.load().result(BOUND).items == []


def test_order_of_acceptance_is_kept(spool: SqliteSpool, path: Path) -> None:
    """Items come back in the order in which they were accepted, from many threads at once."""
    accepted: list[str] = []
    lock = threading.Lock()

    def send(name: str) -> None:
        for n in range(50):
            with lock:
                accepted.append(f"{name}{n}")
                spool.enqueue(outgoing(f"{name}{n}"))

    threads = [threading.Thread(target=send, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert [item.id for item in reopened(spool, path).items] == accepted


def test_finished_item_is_remembered_by_its_receipt(spool: SqliteSpool, path: Path) -> None:
    """It is no longer open, its text is forgotten, and its receipt is told."""
    item = queued(spool, "o")
    receipt = Receipt("o", "partial", ("1", "2"), "no more", 4, {"a": [1]})
    spool.finish(item, receipt).result(BOUND)
    assert spool.receipt("o").result(BOUND) == receipt
    assert spool.receipt("o", ("fake", "chat")).result(BOUND) == receipt
    assert spool.receipt("o", ("fake", "other chat")).result(BOUND) is None
    assert spool.receipt("unheard of").result(BOUND) is None
    assert reopened(spool, path).items == []
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT body, parts FROM outbox").fetchone() == ("", None)


def test_finished_edit_tells_what_its_message_consists_of(spool: SqliteSpool) -> None:
    """The edited message's ids change with the edit, and only in the chat the edit was for."""
    for id_, chat in (("o", "chat"), ("p", "elsewhere")):
        sent = queued(spool, id_, chat)
        spool.finish(sent, Receipt(id_, "sent", ("1", "2")))
    for id_, target in (("e", "o"), ("f", "p")):
        edit = queued(spool, id_, op="edit", target=target, standing=["1", "3"])
        spool.finish(edit, Receipt(id_, "sent", ("1", "3")))
    assert spool.receipt("o").result(BOUND) == Receipt("o", "sent", ("1", "3"))
    assert spool.receipt("p").result(BOUND) == Receipt("p", "sent", ("1", "2"))


@pytest.mark.parametrize("modern", [True, False], ids=["update-from", "row-by-row"])
def test_many_at_once_are_each_as_if_alone(
    path: Path, modern: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What many jobs of one transaction write is right for each, also with an older SQLite."""
    monkeypatch.setattr(bulk, "_HAS_UPDATE_FROM", modern)
    with closing(SqliteSpool(path)) as spool:
        items = [outgoing(f"o{n}") for n in range(300)]
        for future in [spool.enqueue(item) for item in items]:
            assert future.result(BOUND) is None
        for n, item in enumerate(items):
            item.parts_stored, item.attempts, item.in_flight = True, 1 + n % 3, True
            item.done, item.message_ids = n % 2, [f"p{n}"][: n % 2]
        for future in [spool.progress(item) for item in items]:
            future.result(BOUND)
        ends = [
            spool.finish(item, Receipt(item.id, "sent", (item.id,)), "dead" if n % 5 == 0 else None)
            for n, item in enumerate(items[:200])
        ]
        for end in ends:
            end.result(BOUND)
        dead = spool.dead_letters().result(BOUND)
        assert {one.id for one in dead} == {f"out-o{n}" for n in range(0, 200, 5)}
        assert spool.receipt("o77").result(BOUND) == Receipt("o77", "sent", ("o77",))
    with closing(SqliteSpool(path)) as spool:
        found = spool.load().result(BOUND).items
    assert [(i.id, i.attempts, i.in_flight, i.done, i.message_ids) for i in found] == [
        (f"o{n}", 1 + n % 3, True, n % 2, [f"p{n}"][: n % 2]) for n in range(200, 300)
    ]


def test_one_transaction_keeps_the_order_of_what_was_asked(spool: SqliteSpool) -> None:
    """Handing out after putting back leaves an entry in hand, however much is done at once."""
    entries = stored(spool, *map(str, range(100)))
    for entry in entries:
        spool.hand_out([entry])
        spool.release([entry])
        spool.hand_out([entry])
    assert all(entry.suspect for entry in spool.load().result(BOUND).entries)


# -- dead letters


@pytest.fixture
def dead(spool: SqliteSpool) -> SqliteSpool:
    """A spool with a dead letter each way: `in-1` of two, `out-o` of one, half delivered."""
    a, _ = stored(spool, "a", "b")
    a.deliveries = 5
    spool.hand_out([a])
    spool.bury_entry(a, "too often")
    parts = [OutgoingMessage("fake", "chat", text, id=text) for text in "xy"]
    item = queued(spool, "o", parts=parts)
    item.parts_stored, item.done, item.message_ids, item.in_flight = True, 1, ["17"], True
    spool.progress(item)
    spool.finish(item, Receipt("o", "unknown", ("17",), "cut off", 2), dead="cut off")
    return spool


def test_dead_letters_are_listed_oldest_first(dead: SqliteSpool) -> None:
    """Both directions are listed, with channel, chat, reason, attempts and text."""
    first, second = dead.dead_letters().result(BOUND)
    assert (first.id, first.reason, first.attempts) == ("in-1", "too often", 5)
    assert (second.id, second.reason, second.attempts) == ("out-o", "cut off", 2)
    assert (second.direction, second.channel_type, second.channel_id) == ("out", "fake", "chat")
    assert second.content == "text of o"
    assert first.at <= second.at


def test_replayed_letters_begin_anew_where_they_stood(dead: SqliteSpool, path: Path) -> None:
    """A replay forgets deliveries and doubt, and remembers which parts are delivered."""
    assert dead.replay("in-1").result(BOUND)
    assert dead.replay("out-o").result(BOUND)
    assert dead.dead_letters().result(BOUND) == []
    backlog = reopened(dead, path)
    assert [(e.message.key, e.deliveries, e.suspect) for e in backlog.entries] == [
        ("a", 0, False),
        ("b", 0, False),
    ]
    (item,) = backlog.items
    assert (item.done, item.message_ids, item.in_flight, item.attempts) == (1, ["17"], False, 0)
    assert time.monotonic() - item.since < BOUND


def test_dropped_letter_is_given_up_and_remembered(dead: SqliteSpool, path: Path) -> None:
    """What is dropped does not come back when the platform, or the agent, repeats it."""
    assert dead.drop("in-1").result(BOUND)
    assert dead.drop("out-o").result(BOUND)
    assert dead.dead_letters().result(BOUND) == []
    assert stored(dead, "a") == []
    known = dead.enqueue(outgoing("o")).result(BOUND)
    assert known is not None
    assert known.status == "unknown"
    assert keys(reopened(dead, path).entries) == ["b"]


@pytest.mark.parametrize("id_", ["in-2", "in-99", "out-nobody", "in-", "", "in-1 OR 1=1"])
def test_only_a_dead_letter_is_replayed_or_dropped(dead: SqliteSpool, id_: str) -> None:
    """An id that names no dead letter changes nothing."""
    assert not dead.replay(id_).result(BOUND)
    assert not dead.drop(id_).result(BOUND)
    assert len(dead.dead_letters().result(BOUND)) == 2


def test_running_session_is_told_what_another_process_opened_again(
    dead: SqliteSpool, path: Path
) -> None:
    """What is replayed through the file by another connection is found, once."""
    dead.load().result(BOUND)
    dead.reopened().result(BOUND)
    assert dead.reopened().result(BOUND) == Backlog(dead={"fake": 2})
    with closing(SqliteSpool(path)) as other:
        other.replay("in-1").result(BOUND)
        other.replay("out-o").result(BOUND)
    found = dead.reopened().result(BOUND)
    assert keys(found.entries) == ["a"]
    assert [item.id for item in found.items] == ["o"]
    assert found.dead == {}
    assert dead.reopened().result(BOUND) == Backlog()


def test_own_writes_are_no_news(dead: SqliteSpool) -> None:
    """What this session replays itself, or stores, is not told as another process's."""
    dead.load().result(BOUND)
    dead.reopened().result(BOUND)
    stored(dead, "c")
    assert dead.reopened().result(BOUND) == Backlog(dead={"fake": 2})


# -- retention


def test_settled_messages_are_forgotten_by_count(path: Path) -> None:
    """The latest so many are remembered; what is open or dead is never forgotten."""
    with closing(SqliteSpool(path, retain_count=3)) as spool:
        _, dead, *settled = stored(spool, "open", "dead", *"abcdef")
        spool.bury_entry(dead, "reason")
        spool.settle(settled)
        for n in range(8):
            item = queued(spool, f"o{n}")
            if n:
                spool.finish(item, Receipt(item.id, "sent"))
        spool.trim().result(BOUND)
        assert keys(stored(spool, "open", "dead", *"abcdef")) == ["a", "b", "c"]
        known = [spool.enqueue(outgoing(f"o{n}")).result(BOUND) is not None for n in range(8)]
        assert known == [True] + [False] * 4 + [True] * 3


def test_settled_messages_are_forgotten_by_age(path: Path) -> None:
    """What was settled longer ago than `retain_days` is forgotten."""
    with closing(SqliteSpool(path, retain_days=1)) as spool:
        spool.settle(stored(spool, "old", "new")).result(BOUND)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE inbox SET at = at - 90000 WHERE key = 'old'")
        spool.trim().result(BOUND)
        assert keys(stored(spool, "old", "new")) == ["old"]


def test_what_is_shown_of_an_open_answer_is_not_forgotten(path: Path) -> None:
    """Its end takes the place of what stands there, however long the agent was away."""
    with closing(SqliteSpool(path, retain_count=0, retain_days=0)) as spool:
        (asked,) = stored(spool, "asked")
        preview = queued(spool, "shown", op="preview")
        spool.finish(preview, Receipt("shown", "sent", ("1",)))
        spool.trim().result(BOUND)
        assert spool.receipt("shown").result(BOUND) is not None
        whole = outgoing("whole", op="answer", target="shown")
        spool.settle([asked], [whole]).result(BOUND)
        spool.trim().result(BOUND)
        assert spool.receipt("shown").result(BOUND) is not None
        spool.finish(whole, Receipt("whole", "sent", ("1",)))
        spool.trim().result(BOUND)
        assert spool.receipt("shown").result(BOUND) is None


def test_a_clock_that_was_set_back_prolongs_no_pause(path: Path) -> None:
    """What was to wait for seconds does not wait for days, in either direction."""
    with closing(SqliteSpool(path)) as spool:
        (entry,) = stored(spool, "a")
        entry.rest(5)
        spool.release([entry])
        item = queued(spool, "o")
        item.rest(5)
        spool.progress(item).result(BOUND)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE inbox SET at = at + 3e5, not_before = not_before + 3e5")
        db.execute("UPDATE outbox SET created = created + 3e5, not_before = not_before + 3e5")
    with closing(SqliteSpool(path)) as spool:
        backlog = spool.load().result(BOUND)
    assert [one.due <= time.monotonic() for one in (*backlog.entries, *backlog.items)] == [True] * 2


def test_trim_goes_on_until_all_is_done(path: Path) -> None:
    """Much to forget is forgotten bit by bit, each behind what waits meanwhile."""
    with closing(SqliteSpool(path, retain_count=0)) as spool:
        for start in range(0, 9000, 1000):
            batch = [incoming(f"{start + n}") for n in range(1000)]
            spool.settle(spool.store("fake", batch, {}).result(BOUND))
        spool.trim().result(BOUND)
        deadline = time.monotonic() + BOUND
        with closing(sqlite3.connect(path)) as db:
            while db.execute("SELECT count(*) FROM inbox").fetchone() != (0,):
                assert time.monotonic() < deadline
                threading.Event().wait(0.01)


# -- the writer


def test_one_job_that_fails_is_told_alone(spool: SqliteSpool) -> None:
    """Of what is committed together, each that fails is told so; the others are stored once."""
    spool.trim()  # keeps the writer busy, so that the rest waits and is committed together
    futures = [
        spool.enqueue(outgoing(f"o{n}", chat=None if n % 7 == 3 else "chat"))  # type: ignore[arg-type]
        for n in range(50)
    ]
    failed = [n for n, future in enumerate(futures) if future.exception(BOUND) is not None]
    assert failed == [n for n in range(50) if n % 7 == 3]
    items = spool.load().result(BOUND).items
    assert [item.id for item in items] == [f"o{n}" for n in range(50) if n % 7 != 3]


def test_what_is_not_for_sqlite_is_told_as_it_is(spool: SqliteSpool) -> None:
    """An error that is no error of the store's stays what it is, and the store goes on."""
    with pytest.raises(UnicodeEncodeError):
        spool.enqueue(outgoing("half \udc80")).result(BOUND)
    assert spool.enqueue(outgoing("whole")).result(BOUND) is None


def test_other_process_that_holds_the_file_delays_and_loses_nothing(
    spool: SqliteSpool, path: Path
) -> None:
    """While another connection writes, jobs wait; they are done when it lets go."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        futures = [spool.enqueue(outgoing(f"o{n}")) for n in range(20)]
        assert not any(future.done() for future in futures)
        other.execute("COMMIT")
    assert [future.result(BOUND) for future in futures] == [None] * 20


def test_closed_spool_refuses(path: Path) -> None:
    """After `close` a verb fails at once, and what was waiting has been stored."""
    spool = SqliteSpool(path)
    futures = [spool.enqueue(outgoing(f"o{n}")) for n in range(200)]
    spool.close()
    assert all(future.exception(0) is None for future in futures)
    with pytest.raises(SpoolError, match="closed"):
        spool.enqueue(outgoing("late")).result(0)
    spool.close()


def test_spool_in_memory_keeps_nothing() -> None:
    """`:memory:` works the same and leaves no file."""
    with closing(SqliteSpool(":memory:")) as spool:
        assert keys(stored(spool, "a")) == ["a"]
        assert not Path(":memory:").exists()
