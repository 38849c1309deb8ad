"""What becomes of messages on their way out, through a whole session and a channel that is told
call by call what the platform does."""

from __future__ import annotations

import asyncio
import math
import shutil
import sqlite3
import threading
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest

from cobot_session.errors import (
    AuthError,
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    RateLimited,
    SpoolFull,
    TemporaryError,
)
from cobot_session.messages import OutgoingMessage, Receipt, Sent
from cobot_session.outbox import Outbox
from cobot_session.plugin import Limits, Plugin, PluginMeta
from cobot_session.retry import pause_after
from cobot_session.session import Session
from cobot_session.spool import SqliteSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOUND = 40.0
"""Seconds for what must happen."""
LONG = 3600.0
"""Seconds that no test lasts: what waits for them does not go on by itself."""


@dataclass(frozen=True)
class Call:
    """One call of a channel: the hook, the chat, the text or the id, and when it came."""

    hook: str
    chat: str
    what: str
    id: str = ""
    at: float = field(default_factory=time.monotonic, compare=False)

    def __str__(self) -> str:
        return f"{self.hook} {self.what}"


@dataclass
class Wire:
    """The platform: it takes every call, and answers as it was told to.

    Attributes:
        answers: what happens to the next calls: an exception is raised, an event is waited for,
            anything else is returned. With none left, all goes well.
        calls: in the order they came.
    """

    limits: Limits = field(default_factory=Limits)
    answers: deque[Any] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    base: type[Plugin] | None = None
    name: str = "wire"

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._ids = iter(range(1, 1_000_000))

    def plugin(self) -> Plugin:
        facts = {"limits": self.limits, "meta": PluginMeta(self.name, "1"), "wire": self}
        wired: type[Plugin] = type("Wired", (self.base or Whole,), facts)
        return wired()

    async def take(self, hook: str, chat: str, what: str, id_: str = "") -> Any:
        with self._changed:
            self.calls.append(Call(hook, chat, what, id_))
            self._changed.notify_all()
            answer = self.answers.popleft() if self.answers else None
        if isinstance(answer, threading.Event):
            while not answer.is_set():  # noqa: ASYNC110 - the test sets it from its own thread
                await asyncio.sleep(0.005)
            answer = None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        return f"p{next(self._ids)}" if hook == "send" else None

    def wait_for_calls(self, count: int) -> list[Call]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) >= count, BOUND), self.calls
            return list(self.calls)

    @property
    def log(self) -> list[str]:
        return [str(call) for call in self.calls]


class Sender(Plugin):
    wire: Wire

    async def session_send(self, message: OutgoingMessage) -> Any:
        return await self.wire.take("send", message.channel_id, message.content, message.id)


class Editor(Sender):
    async def session_edit(self, channel_id: str, msg_id: str, content: str) -> Any:
        return await self.wire.take("edit", channel_id, f"{msg_id} {content}")


class Rendering(Sender):
    """Makes marks of what it renders, and needs them to edit."""

    async def session_render(self, message: OutgoingMessage) -> list[OutgoingMessage]:
        return [OutgoingMessage(content=message.content.strip("*"), metadata={"marks": "bold"})]

    async def session_edit(
        self, channel_id: str, msg_id: str, content: str, message: OutgoingMessage
    ) -> Any:
        marks = message.metadata["marks"]
        return await self.wire.take("edit", channel_id, f"{msg_id} {marks} {content}")


class Whole(Editor):
    async def session_delete(self, channel_id: str, msg_id: str) -> Any:
        return await self.wire.take("delete", channel_id, msg_id)

    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> Any:
        return await self.wire.take("react", channel_id, f"{msg_id} {emoji}")


def new_session(folder: Path, wire: Wire, other: Wire | None = None, **settings: Any) -> Session:
    wires = {"wire": wire} | ({"other": other} if other else {})
    config = {
        "session": {"drain": 0.2, **settings},
        "workspace": {"path": str(folder)},
        "console": {"enabled": False},
    }
    config |= {name: {"access": {"open": True}} for name in wires}
    return Session({"plugins": config}, plugins={name: one.plugin for name, one in wires.items()})


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def session(tmp_path: Path, wire: Wire) -> Iterator[Session]:
    with new_session(tmp_path, wire) as session:
        yield session


def send(
    session: Session, text: str, chat: str = "a", timeout: float | None = BOUND, **fields: Any
) -> Receipt:
    fields = {"channel_type": "wire", **fields}
    return session.send(OutgoingMessage(channel_id=chat, content=text, **fields), timeout)


def queue(session: Session, text: str, chat: str = "a", **fields: Any) -> Receipt:
    receipt = send(session, text, chat, timeout=0, **fields)
    assert receipt.status == "queued"
    return receipt


def end(session: Session, receipt: Receipt, chat: str = "a") -> Receipt:
    """Return the final receipt of a message that was queued."""
    found = send(session, "never sent again", chat, id=receipt.id)
    assert found.status != "queued"
    return found


