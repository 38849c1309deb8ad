"""Handing out, acknowledging, putting back and giving up, over a real spool."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import CancelledError, Future
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.errors import SessionError, SpoolError
from cobot_session.inbox import Inbox
from cobot_session.messages import IncomingMessage, OutgoingMessage
from cobot_session.spool import Entry, Item, SqliteSpool
from cobot_session.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOUND = 40.0
LONG = 3600.0
"""Seconds that no test lasts."""
MAX_DELIVERIES = 3


class Store:
    """A spool's file, and the inbox of whichever session runs it."""

    def __init__(self, path: Path, max_pending: int = 1000) -> None:
        self.path = path
        self.max_pending = max_pending
        self.timers = Timers()
        self.dead: list[str] = []
        self.open()

    def open(self) -> None:
        self.spool = SqliteSpool(self.path)
        self.inbox = Inbox(self.spool, self.timers, MAX_DELIVERIES, self.max_pending)
        self.inbox.on_dead = lambda entry: self.dead.append(entry.message.key)
        self.inbox.add(self.spool.load().result(BOUND).entries)

    def restart(self) -> None:
        """End as a crash does: nothing in memory is put away."""
        self.spool.close()
        self.open()

    def close(self) -> None:
        self.timers.close()
        self.spool.close()

    def arrive(self, *names: str, channel: str = "fake", foreseen: bool = False) -> None:
        """Store messages; `b2` is the one with the key `b2` in the chat `b`."""
        messages = [
            IncomingMessage(
                name, channel, name[0], "alice", "Alice", name, datetime.now(UTC), key=name
            )
            for name in names
        ]
        stored = self.spool.store(channel, messages, {}, foreseen=foreseen)
        self.inbox.add(stored.result(BOUND))

    def take(self, limit: int = 100, *, one_per_chat: bool = False) -> list[str]:
        return keys(self.inbox.take(limit, one_per_chat=one_per_chat).result(BOUND))

    def ask(self, limit: int = 100, *, one_per_chat: bool = False) -> Future[list[Entry]]:
        return self.inbox.take(limit, one_per_chat=one_per_chat)

    def in_hand(self, *names: str) -> list[Entry]:
        return [self.inbox.in_hand(message(name)) for name in names]

    def acknowledge(self, *names: str) -> None:
        self.inbox.acknowledge(self.in_hand(*names)).result(BOUND)

    def release(self, *names: str, delay: float = 0.0, counts: bool = True) -> None:
        self.inbox.release(self.in_hand(*names), delay, counts=counts)

    def nothing_to_take(self) -> bool:
        answer = self.ask()
        self.inbox.give_up(answer)
        return answer.result(BOUND) == []


def message(name: str, channel: str = "fake") -> IncomingMessage:
    return IncomingMessage(name, channel, name[0], "", "", "", datetime.now(UTC), key=name)


def keys(entries: list[Entry]) -> list[str]:
    return [entry.message.key for entry in entries]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "session.db")
    yield store
    store.close()


# -- order


def test_order_is_the_order_of_arrival_over_all_chats(store: Store) -> None:
    """What arrived first is handed out first, whatever its chat."""
    store.arrive("a1", "b1", "a2", "c1", "b2")
    assert store.take(3) == ["a1", "b1", "a2"]
    assert store.take() == ["c1", "b2"]


def test_take_waits_for_what_arrives(store: Store) -> None:
    """A take of an empty inbox is answered by the first message that comes."""
    answer = store.ask()
    assert not answer.done()
    store.arrive("a1")
    assert keys(answer.result(BOUND)) == ["a1"]


def test_takes_are_answered_in_order(store: Store) -> None:
    """Who asked first gets the first message."""
    first, second = store.ask(1), store.ask(1)
    store.arrive("a1", "a2")
    assert keys(first.result(BOUND)) == ["a1"]
    assert keys(second.result(BOUND)) == ["a2"]


def test_put_back_goes_before_what_came_later(store: Store) -> None:
    """However they are put back, messages of a chat keep their order."""
    store.arrive("a1", "a2", "a3", "a4")
    assert store.take(3) == ["a1", "a2", "a3"]
    store.release("a2")
    store.release("a3")
    store.release("a1")
    assert store.take() == ["a1", "a2", "a3", "a4"]


