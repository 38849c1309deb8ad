"""Bursts, faults, restarts and kills: everything is handled, in order, and answered once.

What a cut-off call, or a kill in the middle of one, left of unknown outcome is a dead letter: each
message is either answered on the server, once, or told of there.
"""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cobot_session.spool.beside import Beside
from cobot_telegram.testing import (
    Attachment,
    BotApiServer,
    CutAfter,
    CutBefore,
    Drip,
    Duplicate,
    Flood,
    Hang,
    Planted,
    Reorder,
    ServerError,
    User,
)

if TYPE_CHECKING:
    from cobot_telegram.testing import Fault

AGENT = Path(__file__).with_name("enduring_agent.py")
CHATS = 25
BURST = 25
WAITING = 50
"""Updates that wait on the server at most when the next burst comes: so there are many polls."""
SLOWEST = 15
"""Answers a second at least, by the published limits that are kept after a flood."""
STORM = 4
"""Sends in a row that are refused in each half of a block."""
UNKNOWN = ("it was cut off while", "the connection was lost")
"""How the reason of a dead letter begins whose outcome is unknown: a kill, or a cut call."""
ALBUMS = 0.04
"""The share of messages that come in pieces."""


class Agent:
    """The bot in a process of its own; what it handles is told line by line."""

    def __init__(self, server: BotApiServer, folder: Path, port: int) -> None:
        self._server = server
        self._spool = Beside(folder / "session.db")
        arguments = [str(folder), server.token, server.api_url, str(port)]
        self._command = [sys.executable, str(AGENT), *arguments]
        self.handled: list[tuple[int, str]] = []
        self._whole: set[tuple[int, str]] = set()
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
                    if text:
                        self._whole.add((int(chat), text))
                self._server.changes.notify()

    @property
    def whole(self) -> set[tuple[int, str]]:
        """What was handled, without the rest of albums: it has no text, and is nobody's count."""
        return self._whole

    def keep_up(self, most: int) -> None:
        """Block until no more than so many updates wait on the server."""
        self._server.wait_for(
            lambda: len(self._server.bot.updates) <= most, 120, "updates are not fetched"
        )

    def kill(self) -> None:
        """Leave no process behind, whatever the test came to."""
        self._process.kill()
        self._process.wait(30)
        self._reader.join(20)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def settle(self, count: int, most: int = 0) -> None:
        """Block until so many messages have been handled and at most so many wait to be sent."""
        bound = 120 + count / SLOWEST
        self._server.changes.wait(
            lambda: len(self.whole) >= count - most,
            timeout=bound,
            what=lambda: f"{len(self.whole)} of {count}: {self.errors.read_text()[-2000:]}",
        )
        end = time.monotonic() + bound
        while (left := sum(one.pending for one in self._spool.counts().values())) > most:
            assert time.monotonic() < end, f"{left} wait still: {self.errors.read_text()[-2000:]}"
            time.sleep(0.1)

    def end(self, how: signal.Signals) -> None:
        """Send it a signal; one that goes on says in `errors` what it is at."""
        self._process.send_signal(how)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(2)
            pytest.fail(f"it does not end by {how.name}:\n{self.errors.read_text()[-20_000:]}")
        self.kill()

    def dead(self) -> set[tuple[int, str]]:
        """Return chat and text of what may have been sent; nothing else was given up."""
        letters = self._spool.dead_letters()
        assert {one.direction for one in letters} <= {"out"}
        assert [one.reason for one in letters if not one.reason.startswith(UNKNOWN)] == []
        return {(int(one.channel_id), one.content.strip()) for one in letters}


class Troubles:
    """What goes wrong for the whole run.

    Args:
        server: where it goes wrong.
        flooded: a chat whose own limit is met again and again.
    """

    def __init__(self, server: BotApiServer, flooded: int) -> None:
        self._faults = server.faults
        self.planted: list[Planted] = []
        for fault in (ServerError(502), CutBefore(), CutAfter(), Duplicate(), Reorder(), Flood(1)):
            self._order(fault, "getUpdates", 0.05)
        self._order(Drip(size=512, pause=0.001), "getUpdates", 0.05)
        self._order(Hang(0.5), "getUpdates", 0.05)
        for fault in (CutAfter(), Duplicate()):
            self._order(fault, "webhook", 0.04)
        for fault in (ServerError(502), ServerError(500, "oops"), Hang(0.5)):
            self._order(fault, "sendMessage", 0.003)
        for fault in (CutBefore(), CutAfter()):
            self._order(fault, "sendMessage", 0.002)
        self._order(Flood(1), "sendMessage", 0.05, chat=flooded)
        self._order(Flood(1), "sendMessage", 0.01)

    def _order(self, fault: Fault, on: str, rate: float, chat: int | None = None) -> None:
        planted = self._faults.add(fault, on=on, chat=chat, rate=rate, times=None)
        self.planted.append(planted)

    def storm(self) -> None:
        """Let the bot as a whole be too fast, and then lose two answers, whatever the chat."""
        self.planted.append(self._faults.add(Flood(1), on="sendMessage", times=STORM))
        for fault in (CutBefore(), CutAfter()):
            self.planted.append(self._faults.add(fault, on="sendMessage"))

    def hits(self) -> dict[str, int]:
        """Return how often each went wrong."""
        counted: Counter[str] = Counter()
        for one in self.planted:
            status = f" {one.fault.status}" if isinstance(one.fault, ServerError) else ""
            counted[f"{one.on} {type(one.fault).__name__}{status}"] += one.hits
        return dict(counted)


