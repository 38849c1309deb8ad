"""The cobot agent, as its own command, in a folder and a home of its own."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

Make: TypeAlias = "Callable[[dict[str, Any]], AgentProcess]"
"""Makes an agent with a configuration."""

SECONDS = 60.0
"""Bound of every wait; a machine with much else to do takes several to start an agent."""
COMMAND = Path(sys.executable).with_name("cobot")


def plugins_folder() -> Path:
    """Return where the agent's own plugins are; it looks for them below the current folder."""
    found = importlib.util.find_spec("cobot")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "plugins"


class AgentProcess:
    """One agent: its folder outlives its processes.

    Args:
        folder: its home, and where it runs.
        config: its `cobot.yml`.

    Attributes:
        variables: of its environment, beside the few that it needs.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.variables: dict[str, str] = {}
        self.log = folder / "agent.log"
        self.log.touch()
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "cobot.yml").write_text(yaml.safe_dump(config), encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """What the command sees: nothing of the person's at the keyboard."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        kept |= self.variables
        return kept | {"HOME": str(self.folder), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}

    def start(self, *options: str) -> None:
        """Run it, with its memory of what was said before."""
        command = [COMMAND, "run", "--continue", "--plugins", plugins_folder(), *options]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    def run(self, *arguments: str) -> str:
        """Run another of its commands and return what that prints."""
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end(self, number: int = signal.SIGKILL) -> int:
        """End it by a signal and return its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its own end and return its exit code."""
        assert self._process is not None
        code, self._process = self._process.wait(SECONDS), None
        return code

    def wait_logged(self, pattern: str, count: int = 1) -> re.Match[str]:
        """Wait for what stands in its log; a file tells nobody of its changes, so it is read."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = list(re.finditer(pattern, self.text()))
            if len(found) >= count:
                return found[count - 1]
            time.sleep(0.02)
        raise AssertionError(f"{pattern!r} is not in the log:\n{self.text()}")

    def text(self) -> str:
        """Return its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")