def test_put_back_with_a_delay_holds_its_chat_and_no_other(store: Store) -> None:
    """Nothing that came later in its chat overtakes it; other chats go on."""
    store.arrive("a1", "a2", "b1")
    assert store.take(1) == ["a1"]
    store.release("a1", delay=LONG)
    assert store.take() == ["b1"]
    assert store.nothing_to_take()


def test_put_back_with_a_delay_comes_when_it_is_due(store: Store) -> None:
    """Not earlier than told, before what came later in its chat, and to who waits for it."""
    store.arrive("a1", "a2")
    assert store.take(1) == ["a1"]
    began = time.monotonic()
    store.release("a1", delay=0.3)
    assert store.take() == ["a1", "a2"]
    assert time.monotonic() - began >= 0.3


def test_delay_is_kept_when_another_of_the_chat_is_acknowledged(store: Store) -> None:
    """An acknowledgement does not end the pause of the message before it."""
    store.arrive("a1", "a2", "a3")
    assert store.take(2) == ["a1", "a2"]
    store.release("a1", delay=LONG)
    store.acknowledge("a2")
    assert store.nothing_to_take()


def test_delay_of_a_later_message_does_not_hold_an_earlier_one(store: Store) -> None:
    """When both come back, the first goes at once and the second when it is due."""
    store.arrive("a1", "a2", "b1", "b2")
    assert store.take() == ["a1", "a2", "b1", "b2"]
    store.release("a2", delay=LONG)
    store.release("a1")
    assert store.take() == ["a1"]
    assert store.nothing_to_take()
    store.release("b2", delay=0.1)
    store.release("b1")
    assert store.take(1) == ["b1"]
    assert store.take() == ["b2"]


def test_delay_behind_a_suspect_is_found_after_a_restart(store: Store) -> None:
    """A chat whose second message waits and whose first was in hand goes on, in order."""
    store.arrive("a1", "a2", "a3")
    assert store.take(2) == ["a1", "a2"]
    store.release("a2", delay=0.3)
    store.restart()
    assert store.take() == ["a1"]
    store.acknowledge("a1")
    assert store.take() == ["a2", "a3"]


