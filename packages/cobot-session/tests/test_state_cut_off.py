"""What a receive call that was cut off still changes in the state goes nowhere."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cobot_session import IncomingMessage, Plugin, PluginMeta, Session
from cobot_session.state import PluginState

if TYPE_CHECKING:
    from pathlib import Path

BOUND = 40.0
"""Seconds that an event may take on a busy machine before the test fails."""


def test_change_after_a_call_that_was_cut_off_goes_nowhere() -> None:
    """What a call sets once it has been cancelled is neither stored nor seen."""
    written: list[dict[str, Any]] = []

    def write(changes: dict[str, Any]) -> bool:
        written.append(changes)
        return True

    state = PluginState({}, write)
    with contextlib.suppress(TimeoutError), state.staged():
        inside = contextvars.copy_context()
        raise TimeoutError
    inside.run(state.update, {"cursor": 7})
    assert written == []
    assert "cursor" not in state


def test_stop_in_the_middle_of_a_blocking_receive_loses_nothing(tmp_path: Path) -> None:
    """A `def` receive that comes to its cursor after it was cut off does not move it."""
    asked, let_go, moved = threading.Event(), threading.Event(), threading.Event()

    class Slow(Plugin):
        meta = PluginMeta(id="slow", version="1")

        def session_receive(self) -> list[IncomingMessage]:
            after = self.context.state.get("after", 0)
            if not asked.is_set():
                asked.set()
                let_go.wait(BOUND)
            self.context.state["after"] = after + 1
            moved.set()
            text = f"number {after}"
            return [IncomingMessage(text, "", "chat", "alice", "Alice", text, datetime.now(UTC))]

        def stop(self) -> None:
            let_go.set()
            moved.wait(BOUND)

    config = {
        "plugins": {
            "session": {"drain": 0},
            "workspace": {"path": str(tmp_path)},
            "slow": {"access": {"open": True}},
        }
    }
    with Session(config, plugins={"slow": Slow}):
        assert asked.wait(BOUND)
    assert moved.is_set()
    with Session(config, plugins={"slow": Slow}) as session:
        assert session.poll_all_channels(wait=BOUND, limit=1)[0].content == "number 0"
