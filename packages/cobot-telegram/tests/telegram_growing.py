"""What the tests of growing answers share, be they shown by edits or as drafts."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cobot_session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cobot_telegram.testing import BotApiServer

BOUND = 40.0
STARTED = 60.0
"""Seconds within which a process that has just been started answers."""
AGENT = Path(__file__).with_name("streaming_agent.py")


def config(server: BotApiServer, folder: Path, **telegram: Any) -> dict[str, Any]:
    block = {
        "bot_token": server.token,
        "api_url": server.api_url,
        "access": {"open": True},
        **telegram,
    }
    return {"plugins": {"workspace": {"path": str(folder)}, "telegram": block}}


@contextmanager
def running(server: BotApiServer, folder: Path, handler: Any, **telegram: Any) -> Iterator[Session]:
    """Run a session whose agent answers with the handler."""
    with Session(config(server, folder, **telegram)) as session:
        runner = threading.Thread(target=session.run, args=(handler,))
        runner.start()
        try:
            yield session
        finally:
            session.stop()
            runner.join(BOUND)


@contextmanager
def agent(server: BotApiServer, folder: Path, **telegram: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run `streaming_agent.py` in a process of its own; whatever happens, it ends."""
    written = folder / "cobot.yml"
    written.write_text(json.dumps(config(server, folder / "state", **telegram)))
    command = [sys.executable, str(AGENT), str(written)]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def go_on(process: subprocess.Popen[bytes]) -> None:
    """Let the agent say the next words."""
    assert process.stdin is not None
    process.stdin.write(b"go on\n")
    process.stdin.flush()