def until(claim: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + BOUND
    while not (value := claim()):
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.01)
    return value


def deadlines(folder: Path) -> list[float]:
    with closing(sqlite3.connect(folder / "session.db")) as db:
        return [at for (at,) in db.execute("SELECT not_before FROM outbox ORDER BY seq")]


def wait_for_pause(folder: Path) -> float:
    """Wait until a pause is stored, and return when it ends."""
    return until(lambda: max(deadlines(folder), default=0.0), "the pause is stored")


def end_pause(folder: Path, at: float = 0.0) -> None:
    """Let the pauses in a session's file end at another time: they are over, by default."""
    with closing(sqlite3.connect(folder / "session.db")) as db, db:
        db.execute("UPDATE outbox SET not_before = ? WHERE not_before > 0", [at])


def dead_letters(folder: Path) -> dict[str, str]:
    """Return the reasons of the dead letters in a file that is, or was, a session's."""
    with closing(SqliteSpool(folder / "session.db")) as spool:
        return {one.id: one.reason for one in spool.dead_letters().result(BOUND)}


# -- order


def test_messages_of_a_chat_are_sent_in_order(session: Session, wire: Wire) -> None:
    """First in, first out, whatever fails in between."""
    wire.answers += [None, TemporaryError("no"), None, RateLimited(0.05)]
    texts = [f"m{n}" for n in range(10)]
    receipts = [queue(session, text) for text in texts]
    assert all(end(session, receipt).status == "sent" for receipt in receipts)
    assert wire.log == [f"send {t}" for t in ["m0", "m1", "m1", "m2", "m2", *texts[3:]]]


def test_chats_go_side_by_side(session: Session, wire: Wire) -> None:
    """A chat whose message hangs, or is tried again, holds no other."""
    hung = threading.Event()
    wire.answers += [hung, TemporaryError("no")]
    queue(session, "hangs", "a")
    wire.wait_for_calls(1)
    queue(session, "fails", "b")
    wire.wait_for_calls(2)
    assert send(session, "goes", "c").status == "sent"
    hung.set()


def test_order_is_kept_across_a_restart(tmp_path: Path, wire: Wire) -> None:
    """What was queued before goes before what is queued after."""
    wire.answers += [RateLimited(LONG)]
    with new_session(tmp_path, wire) as session:
        for n in range(5):
            queue(session, f"m{n}")
        wait_for_pause(tmp_path)
    end_pause(tmp_path)
    with new_session(tmp_path, wire) as session:
        assert send(session, "m5").status == "sent"
    assert wire.log == [f"send m{n}" for n in [0, 0, 1, 2, 3, 4, 5]]


# -- parts


@pytest.fixture
def short() -> Wire:
    """A platform whose messages have five characters at most."""
    return Wire(Limits(text=5))


