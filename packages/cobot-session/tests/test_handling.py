"""What becomes of a message whose handling does not go straight through."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import (
    IncomingMessage,
    Media,
    OutgoingMessage,
    PluginMeta,
    Receipt,
    Session,
    TemporaryError,
)
from cobot_session.retry import patience
from cobot_session.spool import SqliteSpool
from cobot_session.testing import FakeChannel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOUND = 30.0


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what failed be tried again soon."""
    monkeypatch.setattr("cobot_session.retry._FIRST_SECONDS", 0.02)


@pytest.fixture
def fake() -> FakeChannel:
    return FakeChannel()


def new_session(folder: Path, fake: FakeChannel, **settings: Any) -> Session:
    config: dict[str, Any] = {
        "session": {"drain": 0.2, "redeliver_after": 0.04, **settings},
        "workspace": {"path": str(folder)},
        "fake": {"access": {"open": True}},
    }
    return Session({"plugins": config}, plugins={"fake": fake.plugin})


def running(session: Session, handler: Callable[[IncomingMessage], Any]) -> threading.Thread:
    thread = threading.Thread(target=session.run, args=(handler,), daemon=True)
    thread.start()
    return thread


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND
    while not claim():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def dead_letters(folder: Path) -> list[str]:
    with closing(SqliteSpool(folder / "session.db")) as spool:
        return [one.reason for one in spool.dead_letters().result(BOUND)]


def test_stops_of_a_long_job_make_no_dead_letter(tmp_path: Path, fake: FakeChannel) -> None:
    """Only the handler's own failures count: a stop that cuts it off convicts nobody."""
    fake.says("a long job")
    marks = []
    for _ in range(4):
        begun = threading.Event()

        async def work(message: IncomingMessage, begun: threading.Event = begun) -> None:
            marks.append(message.metadata.get("redelivered", False))
            begun.set()
            await asyncio.Event().wait()

        with new_session(tmp_path, fake, max_deliveries=2) as session:
            thread = running(session, work)
            assert begun.wait(BOUND)
        thread.join(BOUND)
    assert marks == [False, True, True, True]
    assert dead_letters(tmp_path) == []


def test_dead_letter_tells_what_its_handler_raised_last(tmp_path: Path, fake: FakeChannel) -> None:
    """Who looks at it need not look for it in the log."""
    fake.says("boom")

    def answer(message: IncomingMessage) -> str:
        raise RuntimeError(f"no model\nfor {message.content}")

    with new_session(tmp_path, fake, max_deliveries=1) as session:
        thread = running(session, answer)
        until(lambda: session.status()["fake"].dead == 1)
    thread.join(BOUND)
    (reason,) = dead_letters(tmp_path)
    assert reason.endswith("; the handler's last failure: RuntimeError: no model for boom")


