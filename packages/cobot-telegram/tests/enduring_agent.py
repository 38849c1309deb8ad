"""A bot of the endurance run: it echoes, and tells what it handled and what became of it."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from cobot_session import PluginMeta, Session
from cobot_telegram import Telegram

if TYPE_CHECKING:
    from cobot_session import IncomingMessage, OutgoingMessage, Receipt


def tell(line: str) -> None:
    """Print a line in one write: a kill leaves no half of it."""
    os.write(1, f"{line}\n".encode())


def handle(message: IncomingMessage) -> str:
    tell(f"{message.channel_id} {message.content}")
    return f"echo {message.content}"


class Ends:
    """Tells of every receipt."""

    meta = PluginMeta(id="ends", version="1")

    def session_on_send(self, message: OutgoingMessage, receipt: Receipt) -> None:
        ids = ",".join(receipt.message_ids)
        tell(f"{message.channel_id} {receipt.status}={ids}={message.content}")


def main(folder: str, token: str, api_url: str, port: str) -> None:
    access = {"open": True, "rates": {"sender": 0, "chat": 0}}  # the test writes as fast as it can
    block: dict[str, Any] = {"bot_token": token, "api_url": api_url, "access": access}
    if port != "0":
        url = f"http://127.0.0.1:{port}/hook"
        block["webhook"] = {"url": url, "secret": "s" * 20, "port": port}
    plugins = {"workspace": {"path": folder}, "telegram": block, "ends": {}}
    given = {"telegram": Telegram, "ends": Ends}
    with Session({"plugins": plugins}, plugins=given) as session:
        session.run(handle, concurrency=8)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)
    main(*sys.argv[1:])