def endure(
    tmp_path: Path, total: int, block: int, *, port: int = 0, chats: int = CHATS
) -> dict[str, int]:
    """Run `total` messages; in each block of them one SIGKILL and one orderly restart.

    With a port the bot is pushed updates there, without it polls. Returns how often each trouble
    was met.
    """
    dice = random.Random(5)  # noqa: S311
    said: dict[int, list[str]] = defaultdict(list)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(BotApiServer(seed=5, remember=1000))
        users = [server.user(f"User {n}") for n in range(chats)]
        troubles = Troubles(server, users[0].id)
        agent = Agent(server, tmp_path, port)
        stack.callback(agent.kill)
        for start in range(0, total, block // 2):
            agent.settle(start, most=block // 10)
            answered = count_answers(users)
            for left in range(block // 2, 0, -BURST):
                if left <= BURST:  # before the last burst: its answers meet all of it
                    troubles.storm()
                for chat, texts in say_some(users, said, BURST, dice).items():
                    said[chat] += texts
                agent.keep_up(WAITING)
            enough = answered + dice.randrange(1, block // 2 - block // 8)
            server.wait_for(lambda: count_answers(users) >= enough, 60 + block / SLOWEST)  # noqa: B023
            agent.end(signal.SIGTERM if start % block else signal.SIGKILL)
            agent.start()
        agent.settle(total)
        server.bot.wait_until_confirmed(timeout=60)
        agent.end(signal.SIGTERM)
        unknown = check(agent, users, said)
        hits = troubles.hits()
        sent = sum(status == "sent" for _, status, _, _ in agent.ends)
        again = len(agent.handled) - len(set(agent.handled))
        print(
            f"\n{total} messages in {time.monotonic() - began:.0f} s, {total // block} kills and as"
            f" many restarts: handled {len(agent.whole)}, {again} of them again;"
            f" {sent} receipts told as sent, all on the server once;"
            f" {len(unknown)} dead letters of unknown outcome; {hits}"
        )
        return hits


def count_answers(users: list[User]) -> int:
    return sum(len(user.chat.answers) for user in users)


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


def check(agent: Agent, users: list[User], said: dict[int, list[str]]) -> set[tuple[int, str]]:
    """Nothing lost, first handled in order, no answer twice, and none missing without a word.

    What has no text is the rest of an album whose pieces came too far apart, as they do where a
    restart lies between two deliveries: it is a message of its own. An answer of unknown outcome,
    such as one that was under way when its process was killed, may arrive when it likes.
    """
    firsts: dict[int, dict[str, None]] = defaultdict(dict)
    for chat, text in agent.handled:
        if text:
            firsts[chat].setdefault(text)
    assert {chat: list(texts) for chat, texts in firsts.items()} == dict(said)
    unknown = agent.dead()
    for user in users:
        texts = [text for text in user.chat.texts if text.removeprefix("echo").strip()]
        assert max(Counter(texts).values(), default=1) == 1
        known = [text for text in texts if (user.id, text) not in unknown]
        in_order = [int(text.removeprefix("echo ")) for text in known]
        assert in_order == sorted(in_order)
        missing = {(user.id, f"echo {text}") for text in said[user.id]} - {
            (user.id, text) for text in texts
        }
        assert missing <= unknown
    check_receipts(agent, users, unknown)
    return unknown


def check_receipts(agent: Agent, users: list[User], unknown: set[tuple[int, str]]) -> None:
    """What a receipt tells of is on the server, once, and is told once."""
    chats = {user.id: user.chat for user in users}
    sent = [(chat, ids, text) for chat, status, ids, text in agent.ends if status == "sent"]
    assert sent
    assert len(sent) == len({(chat, ids) for chat, ids, _ in sent})
    for chat, ids, text in sent:
        standing = chats[chat].get(int(ids))
        assert standing is not None
        assert standing.text == text.strip()  # Telegram keeps no space at the end
    rest = {
        (chat, text.strip(), status) for chat, status, _, text in agent.ends if status != "sent"
    }
    assert rest <= {(chat, text, "unknown") for chat, text in unknown}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_hundred_messages_survive(tmp_path: Path) -> None:
    """The run in small: faults all along, one kill, one restart."""
    hits = endure(tmp_path, total=100, block=100)
    assert hits["sendMessage Flood"] >= 2 * STORM


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
    """The run in full: in each thousand messages a kill and a restart, and each trouble."""
    hits = endure(tmp_path, total=10_000, block=1000, chats=50)
    assert all(count for trouble, count in hits.items() if not trouble.startswith("webhook"))
