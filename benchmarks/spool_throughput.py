"""How fast durable messages go, beside bare `sqlite3` that commits single rows in the same run.

    python benchmarks/spool_throughput.py [--messages 4000] [--slices 8] [--durability full]

What is compared takes turns, slice by slice, so that a busy machine is busy for all of it. Prints
rows a second of bare commits, messages a second sent over 64 chats and received in batches of 100,
their ratios, and the time from `send` to a receipt that says `sent`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cobot_session import AsyncSession, IncomingMessage, OutgoingMessage, Plugin, PluginMeta

CHATS = 64
BATCH = 100
TEXT = "The quick brown fox jumps over the lazy dog. " * 4


class Instant(Plugin):
    """A network without latency: it takes what it gets, and says as many messages as it should."""

    meta = PluginMeta("instant", "1")
    numbers = iter(range(0))

    async def session_send(self, message: OutgoingMessage) -> str:
        """Take it."""
        return message.id

    async def session_receive(self) -> list[IncomingMessage]:
        """Return the next hundred."""
        now = datetime.now(UTC)
        return [
            IncomingMessage(
                str(n), "", f"chat{n % CHATS}", "someone", "Someone", TEXT, now, key=str(n)
            )
            for n in itertools.islice(self.numbers, BATCH)
        ]


@dataclass
class Tally:
    """What was done, and how long it took.

    Attributes:
        count: messages, or rows.
        seconds: for all of them.
        each: seconds of each.
    """

    count: int = 0
    seconds: float = 0.0
    each: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.count / self.seconds

    def __str__(self) -> str:
        p99 = statistics.quantiles(self.each, n=100)[98]
        return f"median {1000 * statistics.median(self.each):.2f} ms, p99 {1000 * p99:.2f} ms"


def commit_rows(db: sqlite3.Connection, rows: int, tally: Tally) -> None:
    """Commit rows one by one."""
    began = time.perf_counter()
    for n in range(rows):
        db.execute("INSERT INTO rows (chat, body) VALUES (?, ?)", (f"chat{n % CHATS}", TEXT))
    tally.seconds += time.perf_counter() - began
    tally.count += rows


async def send(session: AsyncSession, chats: int, messages: int, tally: Tally) -> None:
    """Send to chats side by side, to each one message after the other."""

    async def one_chat(chat: str) -> None:
        for _ in range(messages // chats):
            began = time.perf_counter()
            receipt = await session.send(OutgoingMessage("instant", chat, TEXT), timeout=None)
            tally.each.append(time.perf_counter() - began)
            assert receipt.status == "sent"

    began = time.perf_counter()
    await asyncio.gather(*(one_chat(f"chat{n}") for n in range(chats)))
    tally.seconds += time.perf_counter() - began
    tally.count = len(tally.each)


async def receive(session: AsyncSession, messages: int, tally: Tally) -> None:
    """Poll messages, each poll acknowledging what the last one returned."""
    Instant.numbers = iter(range(tally.count, tally.count + messages))
    received = len(await session.poll_all_channels(wait=10.0, limit=BATCH))
    began = time.perf_counter()  # the channel has noticed that there are messages
    first = received
    while received < messages:
        received += len(await session.poll_all_channels(wait=10.0, limit=BATCH))
    await session.poll_all_channels()
    tally.seconds += (time.perf_counter() - began) * messages / (messages - first)
    tally.count += messages


async def measure(folder: Path, messages: int, slices: int, durability: str) -> None:
    """Measure slice by slice, and print."""
    bare, crowded, alone, received = Tally(), Tally(), Tally(), Tally()
    config: dict[str, Any] = {
        "session": {"durability": durability},
        "workspace": {"path": str(folder)},
        "console": {"enabled": False},
        "instant": {
            "access": {"open": True, "rates": {"sender": 0, "chat": 0}},
            "poll_interval": 0.05,
        },
    }
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {durability}")
        db.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, chat TEXT, body TEXT)")
        async with AsyncSession({"plugins": config}, plugins={"instant": Instant}) as session:
            await send(session, CHATS, 10 * CHATS, Tally())
            for _ in range(slices):
                commit_rows(db, messages // slices, bare)
                await send(session, CHATS, messages // slices, crowded)
                await send(session, 1, max(messages // slices // 8, 10), alone)
                await receive(session, 4 * messages // slices, received)
    print(f"durability {durability}, {messages} messages in {slices} slices")
    print(f"bare commits         {bare.rate:6.0f}/s")
    print(f"sent, {CHATS} chats       {crowded.rate:6.0f}/s  {crowded.rate / bare.rate:5.2f}x")
    print(f"received, by {BATCH}     {received.rate:6.0f}/s  {received.rate / bare.rate:5.2f}x")
    print(f"send to sent, {CHATS} chats at once: {crowded}")
    print(f"send to sent, one by one:       {alone}")


def main() -> None:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--durability", choices=["full", "normal"], default="full")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cobot-benchmark-") as folder:
        work = measure(Path(folder), wanted.messages, wanted.slices, wanted.durability)
        asyncio.run(work)


if __name__ == "__main__":
    main()
