"""Each test breaks one channel in one way and watches the healthy one beside it."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import (
    AuthError,
    Health,
    IncomingMessage,
    Limits,
    OutgoingMessage,
    Plugin,
    PluginMeta,
    Session,
    Status,
    TemporaryError,
    engine,
)
from cobot_session.spool.beside import Beside
from cobot_session.testing import FakeChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOUND = 40.0
"""Seconds that an event may take on a busy machine before the test fails."""
SOON = 1.0
"""Seconds of silence that are a stall, where there is to be one."""


class Troubled(Plugin):
    """A channel that does nothing; the tests' own ones differ in one hook each."""

    meta = PluginMeta(id="troubled", version="1")
    lives = 0

    def start(self) -> None:
        type(self).lives += 1


class Zombie(Troubled):
    def session_receive(self) -> list[IncomingMessage]:
        return []

    def session_health(self) -> Health:
        return Health(False, "the gateway has been silent for 90 s")


def until(claim: Callable[[], Any], what: str) -> Any:
    """Return the claim's first true value; the session tells of changes by no event."""
    deadline = time.monotonic() + BOUND
    while not (value := claim()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {BOUND:g} s: {what}")
        threading.Event().wait(0.01)
    return value


@pytest.fixture
def fake() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """An event that lets go of whatever a test made hang."""
    event = threading.Event()
    yield event
    event.set()


def session_with(
    tmp_path: Path, fake: FakeChannel, troubled: Callable[[], Plugin], **settings: Any
) -> Session:
    config = {
        "plugins": {
            "session": {"stall_after": 3600.0, "drain": 1.0, **settings},
            "workspace": {"path": str(tmp_path)},
            "fake": {"access": {"open": True}},
            "troubled": {"access": {"open": True}, "poll_interval": 0.05},
        }
    }
    return Session(config, plugins={"fake": fake.plugin, "troubled": troubled})


def spare_the_healthy(session: Session) -> None:
    """Let it be no stall of the channel beside where the machine holds up its thread for long."""
    healthy = session._engine.roster.get("fake")
    assert healthy is not None
    house = healthy._house
    patient = house.settings.model_copy(update={"stall_after": 3600.0})
    healthy._house = replace(house, settings=patient)


def assert_healthy_beside(session: Session, fake: FakeChannel) -> None:
    """A message in and its answer out while the other channel is in trouble."""
    spare_the_healthy(session)
    fake.says("ping")
    (message,) = session.poll_all_channels(wait=BOUND)
    assert message.channel_type == "fake"
    assert session.reply(message, "pong", BOUND).status == "sent"
    assert session.status()["fake"].state == "online"


def troubled_status(session: Session, state: str, words: str = "") -> Status:
    return until(
        lambda: (
            (one := session.status()["troubled"]).state == state
            and words in (one.last_error or "")
            and one
        ),
        f"troubled is {state}: {session.status()['troubled']}",
    )


def test_typing_waits_for_the_start(
    tmp_path: Path, fake: FakeChannel, release: threading.Event
) -> None:
    """A channel is not called before it has started; whoever asks is told that nothing happened."""
    shown: list[str] = []

    class StartsLate(Troubled):
        begun = threading.Event()

        def start(self) -> None:
            self.begun.set()
            release.wait(BOUND)

        def session_send(self, message: OutgoingMessage) -> str:
            return "1"

        def session_typing(self, channel_id: str) -> None:
            shown.append(channel_id)

    session = session_with(tmp_path, fake, StartsLate)
    session.start()
    try:
        assert StartsLate.begun.wait(BOUND)
        assert session.typing("troubled", "early") is False
        release.set()
        troubled_status(session, "online")
        until(lambda: session.typing("troubled", "late") and "late" in shown, "typing is shown")
        assert "early" not in shown
    finally:
        session.stop()


def test_async_receive_that_hangs_is_named_and_started_anew(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """A receive that never returns is a stall: the status says so and a new life begins."""

    class Hangs(Troubled):
        async def session_receive(self) -> list[IncomingMessage]:
            await asyncio.Event().wait()
            return []

    with session_with(tmp_path, fake, Hangs, stall_after=SOON) as session:
        assert_healthy_beside(session, fake)
        status = troubled_status(session, "reconnecting", "no sign of life")
        assert "session_receive" in (status.last_error or "")
        until(lambda: Hangs.lives >= 2, "a second life")
        assert_healthy_beside(session, fake)


def test_sync_receive_that_hangs_is_named_and_started_anew(
    tmp_path: Path, fake: FakeChannel, release: threading.Event
) -> None:
    """A `def` receive that blocks for ever holds up its own thread only."""

    class Hangs(Troubled):
        def session_receive(self) -> list[IncomingMessage]:
            release.wait()
            return []

    with session_with(tmp_path, fake, Hangs, stall_after=SOON) as session:
        assert_healthy_beside(session, fake)
        troubled_status(session, "reconnecting")
        until(lambda: Hangs.lives >= 2, "a second life")
        assert_healthy_beside(session, fake)


@pytest.mark.slow
def test_receive_that_blocks_its_event_loop_is_left_behind(
    tmp_path: Path, fake: FakeChannel, release: threading.Event
) -> None:
    """A channel that blocks its own loop is told of, and replaced without its help."""

    class Blocks(Troubled):
        async def session_receive(self) -> list[IncomingMessage]:
            release.wait()  # what an `async def` must not do
            return []

    with session_with(tmp_path, fake, Blocks, stall_after=SOON) as session:
        assert_healthy_beside(session, fake)
        status = troubled_status(session, "reconnecting")
        assert "event loop has been blocked" in (status.last_error or "")
        until(lambda: Blocks.lives >= 2, "a second life")
        assert_healthy_beside(session, fake)
        release.set()  # what still blocks at the stop is another test's


def test_what_wakes_up_in_a_replaced_life_neither_stores_nor_sends(
    tmp_path: Path, fake: FakeChannel, release: threading.Event
) -> None:
    """A batch and a state change that a replaced life comes back with are thrown away."""
    returned = threading.Event()

    class Late(Troubled):
        async def session_receive(self) -> list[IncomingMessage]:
            if type(self).lives > 1:
                await asyncio.Event().wait()
            release.wait()
            self.context.state["cursor"] = "late"
            returned.set()
            return [fake.says("late", chat="elsewhere")]

    with session_with(tmp_path, fake, Late, stall_after=SOON) as session:
        until(lambda: Late.lives >= 2, "a second life")
        fake.receive()
        fake.acknowledge()
        release.set()
        assert returned.wait(BOUND)
        until(
            lambda: all(
                "cobot-troubled" not in t.name or t.is_alive() for t in threading.enumerate()
            ),
            "threads settle",
        )
        assert session.status()["troubled"].received == 0


def test_receive_that_raises_each_time_is_tried_again_with_pauses(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """An exception in receive is trouble of that channel; its text is in the status."""

    class Raises(Troubled):
        def session_receive(self) -> list[IncomingMessage]:
            raise RuntimeError("the platform is on fire")

    with session_with(tmp_path, fake, Raises) as session:
        status = troubled_status(session, "reconnecting")
        assert status.last_error == "RuntimeError: the platform is on fire"
        assert_healthy_beside(session, fake)


def test_receive_that_recovers_is_online_again(tmp_path: Path, fake: FakeChannel) -> None:
    """After trouble the next good answer makes the channel online; the error stays readable."""

    class Once(Troubled):
        failed = False

        def session_receive(self) -> list[IncomingMessage]:
            if not type(self).failed:
                type(self).failed = True
                raise RuntimeError("once")
            return []

    with session_with(tmp_path, fake, Once) as session:
        until(lambda: session.status()["troubled"].last_error, "the error")
        status = troubled_status(session, "online")
        assert status.last_error == "RuntimeError: once"


def test_start_that_fails_is_tried_again(tmp_path: Path, fake: FakeChannel) -> None:
    """A start that raises ends that life only; a later one succeeds."""

    class SlowStart(Troubled):
        def start(self) -> None:
            super().start()
            if type(self).lives < 3:
                raise ConnectionError("not yet")

        def session_receive(self) -> list[IncomingMessage]:
            return []

    with session_with(tmp_path, fake, SlowStart) as session:
        assert_healthy_beside(session, fake)
        troubled_status(session, "online")
        assert SlowStart.lives == 3


def test_auth_error_stops_that_channel_only_and_for_good(tmp_path: Path, fake: FakeChannel) -> None:
    """Refused credentials are not tried again."""

    class Refused(Troubled):
        async def session_receive(self) -> list[IncomingMessage]:
            raise AuthError("the token was revoked")

    with session_with(tmp_path, fake, Refused) as session:
        status = troubled_status(session, "failed")
        assert status.last_error == "the token was revoked"
        assert Refused.lives == 1
        assert_healthy_beside(session, fake)
        assert session.status()["troubled"].state == "failed"


def test_health_that_says_no_is_told_from_that_moment(tmp_path: Path, fake: FakeChannel) -> None:
    """A receive that returns is no sign of life where health says there is none."""
    with session_with(tmp_path, fake, Zombie) as session:
        status = troubled_status(session, "reconnecting")
        assert status.last_error == "the gateway has been silent for 90 s"


def test_channel_whose_health_says_no_for_long_is_started_anew(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """However often its receive returns meanwhile."""
    lives: list[Zombie] = []

    def zombie() -> Zombie:
        lives.append(Zombie())
        return lives[-1]

    with session_with(tmp_path, fake, zombie, stall_after=SOON):
        until(lambda: len(lives) >= 2, "a second life")


def test_plugin_that_learns_of_a_cut_has_its_health_asked_at_once(
    tmp_path: Path, fake: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a plugin knows stands in the status before the session would have asked for it."""
    monkeypatch.setattr("cobot_session.life._MOST_BETWEEN_HEALTH_CHECKS", 10 * BOUND)
    monkeypatch.setattr("cobot_session.life._SICK_SECONDS", 10 * BOUND)
    asked = threading.Event()

    class Pushed(Troubled):
        ok = True

        def session_receive(self) -> list[IncomingMessage]:
            return []

        def session_health(self) -> Health:
            asked.set()
            words = "two relays of two" if self.ok else "the gateway has closed the connection"
            return Health(self.ok, words)

        def turns(self, ok: bool) -> None:
            self.ok = ok
            self.context.check_health()

    channel = Pushed()
    with session_with(tmp_path, fake, lambda: channel) as session:
        assert asked.wait(BOUND)
        channel.turns(ok=False)
        assert "closed" in (troubled_status(session, "reconnecting").last_error or "")
        channel.turns(ok=True)
        assert troubled_status(session, "online").detail == "two relays of two"


@pytest.mark.slow
def test_hook_that_does_not_end_when_cancelled_costs_its_channel_a_life(
    tmp_path: Path, fake: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chat goes on in the next life, and the status names the hook."""
    monkeypatch.setattr("cobot_session.supervisor._END_SECONDS", 0.3)

    class Clings(Troubled):
        limits = Limits(send_seconds=0.2)

        def session_receive(self) -> list[IncomingMessage]:
            return []

        async def session_send(self, message: OutgoingMessage) -> str:
            if message.content == "first":
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.Event().wait()
            return "id"

    with session_with(tmp_path, fake, Clings) as session:
        first = session.send(OutgoingMessage("troubled", "a", "first"), timeout=0)
        second = session.send(OutgoingMessage("troubled", "a", "second"), timeout=BOUND)
        assert second.status == "sent"
        told = session.send(OutgoingMessage("troubled", "a", "", id=first.id), BOUND)
        assert told.status == "unknown"
        assert "session_send took too long" in (session.status()["troubled"].last_error or "")
    assert Clings.lives == 2


def test_no_thread_is_left_after_stop(tmp_path: Path, fake: FakeChannel) -> None:
    """After stop there are as many threads as before start; a second stop is harmless."""
    before = set(threading.enumerate())

    class Drains(Troubled):
        def session_receive(self) -> list[IncomingMessage]:
            return []

        def session_send(self, message: OutgoingMessage) -> None:
            return None

    session = session_with(tmp_path, fake, Drains)
    session.start()
    troubled_status(session, "online")
    session.stop()
    session.stop()
    until(lambda: set(threading.enumerate()) <= before, "threads have ended")


@pytest.mark.slow
def test_hook_that_still_blocks_at_stop_is_named_in_the_log(
    tmp_path: Path,
    fake: FakeChannel,
    release: threading.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Stop leaves a blocking hook behind in a bounded time and says which."""
    called = threading.Event()

    class Blocks(Troubled):
        async def session_send(self, message: OutgoingMessage) -> None:
            called.set()
            release.wait()

    with (
        caplog.at_level(logging.ERROR),
        session_with(tmp_path, fake, Blocks, drain=0.1) as session,
    ):
        troubled_status(session, "online")
        assert session.send(OutgoingMessage("troubled", "1", "x"), timeout=0.1).status == "queued"
        assert called.wait(BOUND)
        session._engine.stop(patience=0.5)  # no other than that of `stop`, and sooner
    assert "session_send still blocks and is left behind" in caplog.text


@pytest.mark.slow
def test_process_that_stood_still_restarts_no_channel(tmp_path: Path) -> None:
    """After SIGSTOP, a laptop's sleep or a paused machine, silence is nobody's fault."""
    code = """
        import os, signal, sys, threading, time
        from cobot_session import Plugin, PluginMeta, Session

        class Quiet(Plugin):
            meta = PluginMeta("quiet", "1")
            lives = 0

            def start(self):
                Quiet.lives += 1

            def session_receive(self):
                threading.Event().wait(0.1)
                return []

        config = {
            "session": {"stall_after": 3.0},
            "workspace": {"path": sys.argv[1]},
            "quiet": {"access": {"open": True}},
        }
        with Session({"plugins": config}, plugins={"quiet": Quiet}) as session:
            while session.status()["quiet"].state != "online":
                time.sleep(0.01)
            print("up", flush=True)
            sys.stdin.readline()
            time.sleep(2.0)
            print(Quiet.lives, session.status()["quiet"].state, flush=True)
    """
    arguments = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, **pipes) as process:
        try:
            assert process.stdout.readline() == "up\n"
            process.send_signal(signal.SIGSTOP)
            time.sleep(5.0)
            process.send_signal(signal.SIGCONT)
            told, _ = process.communicate("\n", timeout=BOUND)
            assert told == "1 online\n"
        finally:
            process.kill()


def test_a_change_of_state_is_published_without_waiting_for_the_next_look(
    tmp_path: Path, fake: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `cobot-session status` reads beside the session follows each change, both ways."""
    monkeypatch.setattr(engine, "_LOOK_SECONDS", 3600.0)
    beside = Beside(tmp_path / "session.db")

    def published() -> str:
        told = beside.published()
        return told.statuses["fake"].state if told is not None else ""

    with session_with(tmp_path, fake, Troubled):
        until(lambda: published() == "online", "online is published")
        fake.cuts()
        until(lambda: published() == "reconnecting", "the trouble is published")
        fake.mends()
        until(lambda: published() == "online", "its end is published")


def test_a_trouble_that_comes_again_and_again_is_one_line_of_the_log(
    tmp_path: Path, fake: FakeChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """What only the status knew is told where operators look, and fills no disk."""

    class Flapping(Troubled):
        calls = 0

        def session_receive(self) -> list[IncomingMessage]:
            type(self).calls += 1
            if self.calls % 2:
                raise TemporaryError(f"somebody else polls, for {self.calls} s now")
            return []

    with session_with(tmp_path, fake, Flapping):
        until(lambda: Flapping.calls >= 8, "eight polls")
    lines = [one.getMessage() for one in caplog.records if "somebody else" in one.getMessage()]
    assert lines == ["reconnecting: TemporaryError: somebody else polls, for 1 s now"]
