"""A person or a service manager ends a running agent."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

AGENT = """
import sys, threading
from cobot_session import Session
from cobot_session.testing import FakeChannel

fake = FakeChannel()
fake.says("first")

def answer(message):
    print("in work", flush=True)
    threading.Event().wait(600)

config = {"workspace": {"path": sys.argv[1]}, "fake": {"access": {"open": True}}}
with Session({"plugins": config}, plugins={"fake": fake.plugin}) as session:
    session.run(answer)
"""


TICK = 0.05
SIGNALLED = f"""
import os, threading, time

def tick():
    while True:
        time.sleep({TICK})
        os.write(1, b".")

def blocked(message):
    print("in work", flush=True)
    threading.Thread(target=tick, daemon=True).start()
    os.kill(os.getpid(), int(sys.argv[2]))
    threading.Event().wait(600)
{AGENT.replace("session.run(answer)", "session.run(blocked)")}"""
"""An agent that is told to end in the middle of its work, and ticks until it has ended: as often as
the time that passes has room for, and less often where the machine stands still."""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_run_within_two_seconds(tmp_path: Path, how: signal.Signals) -> None:
    """Also while a handler blocks; `run` returns, and nothing is said about it."""
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED, str(tmp_path), str(int(how))],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.stdout.startswith("in work\n")
    assert ended.stdout.count(".") * TICK < 2
    assert (ended.returncode, ended.stderr) == (0, "")


def test_sigterm_ends_a_run_that_cannot_be_interrupted(tmp_path: Path) -> None:
    """A script starts what it puts behind itself with Ctrl-C ignored."""
    ignoring = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{AGENT}"
    agent = subprocess.Popen(
        [sys.executable, "-c", ignoring, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert agent.stdout is not None
    assert agent.stdout.readline() == "in work\n"
    agent.terminate()
    _, errors = agent.communicate(timeout=50)
    assert (agent.returncode, errors) == (0, "")


HASTY = """
import signal, sys
from asyncio.selector_events import BaseSelectorEventLoop
from cobot_session import Session

number = int(sys.argv[2])
if number == signal.SIGTERM:
    signal.signal(number, lambda *_: sys.exit("told to end"))

def interrupted(self):
    signal.raise_signal(number)
    make_self_pipe(self)

make_self_pipe = BaseSelectorEventLoop._make_self_pipe
with Session({"plugins": {"workspace": {"path": sys.argv[1]}}}) as session:
    BaseSelectorEventLoop._make_self_pipe = interrupted
    session.run(print)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_a_run_begins_leaves_nothing_half_made(
    tmp_path: Path, how: signal.Signals
) -> None:
    """It ends the run and does nothing else: no loop that cannot be closed, no work not begun."""
    done = subprocess.run(
        [sys.executable, "-c", HASTY, str(tmp_path), str(int(how))],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == (how == signal.SIGTERM)
    assert "Traceback" not in done.stderr
    assert ("told to end" in done.stderr) == (how == signal.SIGTERM)
    assert "never awaited" not in done.stderr
