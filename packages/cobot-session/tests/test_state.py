"""A plugin's durable state: it commits with the batch, and never runs ahead of it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.messages import IncomingMessage
from cobot_session.plugin import Plugin, PluginMeta, State
from cobot_session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOUND = 40.0


@dataclass
class Script:
    """What the next calls of `session_receive` do; it hangs when there is nothing to do.

    Attributes:
        steps: called with the state; what they return is received, what they raise is raised.
        states: what the state was at the beginning of each call.
    """

    steps: list[Callable[[State], Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    lives: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def plugin(self) -> Plugin:
        return Scripted(self)

    def wait_for_calls(self, count: int) -> dict[str, Any]:
        """Return the state as the call of that number found it."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.states) >= count, BOUND)
            return self.states[count - 1]


class Scripted(Plugin):
    meta = PluginMeta(id="scripted", version="1")

    def __init__(self, script: Script) -> None:
        self.script = script

    def start(self) -> None:
        self.script.lives += 1

    async def session_receive(self) -> list[IncomingMessage]:
        script, state = self.script, self.context.state
        with script.changed:
            script.states.append(dict(state))
            script.changed.notify_all()
            step = script.steps.pop(0) if script.steps else None
        if step is None:
            await asyncio.Event().wait()
        result = step(state)  # type: ignore[misc]
        if asyncio.iscoroutine(result):
            result = await result
        return result or []


def message(key: str) -> IncomingMessage:
    return IncomingMessage(key, "", "chat", "alice", "Alice", key, datetime.now(UTC), key=key)


@pytest.fixture
def script() -> Script:
    return Script()


def new_session(folder: Path, script: Script, **settings: Any) -> Session:
    config = {
        "session": settings,
        "workspace": {"path": str(folder)},
        "console": {"enabled": False},
        "scripted": {"access": {"open": True}, "poll_interval": 0.05},
    }
    return Session({"plugins": config}, plugins={"scripted": script.plugin})


def stored(folder: Path) -> dict[str, Any]:
    """Return the state as a session that starts now finds it."""
    later = Script()
    with new_session(folder, later):
        return later.wait_for_calls(1)


def put(name: str, value: Any, *keys: str) -> Callable[[State], Any]:
    def step(state: State) -> list[IncomingMessage]:
        state[name] = value
        return [message(key) for key in keys]

    return step


def test_state_commits_with_the_batch(tmp_path: Path, script: Script) -> None:
    """The next call sees what the last one set, and so does a later session."""
    script.steps += [put("cursor", 1, "a"), put("cursor", 2, "b")]
    with new_session(tmp_path, script):
        assert script.wait_for_calls(2) == {"cursor": 1}
        assert script.wait_for_calls(3) == {"cursor": 2}
    assert stored(tmp_path) == {"cursor": 2}


def test_state_of_a_call_that_raises_is_dropped(tmp_path: Path, script: Script) -> None:
    """Neither the next call nor a later session sees it."""

    def fails(state: State) -> None:
        state["cursor"] = 99
        state["other"] = 1
        raise ConnectionError("no")

    script.steps += [put("cursor", 1, "a"), fails]
    with new_session(tmp_path, script):
        assert script.wait_for_calls(3) == {"cursor": 1}
    assert stored(tmp_path) == {"cursor": 1}


def test_state_of_a_call_that_is_cancelled_is_dropped(tmp_path: Path, script: Script) -> None:
    """A call that the session's stop cuts off leaves nothing behind."""
    reached = threading.Event()

    async def hangs(state: State) -> None:
        state["cursor"] = 99
        reached.set()
        await asyncio.Event().wait()

    script.steps += [put("cursor", 1, "a"), hangs]
    with new_session(tmp_path, script):
        assert reached.wait(BOUND)
    assert stored(tmp_path) == {"cursor": 1}


def test_state_of_a_batch_that_cannot_be_stored_waits_with_it(
    tmp_path: Path, script: Script
) -> None:
    """Nothing is committed of a batch that the file refuses, and all of it once it does not."""
    with new_session(tmp_path, script) as session:
        script.wait_for_calls(1)
    trigger = "CREATE TRIGGER full BEFORE INSERT ON inbox BEGIN SELECT RAISE(FAIL, 'no room'); END"
    with closing(sqlite3.connect(tmp_path / "session.db")) as db, db:
        db.execute(trigger)
    script.steps += [put("cursor", 1, "a"), put("cursor", 2, "b")]
    calls = len(script.states)
    with new_session(tmp_path, script) as session:
        until_troubled(session)
        assert len(script.states) == calls + 1
        with closing(sqlite3.connect(tmp_path / "session.db")) as db, db:
            assert db.execute("SELECT count(*) FROM state").fetchone() == (0,)
            db.execute("DROP TRIGGER full")
        assert script.wait_for_calls(calls + 2) == {"cursor": 1}
        (first,) = session.poll_all_channels(wait=BOUND, limit=1)
        assert first.key == "a"


