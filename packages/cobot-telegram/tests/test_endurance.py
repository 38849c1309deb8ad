"""Bursts, faults, restarts and kills: everything is handled, in order, and answered once."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

from cobot_telegram.testing import (
    Attachment,
    BotApiServer,
    CutAfter,
    CutBefore,
    Drip,
    Duplicate,
    Flood,
    Planted,
    Reorder,
    ServerError,
    User,
)

if TYPE_CHECKING:
    from pathlib import Path

AGENT = """
import os
import sys
from cobot_session.session import Session
from cobot_session.plugin import PluginMeta
from cobot_telegram import Telegram

folder, token, api_url, port = sys.argv[1:]
access = {"open": True, "rates": {"sender": 0, "chat": 0}}  # the test writes as fast as it can
block = {"bot_token": token, "api_url": api_url, "access": access}
if port != "0":
    url = f"http://127.0.0.1:{port}/hook"
    block["webhook"] = {"url": url, "secret": "s" * 20, "port": port}
settings = {"plugins": {"workspace": {"path": folder}, "telegram": block}}

def handle(message):
    os.write(1, f"{message.channel_id} {message.content}\\n".encode())  # one write: whole lines
    return "echo " + message.content

class Ends:
    meta = PluginMeta(id="ends", version="1")

    def session_on_send(self, message, receipt):
        ids = ",".join(receipt.message_ids)
        os.write(1, f"{message.channel_id} {receipt.status}={ids}={message.content}\\n".encode())

settings["plugins"]["ends"] = {}
with Session(settings, plugins={"telegram": Telegram, "ends": Ends}) as session:
    session.run(handle, concurrency=8)
"""
CHATS = 25
BURST = 25
CONCURRENCY = 10
SLOWEST = 15
"""Answers a second at least, by the published limits that are kept after a flood."""
STORM = 4
"""Sends in a row that are refused in each half of a block."""
ALBUMS = 0.04
"""The share of messages that come in pieces."""


class Agent:
    """The bot in a process of its own; what it handles is told line by line."""

    def __init__(self, server: BotApiServer, folder: Path, port: int) -> None:
        self._server = server
        script = folder / "agent.py"
        script.write_text(AGENT)
        arguments = [str(folder), server.token, server.api_url, str(port)]
        self._command = [sys.executable, str(script), *arguments]
        self.handled: list[tuple[int, str]] = []
        self.ends: list[tuple[int, str, str, str]] = []
        """Chat, status, message ids and text of every receipt that was told."""
        self.errors = folder / "errors.txt"
        self.start()

    def start(self) -> None:
        """Start the process anew, over the same folder."""
        with self.errors.open("a") as errors:
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            chat, _, text = line.rstrip("\n").partition(" ")
            status, told, rest = text.partition("=")
            with self._server.changes:
                if told:
                    self.ends.append((int(chat), status, *rest.split("=", 1)))
                else:
                    self.handled.append((int(chat), text))
                self._server.changes.notify()

    @property
    def whole(self) -> set[tuple[int, str]]:
        """What was handled, without the rest of albums: it has no text, and is nobody's count."""
        return {one for one in self.handled if one[1]}

    def wait(self, count: int) -> None:
        """Block until so many different messages have been handled."""
        self._server.changes.wait(
            lambda: len(self.whole) >= count,
            timeout=120,
            what=lambda: f"{len(self.whole)} of {count}: {self.errors.read_text()[-2000:]}",
        )

    def kill(self) -> None:
        """Leave no process behind, whatever the test came to."""
        self._process.kill()
        self._process.wait(30)
        self._reader.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def end(self, how: signal.Signals) -> int:
        self._process.send_signal(how)
        code = self._process.wait(30)
        self.kill()
        return code


def order_trouble(server: BotApiServer) -> None:
    """Plant what goes wrong for the whole run."""
    for fault in (ServerError(502), CutBefore(), CutAfter(), Duplicate(), Reorder(), Flood(1)):
        server.faults.add(fault, on="getUpdates", rate=0.04, times=None)
    for fault in (CutAfter(), Duplicate()):
        server.faults.add(fault, on="webhook", rate=0.04, times=None)
    server.faults.add(Drip(size=512, pause=0.001), on="getUpdates", rate=0.04, times=None)
    for trouble in (ServerError(502), ServerError(500, "oops")):
        server.faults.add(trouble, on="sendMessage", rate=0.003, times=None)