def test_clock_that_is_set_back_holds_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delay is as long as it was told, whatever happens to the clock on the wall."""
    store.arrive("a1")
    store.take()
    store.release("a1", delay=0.2)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 86_400)
    assert store.take() == ["a1"]


# -- one of each chat


def test_chat_is_held_while_one_of_it_is_in_hand(store: Store) -> None:
    """With `one_per_chat` the next of a chat comes after the one in hand is settled."""
    store.arrive("a1", "a2", "b1")
    assert store.take(one_per_chat=True) == ["a1", "b1"]
    answer = store.ask(one_per_chat=True)
    store.acknowledge("b1")
    assert not answer.done()
    store.acknowledge("a1")
    assert keys(answer.result(BOUND)) == ["a2"]


def test_held_chat_gets_its_message_back_first(store: Store) -> None:
    """What is put back is the next of its chat."""
    store.arrive("a1", "a2")
    assert store.take(one_per_chat=True) == ["a1"]
    store.release("a1")
    assert store.take(one_per_chat=True) == ["a1"]
    store.acknowledge("a1")
    assert store.take(one_per_chat=True) == ["a2"]


# -- deliveries


def test_redelivery_is_marked(store: Store) -> None:
    """A message that comes again says so; one that comes for the first time does not."""
    store.arrive("a1", "a2")
    (entry,) = store.ask(1).result(BOUND)
    assert "redelivered" not in entry.message.metadata
    store.release("a1")
    first, second = store.ask().result(BOUND)
    assert first.message.metadata["redelivered"] is True
    assert "redelivered" not in second.message.metadata


def test_what_was_in_hand_at_a_crash_comes_alone(store: Store) -> None:
    """After a crash each message that was in hand is handed out with no other beside it."""
    store.arrive("a1", "b1", "c1", "d1")
    assert store.take(3) == ["a1", "b1", "c1"]
    store.acknowledge("b1")
    store.restart()
    (entry,) = store.ask().result(BOUND)
    assert entry.message.key == "a1"
    assert entry.message.metadata["redelivered"] is True
    assert store.nothing_to_take()
    store.acknowledge("a1")
    assert store.take() == ["c1"]
    store.acknowledge("c1")
    assert store.take() == ["d1"]


def test_foreseen_hand_out_is_recorded_with_the_message(store: Store) -> None:
    """What is stored as handed out, and is, counts as one delivery after a crash, and no more."""
    asked = store.ask()
    assert store.inbox.is_awaited(("fake", "a"))
    store.arrive("a1", foreseen=True)
    assert keys(asked.result(BOUND)) == ["a1"]
    store.restart()
    (entry,) = store.ask().result(BOUND)
    assert entry.suspect
    assert entry.deliveries == 2
    store.release("a1")
    assert store.take() == ["a1"]
    store.restart()
    assert store.nothing_to_take()
    assert store.dead == ["a1"]


def test_foreseen_hand_out_that_does_not_come_is_taken_back(store: Store) -> None:
    """What is stored as handed out, and is not, has been handed out to nobody."""
    store.inbox.give_up(store.ask())
    assert not store.inbox.is_awaited(("fake", "a"))
    store.arrive("a1", foreseen=True)
    store.restart()
    (entry,) = store.ask().result(BOUND)
    assert not entry.suspect
    assert entry.deliveries == 1
    assert "redelivered" not in entry.message.metadata


def test_hand_out_is_recorded_after_one_that_was_foreseen_in_vain(store: Store) -> None:
    """What was taken back is recorded anew when it is handed out."""
    store.arrive("a1", foreseen=True)
    assert store.take() == ["a1"]
    store.restart()
    (entry,) = store.ask().result(BOUND)
    assert entry.suspect
    assert entry.deliveries == 2


def test_only_what_would_go_first_is_awaited(store: Store) -> None:
    """Nobody awaits a message behind others, or of a chat that is held."""
    store.arrive("a1")
    assert store.take(1, one_per_chat=True) == ["a1"]
    asked = store.ask(1, one_per_chat=True)
    assert not store.inbox.is_awaited(("fake", "a"))
    assert store.inbox.is_awaited(("fake", "b"))
    store.inbox.give_up(asked)
    store.arrive("c1")
    assert not store.inbox.is_awaited(("fake", "b"))


def test_suspect_waits_until_nothing_is_in_hand(store: Store) -> None:
    """A suspect does not join others, and none is handed out in its place meanwhile."""
    store.arrive("a1", "b1", "c1")
    assert store.take(1) == ["a1"]
    store.restart()
    store.release(*store.take(), counts=False)
    assert store.take() == ["a1"]
    store.release("a1")  # judged: it has killed nobody
    assert store.take() == ["a1", "b1", "c1"]


def test_message_that_kills_its_agent_each_time_is_a_dead_letter(store: Store) -> None:
    """After `max_deliveries` crashes it is given up, and those behind it are handed out."""
    store.arrive("a1", "a2")
    for _ in range(MAX_DELIVERIES):
        assert store.take(1) == ["a1"]
        store.restart()
    assert store.take() == ["a2"]
    assert store.dead == ["a1"]
    (letter,) = store.spool.dead_letters().result(BOUND)
    assert letter.attempts == MAX_DELIVERIES
    assert f"{MAX_DELIVERIES} times" in letter.reason


def test_waiting_is_never_a_delivery(store: Store) -> None:
    """A message behind a busy agent, or handed out to nobody, survives any number of restarts."""
    store.arrive("a1", "a2")
    for _ in range(3 * MAX_DELIVERIES):
        assert store.take(1, one_per_chat=True) == ["a1"]
        store.release("a1", counts=False)
        assert store.take(1, one_per_chat=True) == ["a1"]
        store.release("a1", counts=False)
        store.restart()
    (entry,) = store.ask(1).result(BOUND)
    assert entry.deliveries == 1
    assert "redelivered" not in entry.message.metadata
    assert store.dead == []


def test_putting_back_counts_as_a_delivery(store: Store) -> None:
    """A handler that fails on a message each time has it `max_deliveries` times."""
    store.arrive("a1", "b1")
    for _ in range(MAX_DELIVERIES):
        assert store.take(1) == ["a1"]
        store.release("a1")
    assert store.take() == ["b1"]
    assert store.dead == ["a1"]


# -- those who ask


def test_cancelled_take_takes_nothing(store: Store) -> None:
    """A take that is cancelled before something came leaves it to the next."""
    cancelled = store.ask()
    assert cancelled.cancel()
    store.arrive("a1")
    assert store.take() == ["a1"]
    with pytest.raises(CancelledError):
        cancelled.result(0)


def test_cancelling_at_any_moment_loses_nothing(store: Store) -> None:
    """Of takes that are cancelled while messages arrive, each gets its message or gives it up."""
    expected = [f"a{n}" for n in range(200)]
    for name in expected:
        canceller = store.ask(1)
        thread = threading.Thread(target=canceller.cancel)
        thread.start()
        store.arrive(name)
        thread.join(BOUND)
        if canceller.cancelled():
            assert store.take() == [name]
        else:
            assert keys(canceller.result(BOUND)) == [name]
        store.acknowledge(name)


def test_given_up_take_is_empty(store: Store) -> None:
    """A take that has nothing is answered with nothing; one that has something, with that."""
    assert store.nothing_to_take()
    store.arrive("a1")
    answer = store.ask()
    store.inbox.give_up(answer)
    assert keys(answer.result(BOUND)) == ["a1"]


def test_keep_is_told_before_the_taker_is(store: Store) -> None:
    """Who remembers a batch knows it before anyone can ask for the next."""
    kept: list[str] = []

    def slow(entries: list[Entry]) -> None:
        threading.Event().wait(0.05)
        kept.extend(keys(entries))

    store.arrive("a1")
    store.inbox.take(1, one_per_chat=False, keep=slow).result(BOUND)
    assert kept == ["a1"]


def test_what_is_not_in_hand_cannot_be_settled(store: Store) -> None:
    """An unknown, a waiting and an acknowledged message are refused by name."""
    store.arrive("a1")
    with pytest.raises(SessionError, match="'a1' of fake is not in hand"):
        store.acknowledge("a1")
    store.take()
    store.acknowledge("a1")
    with pytest.raises(SessionError, match="not in hand"):
        store.acknowledge("a1")


def test_batch_leaves_out_what_was_settled_by_hand(store: Store) -> None:
    """Acknowledging a whole batch later does not take back a message that was put back."""
    store.arrive("a1", "b1", "c1")
    batch = store.ask().result(BOUND)
    store.acknowledge("a1")
    store.release("b1")
    store.inbox.acknowledge(batch).result(BOUND)
    store.restart()
    assert store.take() == ["b1"]


# -- answers


def reply(id_: str = "r") -> Item:
    return Item("send", OutgoingMessage("fake", "a", "text", id=id_), time.time())


def test_answer_acknowledges_and_is_handed_on(store: Store) -> None:
    """The reply is accepted once, the message is gone, and its chat goes on."""
    store.arrive("a1", "a2")
    (entry,) = store.ask(one_per_chat=True).result(BOUND)
    accepted: list[Item] = []
    store.inbox.answer(entry, [reply()], accepted.extend).result(BOUND)
    assert store.take(one_per_chat=True) == ["a2"]
    assert [item.id for item in accepted] == ["r"]
    store.release("a2")
    store.restart()
    assert store.take() == ["a2"]


def test_message_put_back_while_its_answer_is_stored_is_not_answered_twice(store: Store) -> None:
    """Whoever gives up at that moment, cancelled say, does not bring the message back."""
    for n in range(100):
        store.arrive(f"a{n}")
        (entry,) = store.ask(one_per_chat=True).result(BOUND)
        stored = store.inbox.answer(entry, [reply(f"r{n}")], lambda _: None)
        store.inbox.release([entry])
        stored.result(BOUND)
        assert store.nothing_to_take()
    store.restart()
    assert store.nothing_to_take()


def test_message_put_back_while_its_answer_fails_comes_again(store: Store) -> None:
    """An answer that cannot be stored leaves the message in hand, or where it was put."""
    store.arrive("a1")
    (entry,) = store.ask().result(BOUND)
    unstorable = reply()
    unstorable.message.channel_id = None  # type: ignore[assignment]
    failed = store.inbox.answer(entry, [unstorable], lambda _: None)
    with pytest.raises(SpoolError):
        failed.result(BOUND)
    assert store.in_hand("a1") == [entry]
    failed = store.inbox.answer(entry, [unstorable], lambda _: None)
    store.inbox.release([entry])
    with pytest.raises(SpoolError):
        failed.result(BOUND)
    assert store.take() == ["a1"]


# -- a store that refuses


@pytest.fixture
def refusing(store: Store) -> Callable[[bool], None]:
    """Make the file refuse changes of the inbox, as a full disk does, and let it go on."""

    def refuse(on: bool) -> None:
        with closing(sqlite3.connect(store.path)) as db, db:
            if on:
                db.execute(
                    "CREATE TRIGGER full BEFORE UPDATE ON inbox"
                    " BEGIN SELECT RAISE(FAIL, 'no room'); END"
                )
            else:
                db.execute("DROP TRIGGER full")

    return refuse


def test_nothing_is_handed_out_that_is_not_recorded(
    store: Store, refusing: Callable[[bool], None]
) -> None:
    """A take fails when its deliveries cannot be stored, and nothing was handed out."""
    store.arrive("a1", "b1")
    refusing(True)
    with pytest.raises(SpoolError, match="no room"):
        store.take()
    refusing(False)
    first, second = store.ask().result(BOUND)
    assert (first.deliveries, second.deliveries) == (1, 1)


def test_acknowledgement_is_tried_until_it_is_stored(
    store: Store, refusing: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk delays an acknowledgement: what was done with does not come again later."""
    store.arrive("a1")
    store.take()
    refusing(True)
    with pytest.raises(SpoolError, match="no room"):
        store.acknowledge("a1")
    refusing(False)
    deadline = time.monotonic() + BOUND
    with closing(sqlite3.connect(store.path)) as db:
        while db.execute("SELECT count(*) FROM inbox WHERE state IN (0, 1)").fetchone() != (0,):
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
    assert "it is tried again" in caplog.text


