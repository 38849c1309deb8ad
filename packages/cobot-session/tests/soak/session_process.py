"""Sessions in processes that can be killed: each line of JSON on stdin forks one.

A fork of a process that has imported everything starts in milliseconds, and is a process like any
other. Its pid is printed; `end` asks it to stop, `reap` waits for it and prints how it ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import Any

from wire import Wire

from cobot_session.errors import SessionError
from cobot_session.messages import IncomingMessage, OutgoingMessage
from cobot_session.plugin import Limits, Plugin, PluginMeta
from cobot_session.session import Session

CHATS = 8


class PeerChannel(Plugin):
    """The channel to the peer."""

    meta = PluginMeta(id="peer", version="1")
    port = 0

    async def start(self) -> None:
        opened = await asyncio.gather(*(self._open() for _ in range(2)))
        self.receiving, self.sending = opened
        self.send_lock = asyncio.Lock()
        await self._ask(self.receiving, "hello")

    async def session_receive(self) -> list[IncomingMessage]:
        state = self.context.state
        ack = state.get("offset", 0)
        numbers = await self._ask(self.receiving, "receive", ack=ack)
        state["offset"] = max([ack, *numbers])
        return [
            IncomingMessage(
                id=str(number),
                channel_type="",
                channel_id=f"in{number % CHATS}",
                sender_id="peer",
                sender_name="Peer",
                content=str(number),
                timestamp=datetime.now(UTC),
                key=str(number),
            )
            for number in numbers
        ]

    async def session_send(self, message: OutgoingMessage) -> str:
        async with self.send_lock:
            answer = await self._ask(
                self.sending,
                "send",
                key=message.id,
                chat=message.channel_id,
                text=message.content,
            )
        return str(answer)

    async def _open(self) -> Any:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)

    async def _ask(self, streams: Any, op: str, **arguments: Any) -> Any:
        reader, writer = streams
        writer.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
        await writer.drain()
        return json.loads(await reader.readline())


def run(folder: str, port: int, idempotent: bool, settings: dict[str, Any]) -> None:
    """Run a session that answers everything and sends by itself, until told to end."""
    PeerChannel.port = port
    PeerChannel.limits = Limits(idempotent=idempotent)
    config = {
        "session": {"max_deliveries": 1000, "redeliver_after": 0.5, **settings},
        "workspace": {"path": folder},
        "console": {"enabled": False},
        "peer": {
            "access": {"open": True, "rates": {"sender": 0, "chat": 0}},
            "poll_interval": 0.01,
        },
    }
    session = Session({"plugins": config}, plugins={"peer": PeerChannel})
    handled = [Wire(port, None) for _ in range(CHATS)]

    def handle(message: IncomingMessage) -> str:
        chat = message.channel_id
        number = int(message.content)
        handled[int(chat[2:])].ask("handled_", chat=chat, number=number)
        return f"reply-{number}"

    def send(sender: int) -> None:
        with Wire(port, None) as wire:
            while True:
                id_ = f"s{sender}-{wire.ask('next', sender=f's{sender}')}"
                message = OutgoingMessage("peer", f"out{sender}", id_, id=id_)
                try:
                    receipt = session.send(message, timeout=None)
                except SessionError:  # it has stopped
                    return
                wire.ask("receipt", key=id_, status=receipt.status)

    with session:
        for sender in range(CHATS):
            threading.Thread(target=send, args=(sender,), daemon=True).start()
        threading.Thread(target=session.run, args=(handle, CHATS), daemon=True).start()
        sys.stdin.readline()


def forked(wanted: dict[str, Any]) -> tuple[int, int]:
    """Begin a session; return its pid, and what to close to make it stop."""
    stdin, end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(stdin)
        return pid, end
    os.close(end)
    os.dup2(stdin, 0)
    sys.stdin = os.fdopen(0, closefd=False)
    try:
        run(**wanted)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    pid, end = 0, 0
    for line in sys.stdin:
        match line.strip():
            case "end":
                os.close(end)
            case "reap":
                print(os.waitpid(pid, 0)[1], flush=True)
            case wanted:
                pid, end = forked(json.loads(wanted))
                print(pid, flush=True)


if __name__ == "__main__":
    main()