def test_retry_resumes_at_the_part_that_failed(
    tmp_path: Path, short: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivered parts are not sent again, and the receipt has all ids in order."""
    monkeypatch.setattr("cobot_session.retry._FIRST_SECONDS", 0.05)
    short.answers += [None, TemporaryError("no"), False, ConnectionError("what")]
    with new_session(tmp_path, short) as session:
        receipt = send(session, "11111222223333")
    assert short.log == [f"send {t}" for t in ["11111", *["22222"] * 4, "3333"]]
    assert len({call.id for call in short.calls}) == 3
    assert receipt.status == "sent"
    assert receipt.message_ids == ("p1", "p2", "p3")
    assert receipt.attempts == 6
    assert receipt.error is None


def test_restart_resumes_at_the_part_that_failed(tmp_path: Path, short: Wire) -> None:
    """The parts are those of the first time, also when the platform's limit has changed."""
    short.answers += [None, RateLimited(LONG)]
    with new_session(tmp_path, short) as session:
        receipt = queue(session, "11111222223333")
        wait_for_pause(tmp_path)
        assert session.status()["wire"].pending == 1
    end_pause(tmp_path)
    short.limits = Limits(text=100)
    with new_session(tmp_path, short) as session:
        found = end(session, receipt)
    assert short.log == [f"send {t}" for t in ["11111", "22222", "22222", "3333"]]
    assert short.calls[1].id == short.calls[2].id
    assert found.message_ids == ("p1", "p2", "p3")


def test_message_that_ends_between_parts_is_partial(tmp_path: Path, short: Wire) -> None:
    """The receipt tells which parts were delivered; a replay sends only the rest."""
    short.answers += [None, PermanentError("too rude")]
    with new_session(tmp_path, short) as session:
        receipt = send(session, "1111122222")
        assert (receipt.status, bool(receipt)) == ("partial", False)
        assert receipt.message_ids == ("p1",)
        assert receipt.error == "too rude"
        assert list(dead_letters(tmp_path)) == [f"out-{receipt.id}"]
        with closing(SqliteSpool(tmp_path / "session.db")) as beside:
            assert beside.replay(f"out-{receipt.id}").result(BOUND)
        short.wait_for_calls(3)
        assert end(session, receipt).message_ids == ("p1", "p2")
    assert short.log == [f"send {t}" for t in ["11111", "22222", "22222"]]


def test_channel_that_renders_has_its_parts_stored(tmp_path: Path) -> None:
    """What `session_render` returned the first time is exactly what is sent, also later."""
    rendered = []

    class Renders(Sender):
        def session_render(self, message: OutgoingMessage) -> list[OutgoingMessage]:
            rendered.append(message.content)
            return [
                OutgoingMessage(content=f"{word} {len(rendered)}", metadata={"word": word})
                for word in message.content.split()
            ]

    wire = Wire(base=Renders, answers=deque([None, RateLimited(LONG)]))
    with new_session(tmp_path, wire) as session:
        receipt = queue(session, "one two")
        wait_for_pause(tmp_path)
    end_pause(tmp_path)
    with new_session(tmp_path, wire) as session:
        assert end(session, receipt).status == "sent"
    assert wire.log == ["send one 1", "send two 1", "send two 1"]
    assert {call.chat for call in wire.calls} == {"a"}
    assert rendered == ["one two"]


def test_message_rendered_to_nothing_is_not_called_sent(tmp_path: Path) -> None:
    """A channel that makes no parts of a message has not delivered it."""

    class Silent(Sender):
        def session_render(self, message: OutgoingMessage) -> list[OutgoingMessage]:
            return []

    with new_session(tmp_path, Wire(base=Silent)) as session:
        receipt = send(session, "hello")
        assert receipt.status == "failed"
        assert "no parts" in (receipt.error or "")


# -- limits of rate


def test_rate_limit_holds_its_chat_and_no_other(session: Session, wire: Wire) -> None:
    """The limited chat waits; others go on meanwhile."""
    wire.answers += [RateLimited(LONG)]
    queue(session, "limited", "a")
    wire.wait_for_calls(1)
    assert send(session, "free", "b").status == "sent"
    assert wire.log == ["send limited", "send free"]


def test_repeated_send_tells_how_the_first_one_fares(
    tmp_path: Path, session: Session, wire: Wire
) -> None:
    """Whoever asks again with the same id hears of the trouble and the tries."""
    wire.answers += [RateLimited(LONG)]
    receipt = queue(session, "limited")
    wait_for_pause(tmp_path)
    again = send(session, "limited", timeout=0, id=receipt.id)
    assert (again.status, again.attempts) == ("queued", 1)
    assert "RateLimited" in str(again.error)


@pytest.mark.parametrize(
    ("scope", "words"),
    [("chat", "the chat 'home' waits for 3600 s"), ("channel", "every chat waits for 3600 s")],
)
def test_a_long_rate_limit_is_told_in_the_log(
    tmp_path: Path,
    session: Session,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
    scope: Literal["chat", "channel"],
    words: str,
) -> None:
    """Who waits, for how long and why: somebody will look there."""
    wire.answers += [RateLimited(3600.0, scope, "slow down")]
    queue(session, "limited", "home")
    wait_for_pause(tmp_path)
    (line,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert line == f"{words}: slow down"


def test_rate_limit_lasts_as_long_as_told(session: Session, wire: Wire) -> None:
    """The limited chat waits never less than told."""
    wire.answers += [RateLimited(0.5)]
    assert send(session, "limited").status == "sent"
    first, second = wire.calls
    assert second.at - first.at >= 0.5


@pytest.fixture
def limited_channel(short: Wire) -> Callable[[Session, float], dict[str, Receipt]]:
    """Limit the whole channel while one chat is between two parts; return what waits."""

    def limit(session: Session, seconds: float) -> dict[str, Receipt]:
        first_part = threading.Event()
        short.answers += [first_part, RateLimited(seconds, scope="channel")]
        receipts = {"long": queue(session, "1111122222", "long")}
        short.wait_for_calls(1)
        receipts["limited"] = queue(session, "limit", "limited")
        short.wait_for_calls(2)
        first_part.set()
        receipts["late"] = queue(session, "late", "late")
        return receipts

    return limit


def test_rate_limit_of_the_channel_holds_all_its_chats_and_no_other_channel(
    tmp_path: Path, short: Wire, limited_channel: Callable[[Session, float], dict[str, Receipt]]
) -> None:
    """With `scope="channel"` every chat of that channel waits, also between two parts."""
    other = Wire(name="other")
    with new_session(tmp_path, short, other, drain=BOUND) as session:
        receipts = limited_channel(session, LONG)
        assert send(session, "free", channel_type="other").status == "sent"
    assert len(short.calls) == 2  # the stop has let go whatever could
    end_pause(tmp_path)
    with new_session(tmp_path, short, other) as session:
        assert all(end(session, one, chat).status == "sent" for chat, one in receipts.items())
    assert sorted(short.log[2:]) == ["send 22222", "send late", "send limit"]


def test_rate_limit_of_the_channel_lasts_as_long_as_told(
    tmp_path: Path, short: Wire, limited_channel: Callable[[Session, float], dict[str, Receipt]]
) -> None:
    """No chat of the channel goes on earlier, and all of them do."""
    with new_session(tmp_path, short) as session:
        receipts = limited_channel(session, 0.5)
        assert all(end(session, one, chat).status == "sent" for chat, one in receipts.items())
    assert sorted(short.log[2:]) == ["send 22222", "send late", "send limit"]
    assert min(call.at for call in short.calls[2:]) - short.calls[1].at >= 0.5


@pytest.mark.parametrize("scope", ["chat", "channel"])
def test_rate_limit_is_kept_across_a_restart(tmp_path: Path, wire: Wire, scope: Any) -> None:
    """The deadline is stored: a restart does not ask earlier than the platform told."""
    wire.answers += [RateLimited(LONG, scope=scope)]
    with new_session(tmp_path, wire) as session:
        limited = queue(session, "limited", "a")
        wait_for_pause(tmp_path)
    with new_session(tmp_path, wire, drain=BOUND) as session:
        until(lambda: session.status()["wire"].state == "online", "online")
        other = queue(session, "other", "b")
    sent = ["send other"] if scope == "chat" else []  # the stop has let go whatever could
    assert wire.log == ["send limited", *sent]
    due = time.monotonic() + 0.5
    end_pause(tmp_path, time.time() + 0.5)
    with new_session(tmp_path, wire) as session:
        assert end(session, limited, "a").status == "sent"
        assert end(session, other, "b").status == "sent"
    held = wire.calls[1 + len(sent) :]
    assert len(held) == 2 - len(sent)
    assert min(call.at for call in held) >= due - 0.01  # two clocks


def test_rate_limit_of_hours_is_waited_out(tmp_path: Path, session: Session, wire: Wire) -> None:
    """A limit of 5,827 s is stored to the second, and others do not notice."""
    wire.answers += [RateLimited(5827)]
    told = time.time()
    queue(session, "limited")
    wire.wait_for_calls(1)
    deadline = wait_for_pause(tmp_path)
    assert told + 5827 <= deadline <= time.time() + 5827
    for n in range(20):
        assert send(session, f"m{n}", "b").status == "sent"
    assert wire.log == ["send limited", *(f"send m{n}" for n in range(20))]
    assert session.status()["wire"].pending == 1


@pytest.mark.parametrize("told", [0.0, -1.0, math.nan])
def test_rate_limit_of_no_length_does_not_spin(session: Session, wire: Wire, told: float) -> None:
    """A pause that is none is taken as a back-off."""
    wire.answers += [RateLimited(told)]
    assert send(session, "limited").status == "sent"
    assert wire.calls[1].at - wire.calls[0].at >= 0.1


def test_rate_limit_without_end_is_a_day() -> None:
    """A channel that is told to wait for ever is called again the next day."""
    assert pause_after(RateLimited(math.inf), 1, 60.0) == 86_400
    assert pause_after(RateLimited(86_399.5), 1, 60.0) == 86_399.5


def test_rate_limit_beyond_the_age_of_a_message_ends_at_that_age(
    tmp_path: Path, wire: Wire
) -> None:
    """What cannot be delivered within `max_age` is told then, not when the limit ends."""
    wire.answers += [RateLimited(math.inf)]
    with new_session(tmp_path, wire, max_age=LONG) as session:
        receipt = queue(session, "limited")
        wait_for_pause(tmp_path)
    with closing(sqlite3.connect(tmp_path / "session.db")) as db, db:
        db.execute("UPDATE outbox SET created = ?", [time.time() - LONG + 0.5])
    with new_session(tmp_path, wire, max_age=LONG) as session:
        found = end(session, receipt)
        assert found.status == "failed"
        assert "max_age" in (found.error or "")
        assert len(wire.calls) == 1


# -- ends


def test_permanent_error_ends_a_message_at_once(
    tmp_path: Path, session: Session, wire: Wire
) -> None:
    """It is tried once, told, a dead letter, and the chat goes on."""
    wire.answers += [PermanentError("chat not found")]
    receipt = send(session, "lost")
    assert (receipt.status, receipt.attempts) == ("failed", 1)
    assert receipt.error == "chat not found"
    assert send(session, "next").status == "sent"
    assert wire.log == ["send lost", "send next"]
    assert dead_letters(tmp_path) == {f"out-{receipt.id}": "chat not found"}
    assert session.status()["wire"].dead == 1


@pytest.mark.parametrize(
    ("kind", "status"),
    [(PermanentError, "failed"), (OutcomeUnknown, "unknown"), (TemporaryError, "sent")],
)
def test_what_a_platform_says_is_told_in_a_line(
    tmp_path: Path,
    session: Session,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
    kind: type[ChannelError],
    status: str,
) -> None:
    """Words of any length fill no log, no receipt and no dead letter, and begin no line there."""
    wire.answers += [kind("no\nERROR forged\x1b[2J " + "x" * 100_000)]
    receipt = send(session, "said")
    assert receipt.status == status
    lines = [record.getMessage() for record in caplog.records] + [receipt.error or ""]
    lines += dead_letters(tmp_path).values()
    assert any("no ERROR forged [2J xxx" in line for line in lines)
    assert all(line.isprintable() and len(line) < 1000 for line in lines)


def test_unknown_outcome_is_told_and_not_repeated(
    tmp_path: Path, session: Session, wire: Wire
) -> None:
    """Where a repeat could double it, it is kept for a person, and the chat goes on."""
    wire.answers += [OutcomeUnknown("the connection broke")]
    receipt = send(session, "maybe")
    assert (receipt.status, bool(receipt)) == ("unknown", False)
    assert receipt.error == "the connection broke"
    assert send(session, "next").status == "sent"
    assert wire.log == ["send maybe", "send next"]
    assert list(dead_letters(tmp_path)) == [f"out-{receipt.id}"]


def test_unknown_outcome_is_repeated_where_that_is_safe(tmp_path: Path, wire: Wire) -> None:
    """An idempotent channel gets the same id again."""
    wire.limits = Limits(idempotent=True)
    wire.answers += [OutcomeUnknown("the connection broke")]
    with new_session(tmp_path, wire) as session:
        assert send(session, "once").status == "sent"
    first, second = wire.calls
    assert first.id == second.id != ""


def test_unknown_outcome_is_repeated_when_chosen(tmp_path: Path, wire: Wire) -> None:
    """`on_unknown: resend` would rather double a message than lose one."""
    wire.answers += [OutcomeUnknown("the connection broke")]
    with new_session(tmp_path, wire, on_unknown="resend") as session:
        assert send(session, "at least once").status == "sent"
    assert wire.log == ["send at least once"] * 2


def test_send_that_takes_too_long_is_unknown(tmp_path: Path, wire: Wire) -> None:
    """After `limits.send_seconds` nobody can say whether it was delivered."""
    wire.limits = Limits(send_seconds=0.2)
    wire.answers += [threading.Event()]
    with new_session(tmp_path, wire) as session:
        receipt = send(session, "slow")
        assert receipt.status == "unknown"
        assert "session_send took longer than 0.2 s" in (receipt.error or "")
        assert send(session, "next").status == "sent"


def test_refused_credentials_keep_what_is_queued(tmp_path: Path, wire: Wire) -> None:
    """The channel is not tried again in this session, and the message goes with the next."""
    wire.answers += [AuthError("token revoked")]
    with new_session(tmp_path, wire) as session:
        receipt = queue(session, "kept")
        until(lambda: session.status()["wire"].state == "failed", "failed")
        assert "token revoked" in (session.status()["wire"].last_error or "")
        assert send(session, "also kept", timeout=0).status == "queued"
        assert len(wire.calls) == 1
    with new_session(tmp_path, wire) as session:
        assert end(session, receipt).status == "sent"
    assert wire.log == ["send kept", "send kept", "send also kept"]


def test_message_that_is_too_old_is_a_dead_letter(tmp_path: Path, wire: Wire) -> None:
    """Age counts from acceptance, across a restart."""
    wire.answers += [RateLimited(LONG)]
    with new_session(tmp_path, wire) as session:
        receipt = queue(session, "old")
        wait_for_pause(tmp_path)
    with closing(sqlite3.connect(tmp_path / "session.db")) as db, db:
        db.execute("UPDATE outbox SET not_before = 0, created = created - 90000")
    with new_session(tmp_path, wire) as session:
        assert end(session, receipt).status == "failed"
        assert "86400 s (max_age)" in dead_letters(tmp_path)[f"out-{receipt.id}"]
        assert len(wire.calls) == 1


def test_clock_that_is_set_makes_no_dead_letters(
    session: Session, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that finds out the date while a message waits does not give it up."""
    sending = threading.Event()
    wire.answers += [sending, RateLimited(0.1)]
    queue(session, "goes")
    wire.wait_for_calls(1)
    receipt = queue(session, "from 1970")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 10 * 365 * 86_400)
    sending.set()
    assert end(session, receipt).status == "sent"


def test_facts_that_cannot_be_stored_do_not_undo_a_delivery(session: Session, wire: Wire) -> None:
    """A detail that contains itself is left out; the message is sent, and once."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    wire.answers += [Sent(("p1",), endless)]
    receipt = send(session, "hello")
    assert (receipt.status, receipt.message_ids, receipt.detail) == ("sent", ("p1",), {})
    assert len(wire.calls) == 1


# -- crashes


def crashed(folder: Path, image: Path) -> Path:
    """Return a folder with the files as they would be found if the process died now."""
    shutil.copytree(folder, image)
    (image / "session.lock").unlink()
    return image


@pytest.mark.parametrize(
    ("limits", "settings", "status", "calls"),
    [
        (Limits(), {}, "unknown", 1),
        (Limits(), {"on_unknown": "resend"}, "sent", 2),
        (Limits(idempotent=True), {}, "sent", 2),
    ],
    ids=["kept", "resend", "idempotent"],
)
def test_crash_between_request_and_answer(
    tmp_path: Path, limits: Limits, settings: Any, status: str, calls: int
) -> None:
    """It is an unknown outcome: repeated only where that is safe, or chosen."""
    answered = threading.Event()
    wire = Wire(limits, deque([answered]))
    with new_session(tmp_path / "live", wire, **settings) as session:
        receipt = queue(session, "maybe")
        wire.wait_for_calls(1)
        image = crashed(tmp_path / "live", tmp_path / "image")
        answered.set()
    with new_session(image, wire, **settings) as session:
        found = end(session, receipt)
        assert found.status == status
        assert send(session, "next").status == "sent"
    assert wire.log == ["send maybe"] * calls + ["send next"]
    assert len({call.id for call in wire.calls[:-1]}) == 1


def test_crash_between_parts_repeats_none(tmp_path: Path, short: Wire) -> None:
    """What is recorded as delivered is not sent again; the part after it was not called yet."""
    short.answers += [None, RateLimited(LONG)]
    with new_session(tmp_path / "live", short) as session:
        receipt = queue(session, "1111122222")
        wait_for_pause(tmp_path / "live")
        image = crashed(tmp_path / "live", tmp_path / "image")
    end_pause(image)
    with new_session(image, short) as session:
        assert end(session, receipt).status == "sent"
    assert short.log == ["send 11111", "send 22222", "send 22222"]


def test_call_under_way_may_end_when_its_channel_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that is started anew, or ends, is given time to hear how its sends went."""
    monkeypatch.setattr("cobot_session.supervisor._RESTART_SETTLE_SECONDS", BOUND)
    refused = threading.Event()

    class Refused(Sender):
        def session_receive(self) -> list[Any]:
            refused.wait(BOUND)
            raise AuthError("token revoked")

    sending = threading.Event()
    wire = Wire(base=Refused, answers=deque([sending]))
    with new_session(tmp_path, wire) as session:
        receipt = queue(session, "nearly there")
        wire.wait_for_calls(1)
        refused.set()
        until(lambda: session.status()["wire"].state == "failed", "failed")
        threading.Timer(1.5, sending.set).start()  # later than a stop would wait for it
        assert end(session, receipt).status == "sent"


def test_channel_that_is_replaced_while_sending_is_unknown(tmp_path: Path) -> None:
    """A send that hung when its channel was started anew is not repeated blindly."""
    stuck = threading.Event()

    class Blocks(Sender):
        async def session_send(self, message: OutgoingMessage) -> Any:
            if message.content == "stuck":
                stuck.wait()  # what an `async def` must not do
            return await super().session_send(message)

    wire = Wire(base=Blocks)
    with new_session(tmp_path, wire, stall_after=1.0) as session:
        receipt = send(session, "stuck")
        assert receipt.status == "unknown"
        house = session._engine.house  # the machine may hold up the next life for longer
        house.settings = house.settings.model_copy(update={"stall_after": LONG})
        assert send(session, "next").status == "sent"
        stuck.set()
    assert wire.log.count("send stuck") <= 1  # it may have left late: nobody can say


# -- edits, deletions, reactions


def test_changes_never_overtake_the_send_they_are_about(session: Session, wire: Wire) -> None:
    """Named by the receipt's id before the platform has given one, they wait in the lane."""
    sending = threading.Event()
    wire.answers += [sending]
    receipt = queue(session, "hello")
    wire.wait_for_calls(1)
    results = [
        session.edit("wire", "a", receipt.id, "better", timeout=0),
        session.react("wire", "a", receipt.id, "👍", timeout=0),
        session.delete("wire", "a", receipt.id, timeout=0),
    ]
    assert [one.status for one in results] == ["queued", "queued", "queued"]
    sending.set()
    assert [end(session, one).status for one in results] == ["sent", "sent", "sent"]
    assert wire.log == ["send hello", "edit p1 better", "react p1 👍", "delete p1"]


def test_changes_may_name_a_message_of_the_platform(session: Session, wire: Wire) -> None:
    """An id that is no receipt's of that chat is the platform's own."""
    receipt = send(session, "hello", "b", id="42")
    assert session.edit("wire", "a", "42", "better", timeout=BOUND).status == "sent"
    assert session.edit("wire", "b", "42", "better", timeout=BOUND).status == "sent"
    assert wire.log[1:] == ["edit 42 better", f"edit {receipt.message_ids[0]} better"]


def test_edit_follows_its_text_in_parts(tmp_path: Path, short: Wire) -> None:
    """A text that grew sends what is more, one that shrank deletes what is too much."""
    with new_session(tmp_path, short) as session:
        receipt = send(session, "11111")
        grown = session.edit("wire", "a", receipt.id, "aaaaabbbbbccc", timeout=BOUND)
        assert grown.message_ids == ("p1", "p2", "p3")
        assert end(session, receipt).message_ids == ("p1", "p2", "p3")
        shrunk = session.edit("wire", "a", receipt.id, "xx", timeout=BOUND)
        assert shrunk.message_ids == ("p1",)
        again = session.edit("wire", "a", receipt.id, "yyyyyzzzzz", timeout=BOUND)
        assert again.message_ids == ("p1", "p4")
        session.delete("wire", "a", receipt.id, timeout=BOUND)
    assert short.log == [
        "send 11111",
        *("edit p1 aaaaa", "send bbbbb", "send ccc"),
        *("edit p1 xx", "delete p2", "delete p3"),
        *("edit p1 yyyyy", "send zzzzz"),
        *("delete p1", "delete p4"),
    ]


def test_edit_that_fails_half_way_is_remembered_as_it_stands(tmp_path: Path, short: Wire) -> None:
    """The next edit changes what is there, and sends no part a second time."""
    with new_session(tmp_path, short) as session:
        receipt = send(session, "11111")
        short.answers += [None, None, PermanentError("flood")]
        partial = session.edit("wire", "a", receipt.id, "aaaaabbbbbccc", timeout=BOUND)
        assert (partial.status, partial.message_ids) == ("partial", ("p1", "p2"))
        again = session.edit("wire", "a", receipt.id, "xxxxxyyyyyzzz", timeout=BOUND)
        assert again.message_ids == ("p1", "p2", "p3")
    assert short.log[-3:] == ["edit p1 xxxxx", "edit p2 yyyyy", "send zzz"]


def test_edit_that_cannot_delete_keeps_what_is_too_much(tmp_path: Path, short: Wire) -> None:
    """On a channel without deletion the surplus stays, and a text that grows again uses it."""
    short.base = Editor
    with new_session(tmp_path, short) as session:
        receipt = send(session, "1111122222")
        session.edit("wire", "a", receipt.id, "xx", timeout=BOUND)
        assert session.edit("wire", "a", receipt.id, "aaaaabbbbb", timeout=BOUND).message_ids == (
            "p1",
            "p2",
        )
    assert short.log[2:] == ["edit p1 xx", "edit p1 aaaaa", "edit p2 bbbbb"]


def test_edit_with_an_unknown_outcome_is_repeated(session: Session, wire: Wire) -> None:
    """Doing it twice is doing it once: changes are repeated on every channel."""
    receipt = send(session, "hello")
    wire.answers += [OutcomeUnknown("the connection broke")]
    assert session.edit("wire", "a", receipt.id, "better", timeout=BOUND).status == "sent"
    assert wire.log[1:] == ["edit p1 better", "edit p1 better"]


def test_edit_that_outlives_its_session_keeps_what_was_rendered(tmp_path: Path) -> None:
    """The hook is given the stored part with its metadata, and not its bare text."""
    wire = Wire(base=Rendering)
    with new_session(tmp_path, wire) as session:
        receipt = send(session, "hello")
        wire.answers += [RateLimited(LONG)]
        session.edit("wire", "a", receipt.id, "*better*", timeout=0)
        wait_for_pause(tmp_path)
    end_pause(tmp_path)
    with new_session(tmp_path, wire):
        wire.wait_for_calls(3)
    assert wire.log[1:] == ["edit p1 bold better", "edit p1 bold better"]


def test_change_of_a_message_that_was_not_delivered_is_told(session: Session, wire: Wire) -> None:
    """There is nothing on the platform to change, and the receipt says why."""
    wire.answers += [PermanentError("chat not found")]
    receipt = send(session, "lost")
    for change in (
        session.edit("wire", "a", receipt.id, "better", timeout=BOUND),
        session.delete("wire", "a", receipt.id, timeout=BOUND),
        session.react("wire", "a", receipt.id, "👍", timeout=BOUND),
    ):
        assert change.status == "failed"
        assert f"message {receipt.id} is failed and has no id" in (change.error or "")
    assert len(wire.calls) == 1


def test_failed_change_is_no_dead_letter(tmp_path: Path, session: Session, wire: Wire) -> None:
    """A reaction that was refused is told and forgotten: nobody will replay it."""
    wire.answers += [PermanentError("no such emoji")]
    assert session.react("wire", "a", "m1", "🫥", timeout=BOUND).status == "failed"
    assert dead_letters(tmp_path) == {}


# -- ids, bounds, waits


def test_same_id_is_sent_once_whoever_asks_when(session: Session, wire: Wire) -> None:
    """All who send an id get the one receipt, while it is under way and after."""
    sending = threading.Event()
    wire.answers += [sending]
    receipts: list[Receipt] = []
    threads = [
        threading.Thread(target=lambda: receipts.append(send(session, "once", id="same")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    wire.wait_for_calls(1)
    sending.set()
    for thread in threads:
        thread.join(BOUND)
    receipts.append(send(session, "another text", id="same"))
    assert set(map(str, receipts)) == {str(Receipt("same", "sent", ("p1",), None, 1))}
    assert wire.log == ["send once"]


def test_id_sent_again_as_its_message_ends_is_told_the_end(
    tmp_path: Path, session: Session, wire: Wire
) -> None:
    """Also when the end and the repeat are stored in one transaction."""
    sending = threading.Event()
    wire.answers += [sending]
    receipt = queue(session, "ends")
    wire.wait_for_calls(1)
    results: list[Receipt] = []

    def repeat() -> None:
        results.append(send(session, "ends", timeout=None, id=receipt.id))

    with closing(sqlite3.connect(tmp_path / "session.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # all that follows waits, and is stored together
        threads = [threading.Thread(target=send, args=(session, "x", "b")) for _ in range(2)]
        for thread in [*threads, threading.Thread(target=sending.set)]:
            thread.start()
            threading.Event().wait(0.1)
        threads.append(threading.Thread(target=repeat))
        threads[-1].start()
        threading.Event().wait(0.1)
        other.execute("COMMIT")
    for thread in threads:
        thread.join(BOUND)
    assert [one.status for one in results] == ["sent"]


def test_known_id_in_another_chat_is_refused_at_once(tmp_path: Path, wire: Wire) -> None:
    """An id belongs to one message: another chat's is neither sent again nor waited for."""
    wire.answers += [RateLimited(LONG)]
    with new_session(tmp_path, wire, Wire(name="other")) as session:
        queue(session, "here", id="same")
        for chat, channel in (("b", "wire"), ("a", "other")):
            there = send(session, "there", chat, None, id="same", channel_type=channel)
            assert there.status == "failed"
            assert "'same' was used in another chat" in (there.error or "")


def test_full_outbox_refuses_and_says_so(tmp_path: Path, wire: Wire) -> None:
    """Beyond `max_pending` what is new is refused by name; with room it is taken again."""
    sending = threading.Event()
    wire.answers += [sending]
    with new_session(tmp_path, wire, Wire(name="other"), max_pending=3) as session:
        receipts = [queue(session, f"m{n}") for n in range(3)]
        refused = send(session, "too much", "b")
        assert (refused.status, bool(refused)) == ("failed", False)
        assert "the outbox of wire is full: 3 messages" in (refused.error or "")
        assert send(session, "m0", timeout=0, id=receipts[0].id).status == "queued"
        assert send(session, "elsewhere", channel_type="other").status == "sent"
        sending.set()
        assert end(session, receipts[-1]).status == "sent"
        assert send(session, "fits", "b").status == "sent"
    assert "send too much" not in wire.log


def test_outbox_for_one_message_says_so() -> None:
    """A bound of one is told as one message."""
    outbox = Outbox("wire", 1)
    outbox.reserve()
    with pytest.raises(SpoolFull, match="is full: 1 message waiting"):
        outbox.reserve()


def test_message_that_cannot_be_stored_is_refused_and_takes_no_room(
    tmp_path: Path, wire: Wire
) -> None:
    """Metadata that contains itself is told in the receipt, again and again, and nothing leaks."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    with new_session(tmp_path, wire, max_pending=2) as session:
        for _ in range(5):
            receipt = send(session, "hello", metadata=endless)
            assert receipt.status == "failed"
            assert "cannot be stored" in (receipt.error or "")
        assert send(session, "hello").status == "sent"


def test_receipt_tells_what_is_true_after_the_timeout(session: Session, wire: Wire) -> None:
    """`queued` after the timeout, and delivery goes on; `None` waits for the end."""
    sending = threading.Event()
    wire.answers += [sending]
    receipt = send(session, "slow", timeout=0.1)
    assert (receipt.status, bool(receipt)) == ("queued", True)
    threading.Timer(0.1, sending.set).start()
    assert send(session, "slow", timeout=None, id=receipt.id).status == "sent"
    assert wire.log == ["send slow"]


def test_stopping_tells_everyone_who_waits(tmp_path: Path, wire: Wire) -> None:
    """Who waits for a send when the session stops learns that it is stored."""
    wire.answers += [RateLimited(LONG)]
    session = new_session(tmp_path, wire)
    session.start()
    results: list[Receipt] = []
    threads = [
        threading.Thread(target=lambda: results.append(send(session, "x", timeout=None)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    wire.wait_for_calls(1)
    until(lambda: session.status()["wire"].pending == 4, "all are queued")
    session.stop()
    for thread in threads:
        thread.join(BOUND)
    assert [receipt.status for receipt in results] == ["queued"] * 4


def test_stop_sends_what_can_be_sent(tmp_path: Path, wire: Wire) -> None:
    """The drain delivers what waits, and leaves what has to wait longer."""
    wire.answers += [RateLimited(LONG)]
    with new_session(tmp_path, wire, drain=BOUND) as session:
        queue(session, "limited", "limited")
        wire.wait_for_calls(1)
        for n in range(50):
            queue(session, f"m{n}")
        began = time.monotonic()
    assert wire.log[1:] == [f"send m{n}" for n in range(50)]
    assert time.monotonic() - began < BOUND