def order_floods(server: BotApiServer, chat: int) -> list[Planted]:
    """Plant floods on what is sent: of one chat by itself, and of whoever comes."""
    one = server.faults.add(Flood(1), on="sendMessage", chat=chat, rate=0.05, times=None)
    anybody = server.faults.add(Flood(1), on="sendMessage", rate=0.01, times=None)
    return [one, anybody]


def storm(server: BotApiServer) -> Planted:
    """Let the bot as a whole be too fast: its next calls are refused, whatever the chat."""
    return server.faults.add(Flood(1), on="sendMessage", times=STORM)


def endure(tmp_path: Path, total: int, block: int, *, port: int = 0, chats: int = CHATS) -> None:
    """Run `total` messages; in each block of them one SIGKILL and one orderly restart.

    With a port the bot is pushed updates there, without it polls.
    """
    dice = random.Random(5)  # noqa: S311
    said: dict[int, list[str]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(BotApiServer(seed=5, remember=1000))
        users = [server.user(f"User {n}") for n in range(chats)]
        order_trouble(server)
        floods = order_floods(server, users[0].id)
        agent = Agent(server, tmp_path, port)
        stack.callback(agent.kill)
        for start in range(0, total, block):
            for how in (signal.SIGKILL, signal.SIGINT):
                for _ in range(0, block // 2, BURST):
                    for chat, texts in say_some(users, said, BURST, dice).items():
                        said[chat] += texts
                floods.append(storm(server))
                enough = start + dice.randrange(1, block // 2)
                agent.wait(enough)
                agent.end(how)
                agent.start()
        agent.wait(total)
        server.bot.wait_until_confirmed(timeout=60)
        server.faults.clear()
        cut_off = total // block * CONCURRENCY  # calls a kill cut off: their outcome is unknown
        server.wait_for(
            lambda: sum(len(user.chat.answers) for user in users) >= total - cut_off,
            timeout=60 + total / SLOWEST,
            what="not every message was answered",
        )
        agent.end(signal.SIGINT)
        check(agent, users, said)
        refused = sum(flood.hits for flood in floods)
        print(f"{total} messages; {refused} sends refused with 429")
        assert refused > 0


def say_some(
    users: list[User], said: dict[int, list[str]], count: int, dice: random.Random
) -> dict[int, list[str]]:
    """Let people write one burst, and return what each chat was told, in order."""
    new: dict[int, list[str]] = defaultdict(list)
    for _ in range(count):
        user = dice.choice(users)
        text = str(len(said[user.id]) + len(new[user.id]))
        album = [Attachment("photo", b"x")] * dice.randint(2, 4) if dice.random() < ALBUMS else []
        user.says(text, files=album)
        new[user.id].append(text)
    return new


def check(agent: Agent, users: list[User], said: dict[int, list[str]]) -> None:
    """Nothing lost, first handled in order, and no answer twice.

    What has no text is the rest of an album whose pieces came too far apart, as they do where a
    restart lies between two deliveries: it is a message of its own.
    """
    firsts: dict[int, list[str]] = defaultdict(list)
    for chat, text in agent.handled:
        if text and text not in firsts[chat]:
            firsts[chat].append(text)
    assert dict(firsts) == {chat: texts for chat, texts in said.items() if texts}
    for user in users:
        texts = [text for text in user.chat.texts if text.removeprefix("echo").strip()]
        assert max(Counter(texts).values(), default=1) == 1
        in_order = [int(text.removeprefix("echo ")) for text in texts]
        assert in_order == sorted(in_order)
    chats = {user.id: user.chat for user in users}
    sent = [(chat, ids, text) for chat, status, ids, text in agent.ends if status == "sent"]
    assert sent
    for chat, ids, text in sent:
        standing = chats[chat].get(int(ids))
        assert standing is not None
        assert standing.text == text.strip()  # Telegram keeps no space at the end


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_hundred_messages_survive(tmp_path: Path) -> None:
    """The run in small: faults all along, one kill, one restart."""
    endure(tmp_path, total=100, block=100)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_deliveries_survive_too(tmp_path: Path) -> None:
    """The same by webhook: what was not confirmed when the process was killed comes again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endure(tmp_path, total=50, block=50, port=port)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_messages_survive(tmp_path: Path) -> None:
    """The run in full: in each thousand messages a kill and a restart."""
    endure(tmp_path, total=10_000, block=1000, chats=50)
