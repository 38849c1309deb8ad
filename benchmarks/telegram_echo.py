"""Echo bots side by side on the local Bot API server: latency, a burst, one chat that hangs.

    pip install "cobot-telegram[testing]" aiogram
    python benchmarks/telegram_echo.py [ours application aiogram]

Each bot runs in a process of its own, the server in this one. Times are from the moment a person
writes to the moment the bot's answer reaches the server. Ours stores every message durably
(`durability: full`), the others store none.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from statistics import quantiles
from typing import TYPE_CHECKING

from cobot_telegram.testing import BotApiServer, Hang

if TYPE_CHECKING:
    from cobot_telegram.testing import User

OURS = """
import sys
from cobot_session.session import Session
token, api_url, folder = sys.argv[1:]
block = {"bot_token": token, "api_url": api_url, "access": {"open": True, "rates": {"sender": 0, "chat": 0}}}
settings = {"plugins": {"workspace": {"path": folder}, "telegram": block}}

async def echo(message):
    return message.content

with Session(settings) as session:
    session.run(echo, concurrency=64)
"""
APPLICATION = """
import sys
from telegram.ext import ApplicationBuilder, MessageHandler, filters
token, api_url, folder = sys.argv[1:]

async def echo(update, context):
    await update.message.reply_text(update.message.text)

app = ApplicationBuilder().token(token).base_url(api_url + "/bot").build()
app.add_handler(MessageHandler(filters.TEXT, echo))
app.run_polling()
"""
AIOGRAM = """
import asyncio, sys
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
token, api_url, folder = sys.argv[1:]
dispatcher = Dispatcher()

@dispatcher.message()
async def echo(message):
    await message.answer(message.text)

async def main():
    session = AiohttpSession(api=TelegramAPIServer.from_base(api_url))
    await dispatcher.start_polling(Bot(token, session=session))

asyncio.run(main())
"""
BOTS = {"ours": OURS, "application": APPLICATION, "aiogram": AIOGRAM}
STEADY, PER_SECOND = 200, 20
BURST, CHATS = 2000, 50
HANG_SECONDS = 5.0


def arrived(server: BotApiServer) -> dict[tuple[int, str], float]:
    """Return when each answer reached the server."""
    found: dict[tuple[int, str], float] = {}
    for call in server.calls("sendMessage"):
        found.setdefault((int(call.params["chat_id"]), str(call.params["text"])), call.at)
    return found


def steady(server: BotApiServer, users: list[User], tag: str, count: int) -> list[float]:
    """Write at a steady pace, and return each answer's seconds."""
    said = {}
    for number in range(count):
        user = users[number % len(users)]
        text = f"{tag} {number}"
        said[user.id, text] = time.monotonic()
        user.says(text)
        time.sleep(1 / PER_SECOND)
    server.wait_for(lambda: said.keys() <= arrived(server).keys(), timeout=60)
    times = arrived(server)
    return [times[key] - at for key, at in said.items()]


def burst(server: BotApiServer, users: list[User]) -> tuple[float, int]:
    """Write all at once; return answers a second, and how many overtook another in their chat."""
    before = len(server.calls("sendMessage"))
    started = time.monotonic()
    for number in range(BURST):
        users[number % len(users)].says(str(number))
    server.wait_for(
        lambda: (
            len(server.requests) >= before + BURST
            and len(server.calls("sendMessage")) >= before + BURST
        ),
        timeout=300,
    )
    calls = server.calls("sendMessage")[before:]
    orders: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        orders[str(call.params["chat_id"])].append(int(call.params["text"]))
    late = sum(a > b for order in orders.values() for a, b in pairwise(order))
    return BURST / (calls[-1].at - started), late


def shown(times: list[float]) -> str:
    """Return median and 99th percentile in milliseconds."""
    cuts = quantiles(times, n=100)
    return f"{cuts[49] * 1e3:8.1f} {cuts[98] * 1e3:8.1f}"


def measure(name: str) -> None:
    """Run one bot through all and print a line."""
    with BotApiServer() as server, tempfile.TemporaryDirectory() as folder:
        users = [server.user(f"User {number}") for number in range(CHATS)]
        command = [sys.executable, "-c", BOTS[name], server.token, server.api_url, folder]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own texts
        try:
            users[0].says("warm up")
            users[0].chat.wait_for("warm up", timeout=60)
            calm = steady(server, users[1:], "steady", STEADY)
            rate, late = burst(server, users[1:])
            hang = Hang(HANG_SECONDS)
            server.faults.add(hang, on="sendMessage", chat=users[0].chat)
            users[0].says("this one hangs")
            beside = steady(server, users[1:], "beside", int(HANG_SECONDS * PER_SECOND * 0.8))
        finally:
            process.terminate()
            process.wait(30)
    print(f"{name:12} {shown(calm)} {rate:10.0f} {late:6d}   {shown(beside)}", flush=True)


def main() -> None:
    """Measure the bots named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bots", nargs="*", metavar="bot", help=", ".join(BOTS))
    print("bot          echo p50      p99    burst/s   late   beside p50      p99  (ms)")
    for name in parser.parse_args().bots or BOTS:
        measure(name)


if __name__ == "__main__":
    main()
