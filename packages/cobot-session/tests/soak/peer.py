"""A chat network in a process of its own: it remembers what it was told and what reached it.

One line of JSON each way. It prints its port; whoever connects may:

    receive   take what is new after `ack`; by asking, what came up to `ack` is told to be accepted
    send      have a message delivered; a network that is `idempotent` delivers an id once
    handled   say that the agent was given a message
    receipt   say what a send's receipt was
    next      ask for the number of a sender's next message: the first without a receipt
    hello     say that a session's channel has come up
    limit     set how many messages there are, each way
    lives     wait until so many channels have come up
    facts     ask for everything that is remembered
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter, defaultdict
from typing import Any

CHATS = 8
BATCH = 20
LONG_POLL = 0.1

chance = random.SystemRandom()


class Peer:
    """The network's memory."""

    def __init__(self, idempotent: bool) -> None:
        self.idempotent = idempotent
        self.limit = 0
        self.accepted = 0
        self.lives = 0
        self.changed = asyncio.Condition()
        self.handled: dict[str, list[int]] = defaultdict(list)
        self.effects: Counter[str] = Counter()
        self.arrivals: Counter[str] = Counter()
        self.order: dict[str, list[str]] = defaultdict(list)
        self.receipts: dict[str, str] = {}
        self.done: Counter[str] = Counter()
        self.reached: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                request = json.loads(line)
                answer = await getattr(self, request.pop("op"))(**request)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, json.JSONDecodeError):
            pass  # it was killed
        finally:
            writer.close()

    async def receive(self, ack: int) -> list[int]:
        self.accepted = max(self.accepted, ack)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wait(lambda: ack < self.limit), LONG_POLL)
        return list(range(ack + 1, min(ack + 1 + chance.randint(1, BATCH), self.limit + 1)))

    async def send(self, key: str, chat: str, text: str) -> str:
        self.arrivals[text] += 1
        if not (self.idempotent and key in self.reached):
            self.effects[text] += 1
            self.order[chat].append(text)
        self.reached.add(key)
        await self._tell()
        return f"p-{key}"

    async def handled_(self, chat: str, number: int) -> None:
        self.handled[chat].append(number)
        await self._tell()

    async def receipt(self, key: str, status: str) -> None:
        if key not in self.receipts:
            self.done[key.partition("-")[0]] += 1
        self.receipts[key] = status
        await self._tell()

    async def next(self, sender: str) -> int:
        await self._wait(lambda: self.done[sender] < self.limit // CHATS)
        return self.done[sender]

    async def hello(self) -> bool:
        self.lives += 1
        await self._tell()
        return self.idempotent

    async def set_limit(self, limit: int) -> None:
        self.limit = limit
        await self._tell()

    async def wait_lives(self, count: int) -> None:
        await self._wait(lambda: self.lives >= count)

    async def facts(self) -> dict[str, Any]:
        return {
            "limit": self.limit,
            "accepted": self.accepted,
            "handled": self.handled,
            "effects": self.effects,
            "arrivals": self.arrivals,
            "order": self.order,
            "receipts": self.receipts,
        }

    async def counts(self) -> dict[str, int]:
        return {
            "limit": self.limit,
            "accepted": self.accepted,
            "lives": self.lives,
            "handled": len({n for numbers in self.handled.values() for n in numbers}),
            "receipts": len(self.receipts),
            "effects": len(self.effects),
        }

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _wait(self, claim: Any) -> None:
        async with self.changed:
            await self.changed.wait_for(claim)


async def main(idempotent: bool) -> None:
    peer = Peer(idempotent)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, limit=2**24)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] == "idempotent"))
