"""The command in real processes, and a chat network that it can reach over a socket."""

from __future__ import annotations

import fcntl
import json
import os
import queue
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pyte
import pytest

from cobot_session.spool.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session import Status

HERE = Path(__file__).parent
BOUND = 60.0
"""Seconds that anything may take: a bound, no claim of speed."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test of this folder: Python begins anew for every command that it runs."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("process")


COMMAND = [sys.executable, "-m", "cobot_session.cli"]

WIRE = """
import asyncio
import json
from datetime import datetime, timezone

from pydantic import BaseModel, SecretStr

from cobot_session import (
    IncomingMessage, AuthError, OutcomeUnknown, PermanentError, Plugin, PluginMeta, RateLimited,
    TemporaryError,
)


class Settings(BaseModel):
    port: int
    token: SecretStr = SecretStr("")
    open: bool = True

    def access(self):
        return {"open": self.open}


class Wire(Plugin):
    meta = PluginMeta("wire", "1.0")
    config_model = Settings

    async def start(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.config.port)

    async def stop(self):
        if hasattr(self, "writer"):
            self.writer.close()

    async def session_receive(self):
        line = await self.reader.readline()
        if not line:
            raise TemporaryError("the other end has gone")
        fields = {"id": "m1", "channel_id": "main", "sender_id": "1", "sender_name": "Ann"}
        fields |= json.loads(line)
        now = datetime.now(timezone.utc)
        return [IncomingMessage(channel_type="", timestamp=now, **fields)]

    async def session_send(self, message):
        if message.content == "refuse":
            raise PermanentError("refused by the wire")
        if message.content.startswith("too fast"):
            scope = "channel" if "all" in message.content else "chat"
            raise RateLimited(7200, scope=scope)
        if message.content == "revoked":
            raise AuthError("the token is refused")
        if message.content == "unknown":
            raise OutcomeUnknown("nobody answered")
        line = json.dumps({"chat": message.channel_id, "text": message.content})
        self.writer.write(line.encode() + b"\\n")
        await self.writer.drain()
        if "no end" in message.content:
            await asyncio.Event().wait()
        return "w1"

    def session_default_chat(self):
        return "main"
"""


class Site:
    """A folder of installed packages, as `pip` leaves them, on the command's path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def install(
        self, name: str, plugins: dict[str, str], version: str = "1.0", **modules: str
    ) -> None:
        """Put a distribution there: entry points, and module name -> source."""
        for module, source in modules.items():
            (self.folder / f"{module}.py").write_text(dedent(source))
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        points = "".join(f"{key} = {value}\n" for key, value in plugins.items())
        (info / "entry_points.txt").write_text(f"[cobot.plugins]\n{points}")


class Peer:
    """The other end of the channel `wire`: says and hears lines."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(1.0)  # to see now and then whether it is closed
        self.port: int = self._server.getsockname()[1]
        self._heard: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._changed = threading.Condition()
        self._connection: socket.socket | None = None
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def says(self, content: str, **fields: Any) -> None:
        """Let somebody say something, once the channel is there."""
        with self._changed:
            connection = self._changed.wait_for(self._open, BOUND)
            assert connection, "nobody has connected"
            line = json.dumps({"content": content, **fields})
            connection.sendall(line.encode() + b"\n")

    def hears(self) -> dict[str, Any]:
        """Return the next thing that was sent."""
        heard = self._heard.get(timeout=BOUND)
        assert heard is not None
        return heard

    def close(self) -> None:
        self._closed = True
        self._server.close()

    def _open(self) -> socket.socket | None:
        """Return the connection, unless its other end has gone and was not noticed yet."""
        try:
            has_ended = self._connection and not self._connection.recv(
                1, socket.MSG_PEEK | socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return self._connection
        except OSError:
            return None
        return None if has_ended else self._connection

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            connection.settimeout(None)
            with self._changed:
                self._connection = connection
                self._changed.notify_all()
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile() as lines:
            try:
                for line in lines:
                    self._heard.put(json.loads(line))
            except OSError:
                pass
            with self._changed:
                if self._connection is connection:
                    self._connection = None


class Cli:
    """Runs `cobot-session` in a folder of its own, with nobody's settings."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self.site = site
        self.workspace = folder / "workspace"
        self.env = {
            key: value
            for key, value in os.environ.items()
            if key not in {"COBOT_CONFIG", "COLUMNS", "FORCE_COLOR", "TERM"} and key[:6] != "PYTHON"
        } | {
            "PYTHONPATH": str(site.folder),
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
        }
        self._running: list[Running | Seat] = []

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder that the command runs in."""
        path = self.folder / name
        path.write_text(dedent(text))
        return path

    def configure(self, plugins: dict[str, Any]) -> None:
        """Write a cobot.yml, which JSON is, too."""
        blocks = {"workspace": {"path": str(self.workspace)}, **plugins}
        self.write("cobot.yml", json.dumps({"plugins": blocks}))

    def __call__(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.env | (env or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )

    def start(self, *arguments: str, stdout: int = subprocess.PIPE) -> Running:
        """Start a command that goes on."""
        running = Running(
            subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        self._running.append(running)
        return running

    def is_told(self, is_so: Callable[[Status], bool]) -> None:
        """Wait until a session tells that of `wire`; a test's time limit is the bound."""
        spool = Beside(self.workspace / "session.db")
        while (told := spool.published()) is None or not is_so(told.statuses["wire"]):
            time.sleep(0.02)

    def sit_down(self, *arguments: str) -> Seat:
        """Start a command in a terminal."""
        seat = Seat([*COMMAND, *arguments], self.folder, self.env)
        self._running.append(seat)
        return seat

    def end(self) -> None:
        for running in self._running:
            running.kill()