def until_troubled(session: Session) -> None:
    for _ in range(int(BOUND * 100)):
        if "no room" in (session.status()["scripted"].last_error or ""):
            return
        threading.Event().wait(0.01)
    raise AssertionError(session.status())


def test_state_survives_a_restart_of_its_channel(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that is started anew goes on where it was, not where the session began."""
    monkeypatch.setattr("cobot_session.retry._FIRST_SECONDS", 0.02)

    def fails(_: State) -> None:
        raise ConnectionError("no")

    script.steps += [put("cursor", 1, "a"), *[fails] * 5, put("cursor", 2, "b")]
    with new_session(tmp_path, script) as session:  # five failures in a row end a life
        assert script.wait_for_calls(7) == {"cursor": 1}
        assert script.wait_for_calls(8) == {"cursor": 2}
        assert script.lives == 2
        assert len(session.poll_all_channels(wait=BOUND)) == 2


def test_state_set_outside_a_receive_is_stored_at_once(tmp_path: Path, script: Script) -> None:
    """A task of the plugin's own writes by itself, also one that a receive call began."""
    written = threading.Event()
    tasks = []

    async def later(state: State) -> None:
        await asyncio.sleep(0)
        state["mine"] = {"a": [1, 2]}
        written.set()

    def begins(state: State) -> None:
        tasks.append(asyncio.get_running_loop().create_task(later(state)))

    script.steps += [begins]
    with new_session(tmp_path, script):
        assert written.wait(BOUND)
        assert script.wait_for_calls(2) == {"mine": {"a": [1, 2]}}
    assert stored(tmp_path) == {"mine": {"a": [1, 2]}}


def test_state_is_a_mapping_of_values(tmp_path: Path, script: Script) -> None:
    """Names are text, values are copies, what is taken out is gone, `None` is nothing."""
    seen: list[Any] = []

    def uses(state: State) -> None:
        state["a"] = {"list": [1]}
        state["a"]["list"].append(2)
        seen.append(state["a"])
        state["b"] = 1
        del state["b"]
        seen.append("b" in state)
        with pytest.raises(KeyError):
            del state["b"]
        with pytest.raises(TypeError, match="a state name is a str"):
            state[1] = 2  # type: ignore[index]
        state["c"] = None
        seen.append(sorted(state))
        seen.append(len(state))

    script.steps += [put("old", 1), uses]
    with new_session(tmp_path, script):
        script.wait_for_calls(3)
    assert seen == [{"list": [1]}, False, ["a", "old"], 2]
    assert stored(tmp_path) == {"old": 1, "a": {"list": [1]}}


def test_states_of_two_channels_are_apart(tmp_path: Path, script: Script) -> None:
    """The same name in another channel is another value."""
    other = Script()
    script.steps += [put("cursor", 1)]
    other.steps += [put("cursor", 2)]
    config = {
        "workspace": {"path": str(tmp_path)},
        "console": {"enabled": False},
        "scripted": {"access": {"open": True}, "poll_interval": 0.05},
        "second": {"use": "second", "access": {"open": True}, "poll_interval": 0.05},
    }

    class Second(Scripted):
        meta = PluginMeta(id="second", version="1")

    plugins = {"scripted": script.plugin, "second": lambda: Second(other)}
    with Session({"plugins": config}, plugins=plugins):
        assert script.wait_for_calls(2) == {"cursor": 1}
        assert other.wait_for_calls(2) == {"cursor": 2}


def test_what_is_stored_reaches_the_agent_though_its_channel_hangs(
    tmp_path: Path, script: Script
) -> None:
    """A channel that blocks its loop while its batch is being stored holds no message back."""
    blocked = threading.Event()

    def blocks(state: State) -> list[IncomingMessage]:
        asyncio.get_running_loop().call_later(0, blocked.wait, BOUND)  # runs before the answer
        return [message("a")]

    script.steps += [blocks]
    try:
        with new_session(tmp_path, script) as session:
            (found,) = session.poll_all_channels(wait=BOUND / 2)
            assert found.key == "a"
            assert not blocked.is_set()
            blocked.set()
    finally:
        blocked.set()