# -- room


def test_room_is_what_is_open(tmp_path: Path) -> None:
    """A channel has room for `max_pending` open messages, in hand or not, others' apart."""
    store = Store(tmp_path / "session.db", max_pending=2)
    try:
        told: list[str] = []
        room = store.inbox.room("fake")
        room.when_free(lambda: told.append("at once"))
        store.arrive("a1", "a2", "a3")
        store.arrive("b1", channel="other")
        room.when_free(lambda: told.append("later"))
        assert not room
        assert store.inbox.room("other")
        store.take()
        store.acknowledge("a1")
        assert told == ["at once"]
        store.acknowledge("a2")
        assert told == ["at once", "later"]
        store.acknowledge("a3")
        assert told == ["at once", "later"]
        assert room.taken == 0
    finally:
        store.close()


def test_dead_letter_makes_room(store: Store) -> None:
    """What is given up is no longer open."""
    store.arrive("a1")
    for _ in range(MAX_DELIVERIES):
        store.take()
        store.release("a1")
    assert store.nothing_to_take()
    assert store.inbox.room("fake").taken == 0


def test_big_backlog_is_handed_out_whole_and_in_order(store: Store) -> None:
    """Ten thousand messages found at start come out in order, in few and many per take."""
    expected = [f"{'abcdefgh'[n % 8]}{n}" for n in range(10_000)]
    store.arrive(*expected)
    store.restart()
    found: list[str] = []
    limits: Any = iter([1, 7, 5000, 4992])
    while len(found) < len(expected):
        batch = store.ask(next(limits)).result(BOUND)
        found += keys(batch)
        store.inbox.acknowledge(batch).result(BOUND)
    assert found == expected
