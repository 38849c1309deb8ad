"""A peer in a process of its own, and sessions in processes that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from wire import Wire  # noqa: E402 - it stands beside this file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOUND = 120.0


@contextlib.contextmanager
def program(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program of this folder; killed when left."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / name), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


class Trial:
    """A session process, a peer process, and somebody who breaks the one against the other."""

    def __init__(
        self, sessions: subprocess.Popen[str], folder: Path, idempotent: bool, settings: Any
    ) -> None:
        self.folder = folder
        self.idempotent = idempotent
        self.settings = settings
        self.pid = 0
        self.random = random.SystemRandom()
        self._sessions = sessions
        self._peer = program("peer.py", "idempotent" if idempotent else "plain")

    def __enter__(self) -> Self:
        peer = self._peer.__enter__()
        assert peer.stdout is not None
        self.port = int(peer.stdout.readline())
        self._wire = Wire(self.port, BOUND)
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid:
            self.kill()
        self._wire.close()
        self._peer.__exit__(None, None, None)

    def ask(self, op: str, **arguments: Any) -> Any:
        return self._wire.ask(op, **arguments)

    def begin(self) -> None:
        """Start the session."""
        wanted = {
            "folder": str(self.folder),
            "port": self.port,
            "idempotent": self.idempotent,
            "settings": self.settings,
        }
        self._lives = self.ask("counts")["lives"]
        self.pid = int(self._tell(json.dumps(wanted)))

    def wait_up(self) -> None:
        """Wait until its channel has come up."""
        self.ask("wait_lives", count=self._lives + 1)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self._reap() == signal.SIGKILL

    def freeze(self, seconds: float) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGCONT)

    def fill_disk(self, room: int) -> None:
        """Let no file of the session grow beyond so many bytes."""
        import resource  # where there is one

        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

    def free_disk(self) -> None:
        import resource

        free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, free)

    def end(self) -> None:
        """Stop the session as its owner does."""
        assert self._sessions.stdin is not None
        self._sessions.stdin.write("end\n")
        assert self._reap() == 0

    def until(self, claim: Callable[[dict[str, int]], bool]) -> None:
        deadline = time.monotonic() + BOUND
        while not claim(counts := self.ask("counts")):
            assert time.monotonic() < deadline, counts
            time.sleep(0.02)

    def _tell(self, line: str) -> str:
        assert self._sessions.stdin is not None
        assert self._sessions.stdout is not None
        self._sessions.stdin.write(line + "\n")
        self._sessions.stdin.flush()
        return self._sessions.stdout.readline()

    def _reap(self) -> int:
        status = int(self._tell("reap"))
        self.pid = 0
        return os.waitstatus_to_exitcode(status) if not os.WIFSIGNALED(status) else status & 0x7F


@pytest.fixture(scope="session")
def sessions() -> Iterator[subprocess.Popen[str]]:
    """The process that sessions are forked from."""
    with program("session_process.py") as process:
        yield process


@pytest.fixture
def trial(tmp_path: Path, sessions: subprocess.Popen[str]) -> Iterator[Callable[..., Trial]]:
    """Make a trial: `trial(idempotent=True, **session_settings)`."""
    with contextlib.ExitStack() as begun:

        def begin(*, idempotent: bool, folder: Path | None = None, **settings: Any) -> Trial:
            one = Trial(sessions, folder or tmp_path, idempotent, settings)
            return begun.enter_context(one)

        yield begin