class Running:
    """A command that goes on, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid
        self._out = _lines(process.stdout or ())
        self._err = _lines(process.stderr)
        self.said = ""

    def prints(self) -> str:
        """Return the next line of standard output."""
        line = self._out.get(timeout=BOUND)
        assert line is not None, f"it ended; it said: {self.rest_of_log()}"
        return line

    def logs(self, text: str) -> str:
        """Wait for a line with this text on standard error, and return it."""
        while True:
            line = self._err.get(timeout=BOUND)
            assert line is not None, f"it ended without {text!r}; it said: {self.said}"
            self.said += line
            if text in line:
                return line

    def rest_of_log(self) -> str:
        """Return everything on standard error, once it has ended."""
        while (line := self._err.get(timeout=BOUND)) is not None:
            self.said += line
        self._err.put(None)
        return self.said

    def interrupt(self, how: int = signal.SIGINT) -> int:
        """Press Ctrl-C, and return the exit code."""
        self.process.send_signal(how)
        return self.ends()

    def ends(self) -> int:
        """Return the exit code."""
        return self.process.wait(BOUND)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


class Seat:
    """A command in a terminal, and what a person sees there."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self._screen = pyte.HistoryScreen(80, 24, history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self._screen.write_process_input = self.types
        self._ours, self._theirs = os.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env | {"TERM": "xterm-256color"},
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
        )

    def types(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    @property
    def lines(self) -> list[str]:
        """What the person sees, and what has scrolled away."""
        above = ["".join(row[x].data for x in range(80)) for row in self._screen.history.top]
        return [line.rstrip() for line in [*above, *self._screen.display] if line.strip()]

    def sees(self, text: str) -> None:
        """Wait for a line with this text."""
        end = time.monotonic() + BOUND
        while not any(text in line for line in self.lines):
            assert time.monotonic() < end, f"no {text!r} in {self.lines}"
            self._feed()

    def ends(self) -> int:
        """Return the exit code."""
        end = time.monotonic() + BOUND
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end: {self.lines}"
            self._feed()
        while self._feed():
            pass
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _feed(self) -> bool:
        if not select.select([self._ours], [], [], 0.1)[0]:
            return False
        self._stream.feed(os.read(self._ours, 65_536))
        return True


def _lines(stream: Any) -> queue.Queue[str | None]:
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        try:
            for line in stream:
                lines.put(line)
        except ValueError:  # it was closed
            pass
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


@pytest.fixture
def site(tmp_path):
    """A folder of installed packages."""
    return Site(tmp_path / "site")


@pytest.fixture
def cli(tmp_path, site):
    """The command."""
    folder = tmp_path / "here"
    folder.mkdir()
    cli = Cli(folder, site)
    yield cli
    cli.end()


@pytest.fixture
def peer(cli):
    """The other end of the channel `wire`, which is installed and configured."""
    peer = Peer()
    cli.site.install("cobot-wire", {"wire": "wire:Wire"}, "2.5", wire=WIRE)
    cli.configure({"wire": {"port": peer.port}})
    yield peer
    peer.close()
