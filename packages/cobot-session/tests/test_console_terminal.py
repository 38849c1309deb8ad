"""A person at a real terminal, and in a real session: nothing is garbled and nothing is lost."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
import time

import pyte
import pytest

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals on this system")
termios = pytest.importorskip("termios")


BOUND = 45.0

PROGRAM = """
import logging, sys, threading, time
from pathlib import Path
from cobot_session import OutgoingMessage, Session
from cobot_session.registry import installed

logging.basicConfig(format="%(message)s")
folder = Path(sys.argv[1])
left = threading.Event()
others = {one.name: {"enabled": False} for one in installed() if one.name != "console"}
config = {"plugins": {
    **others,
    "workspace": {"path": str(folder / "workspace")},
    "console": {"name": "ann", "poll_interval": 0.1, "on_eof": left.set},
}}

def hold(meanwhile=lambda: None):
    end = time.monotonic() + 60
    while not (folder / "go").exists() and time.monotonic() < end:
        meanwhile()
        time.sleep(0.02)

def answer(message):
    match message.content.split():
        case ["leave"]:
            left.wait(60)
        case ["type"]:
            hold(lambda: session.typing("console", "terminal"))
        case ["presence", status]:
            session.presence(status)
        case ["talk"]:
            hold()
            print("printed by somebody")
            print("complained by somebody", file=sys.stderr)
            logging.warning("logged by somebody")
            for n in range(30):
                session.send(OutgoingMessage("console", "terminal", f"said {n}"))
    return f"you said {message.content}"