def test_failure_is_told_whole_once(
    tmp_path: Path, fake: FakeChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """The first time with the handler's traceback, then in a line with what, where, how often."""
    fake.says("one")

    def answer(message: IncomingMessage) -> str:
        raise RuntimeError("no model")

    with new_session(tmp_path, fake, max_deliveries=3) as session:
        thread = running(session, answer)
        until(lambda: session.status()["fake"].dead == 1)
    thread.join(BOUND)
    first, *others = [one for one in caplog.records if "handler failed" in one.message]
    assert first.exc_info is not None
    assert first.exc_info[2] is not None
    assert first.exc_info[2].tb_frame.f_code is answer.__code__
    assert len(others) == 2
    assert not any(one.exc_info for one in others)
    line = answer.__code__.co_firstlineno + 1
    for number, one in enumerate(others, 2):
        said = f"{number} times now: RuntimeError: no model (test_handling.py, line {line})"
        assert one.message.endswith(said)


def test_other_failure_is_told_whole(
    tmp_path: Path, fake: FakeChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """Only what is known already is told in a line."""
    fake.says("one")
    texts = iter(["no model", "no memory"])

    def answer(message: IncomingMessage) -> str:
        raise RuntimeError(next(texts))

    with new_session(tmp_path, fake, max_deliveries=2) as session:
        thread = running(session, answer)
        until(lambda: session.status()["fake"].dead == 1)
    thread.join(BOUND)
    told = [one.exc_info for one in caplog.records if "handler failed" in one.message]
    assert [str(one[1]) for one in told if one] == ["no model", "no memory"]


@pytest.mark.parametrize("answer", [42, ["a", "b"], {"a": 1}, b"a"])
def test_answer_that_is_none_is_named(tmp_path: Path, fake: FakeChannel, answer: Any) -> None:
    """The reason says what was returned, and what may be."""
    fake.says("hello")
    with new_session(tmp_path, fake, max_deliveries=1) as session:
        thread = running(session, lambda _: answer)
        until(lambda: session.status()["fake"].dead == 1)
    thread.join(BOUND)
    (reason,) = dead_letters(tmp_path)
    assert "a handler returns a str" in reason
    assert f"this one returned {answer!r}" in reason


def test_answer_of_a_handler_that_put_its_message_back_is_dropped(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """The message comes again, so what was returned for it is not its answer."""
    fake.says("hello")
    fates = []

    with new_session(tmp_path, fake) as session:

        def answer(message: IncomingMessage) -> str:
            again = message.metadata.get("redelivered", False)
            fates.append(again)
            if not again:
                session.nack(message)
                return "too early"
            return "now"

        thread = running(session, answer)
        assert [one.content for one in fake.wait_for_sent()] == ["now"]
    thread.join(BOUND)
    assert fates == [False, True]


def test_download_that_its_channel_does_not_outlive_fails_as_one(
    tmp_path: Path, fake: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for it is told that it may be tried again, and not cancelled."""
    begun = threading.Event()

    async def fetch(_: object, media: Media) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return media.data or b""

    monkeypatch.setattr("cobot_session.testing.fake.FakePlugin.session_fetch", fetch)
    media = Media(id="file 1", channel_type="fake")
    raised: list[BaseException] = []
    with new_session(tmp_path, fake) as session:

        def download() -> None:
            try:
                session.fetch(media)
            except BaseException as error:
                raised.append(error)

        until(lambda: session.status()["fake"].state == "online")
        thread = threading.Thread(target=download, daemon=True)
        thread.start()
        assert begun.wait(BOUND)
    thread.join(BOUND)
    assert [type(one) for one in raised] == [TemporaryError]


@pytest.mark.parametrize("media", [[5], 5, ["picture.png"]])
def test_media_that_is_none_is_told(tmp_path: Path, fake: FakeChannel, media: Any) -> None:
    """The error names the field and what belongs there; nothing is sent."""
    with (
        new_session(tmp_path, fake) as session,
        pytest.raises(TypeError, match=r"`media` is a list of `Media`"),
    ):
        session.send(OutgoingMessage("fake", "a", "hello", media=media))
    assert fake.texts() == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (OutgoingMessage("faak", "1", "important"), "there is no channel 'faak'"),
        (OutgoingMessage("fake", "elsewhere", "important"), "nothing has been heard from the chat"),
        (OutgoingMessage("fake", "", "important"), "names a channel and no `channel_id`"),
    ],
    ids=["no such channel", "barred", "no chat"],
)
@pytest.mark.parametrize("by_hand", [False, True], ids=["returned", "acknowledged by hand"])
def test_an_answer_that_is_refused_is_a_dead_letter(
    tmp_path: Path, fake: FakeChannel, answer: OutgoingMessage, reason: str, by_hand: bool
) -> None:
    """What the agent said is kept with the reason, and told; the agent is not asked again."""
    told: list[Any] = []

    class Watch:
        meta = PluginMeta(id="watch", version="1")

        def session_on_send(self, message: OutgoingMessage, receipt: Receipt) -> None:
            told.append((message.content, receipt.status, receipt.error))

    plugins = {
        "workspace": {"path": str(tmp_path)},
        "fake": {"access": {"users": ["alice"]}},
        "watch": {},
    }
    calls = []
    session = Session({"plugins": plugins}, plugins={"fake": fake.plugin, "watch": Watch})

    def answered(message: IncomingMessage) -> OutgoingMessage | str:
        calls.append(message.content)
        if message.content != "ask":
            return "fine"
        if by_hand:
            session.ack(message)
        return answer

    with session:
        thread = running(session, answered)
        fake.says("ask")
        until(lambda: bool(told))
        fake.says("and now?")
        fake.wait_for_sent()
        session.stop()
        thread.join(BOUND)
    assert calls == ["ask", "and now?"]
    ((content, status, error),) = [one for one in told if one[1] != "sent"]
    assert (content, status) == ("important", "failed")
    assert reason in error
    with closing(SqliteSpool(tmp_path / "session.db")) as spool:
        (letter,) = spool.dead_letters().result(BOUND)
    assert (letter.direction, letter.content) == ("out", "important")
    assert reason in letter.reason


def test_a_message_that_failed_waits_as_long_as_the_settings_say(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """The pause is stored, so that neither a restart nor a stop makes it shorter."""

    def fail(message: IncomingMessage) -> None:
        raise ConnectionError("the model is down")

    def pauses() -> list[float]:
        with closing(sqlite3.connect(tmp_path / "session.db")) as db:
            due = db.execute("SELECT not_before FROM inbox WHERE not_before > 0").fetchall()
        return [at - time.time() for (at,) in due]

    with new_session(tmp_path, fake, redeliver_after=7200.0) as session:
        thread = running(session, fail)
        fake.says("hello?")
        until(lambda: bool(pauses()))
        (pause,) = pauses()
        assert 3600 - BOUND < pause <= 7200
        session.stop()
        thread.join(BOUND)


def test_five_deliveries_outlast_a_model_that_is_down_for_a_minute() -> None:
    """Pauses grow fivefold, to five minutes at most, and never by more than was told."""
    pauses = [[patience(failures, 1.0) for failures in range(1, 8)] for _ in range(50)]
    for these in pauses:
        assert sum(these[:4]) > 60
        for pause, most in zip(these, (1, 5, 25, 125, 300, 300, 300), strict=True):
            assert most / 2 <= pause <= most