with Session(config) as session:
    threading.Thread(target=session.run, args=(answer,), daemon=True).start()
    try:
        while not left.wait(0.1):
            pass
        while session.status()["console"].pending:
            time.sleep(0.01)
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
print("over")
"""


class Seat:
    """A terminal with a program in it, and what a person sees there."""

    def __init__(self, *command: str) -> None:
        self._screen = pyte.HistoryScreen(80, 24, history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self._screen.write_process_input = self.types
        self._ours, theirs = pty.openpty()
        self._theirs = theirs
        self._modes_before = self._modes()
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )

    def types(self, text: str) -> None:
        os.write(self._ours, text.encode())

    @property
    def lines(self) -> list[str]:
        """What the person sees, and what has scrolled away."""
        above = ["".join(row[x].data for x in range(80)) for row in self._screen.history.top]
        return [line.rstrip() for line in [*above, *self._screen.display] if line.strip()]

    def sees(self, line: str, meanwhile=lambda: True) -> None:
        """Wait for a line that contains this."""
        self._until(lambda: any(line in shown for shown in self.lines), line, meanwhile)

    def sees_no_more(self, line: str) -> None:
        self._until(lambda: not any(line in shown for shown in self.lines), f"no {line}")

    def exit_code(self) -> int:
        """Wait for the end of the program."""
        self._until(lambda: self._process.poll() is not None, "the end")
        while self._feed(0.0):
            pass
        return self._process.returncode

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _modes(self):
        return termios.tcgetattr(self._theirs)

    def is_as_before(self) -> bool:
        return self._modes() == self._modes_before

    @property
    def echoes(self) -> bool:
        return bool(self._modes()[3] & termios.ECHO)

    def _until(self, condition, what: str, meanwhile=lambda: True) -> None:
        end = time.monotonic() + BOUND
        while not condition():
            assert meanwhile()
            assert time.monotonic() < end, f"{what!r} did not come:\n" + "\n".join(self.lines)
            self._feed(0.05)

    def _feed(self, seconds: float) -> bool:
        ready = select.select([self._ours], [], [], seconds)[0]
        if ready:
            self._stream.feed(os.read(self._ours, 65_536))
        return bool(ready)


@pytest.fixture
def sit(tmp_path):
    """Return a function that starts the program at a terminal."""
    seats = []

    def start():
        seats.append(Seat(sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path)))
        seats[-1].sees("Ctrl-D leaves")
        return seats[-1]

    yield start
    for seat in seats:
        seat.close()


def test_a_conversation(sit):
    """Each message has a number that can be referred to, and the screen is as one expects."""
    seat = sit()
    seat.types("hello\r")
    seat.sees("[2] bot> you said hello")
    seat.types("/react 2 x\r")
    seat.types("/what\r")
    seat.sees("? There is no /what")
    seat.types("bye\r")
    seat.sees("[4] bot> you said bye")
    seat.sees("[5] ann>")
    assert [line for line in seat.lines if line[0] in "[?"] == [
        "[1] ann> hello",
        "[2] bot> you said hello",
        "[3] ann> /react 2 x",
        "[3] ann> /what",
        "? There is no /what. Type /help for what there is, //what to send it as text",
        "[3] ann> bye",
        "[4] bot> you said bye",
        "[5] ann>",
    ]


def test_what_is_being_typed_is_never_disturbed(sit, tmp_path):
    """Answers, and what others print, appear above; the half-typed line stays and is sent whole."""
    seat = sit()
    seat.types("talk\r")
    seat.sees("[2] ann>")
    seat.types("half a li")
    seat.sees("ann> half a li")
    (tmp_path / "go").touch()
    for verb in ("printed", "complained", "logged"):
        seat.sees(f"{verb} by somebody")
    seat.sees("said 29")
    seat.sees("you said talk")
    seat.sees("[33] ann> half a li")
    assert sum("half a li" in line for line in seat.lines) == 1
    seat.types("ne\r")
    seat.sees("bot> you said half a line")
    said = [line.partition(" said ")[2] for line in seat.lines if "bot> said" in line]
    assert said == [str(n) for n in range(30)]


def test_what_is_typed_ahead_shows_once(sit):
    """Keys that arrive between two lines wait for the next one; the terminal never echoes them."""
    seat = sit()
    for n in range(8):
        seat.types(f"row {n}\r")
        seat.sees(f"you said row {n}", meanwhile=lambda: not seat.echoes)
    typed = [line for line in seat.lines if "row" in line and "you said" not in line]
    assert [line.partition("ann> ")[2] for line in typed] == [f"row {n}" for n in range(8)]


def test_typing_and_presence_are_shown_below(sit, tmp_path):
    """The bar says that an answer is being written until it is there, and how the agent is."""
    seat = sit()
    seat.types("type\r")
    seat.sees("bot is typing")
    (tmp_path / "go").touch()
    seat.sees("you said type")
    seat.sees_no_more("is typing")
    seat.types("presence busy\r")
    seat.sees("bot: busy")


def test_leaving_loses_no_answer(sit):
    """After Ctrl-D the answers that were still on their way are shown, and the program ends."""
    seat = sit()
    seat.types("leave\r")
    seat.sees("[2] ann>")
    seat.types("\x04")
    assert seat.exit_code() == 0
    assert seat.lines[-2:] == ["[2] bot> you said leave", "over"]
    assert seat.is_as_before()


def test_ctrl_c_ends_the_program_as_ever(sit):
    """The main thread gets its interrupt in the midst of a line, and the terminal is left clean."""
    seat = sit()
    seat.types("some words\x03")
    assert seat.exit_code() == 130
    assert seat.lines[-1] == "interrupted"
    assert seat.is_as_before()


def test_lines_are_there_the_next_time(sit, tmp_path):
    """The history is kept where only its owner can read it."""
    seat = sit()
    seat.types("a line to remember\r")
    seat.sees("you said")
    seat.types("\x04")
    assert seat.exit_code() == 0
    [history] = tmp_path.rglob("history")
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    seat = sit()
    seat.types("\x1b[A")
    seat.sees("[1] ann> a line to remember")


def test_pipes_end_clean(tmp_path):
    """With pipes the program answers all it was told, writes nothing else, and ends by itself."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path)],
        input="hello\nleave",
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
    )
    assert ended.stdout == "bot (to 1)> you said hello\nbot> you said leave\nover\n"
    assert ended.stderr == ""
