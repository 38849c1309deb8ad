"""Echo bots side by side on the local Bot API server: CPU, latency, a burst, one chat in trouble.

    pip install "cobot-telegram[testing]" aiogram
    python benchmarks/telegram_echo.py [ours application aiogram]

Each bot runs in a process of its own, the server in this one. Times are from the moment a person
writes to the moment the bot's answer reaches the server; they tell something on an idle machine
only. CPU is what the bot's process spends for 1,000 echoes, at a steady pace and in the burst; a
busy machine changes it little. Ours stores every message durably (`durability: full`), the others
store none.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from statistics import quantiles
from typing import TYPE_CHECKING

from cobot_telegram.testing import BotApiServer, Flood, Hang

if TYPE_CHECKING:
    from cobot_telegram.testing import Fault, User

SAID = """
import sys, time
token, api_url, folder = sys.argv[1:]

def said(text):
    return str(time.process_time()) if text == "cpu" else text
"""
OURS = """
from cobot_session.session import Session
block = {"bot_token": token, "api_url": api_url, "access": {"open": True}}
settings = {"plugins": {"workspace": {"path": folder}, "telegram": block}}

async def echo(message):
    return said(message.content)

with Session(settings) as session:
    session.run(echo, concurrency=64)
"""
APPLICATION = """
from telegram.ext import ApplicationBuilder, MessageHandler, filters

async def echo(update, context):
    await update.message.reply_text(said(update.message.text))

app = ApplicationBuilder().token(token).base_url(api_url + "/bot").build()
app.add_handler(MessageHandler(filters.TEXT, echo))
app.run_polling()
"""
AIOGRAM = """
import asyncio
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
dispatcher = Dispatcher()

@dispatcher.message()
async def echo(message):
    await message.answer(said(message.text))

async def main():
    session = AiohttpSession(api=TelegramAPIServer.from_base(api_url))
    await dispatcher.start_polling(Bot(token, session=session))

asyncio.run(main())
"""
BOTS = {"ours": SAID + OURS, "application": SAID + APPLICATION, "aiogram": SAID + AIOGRAM}
STEADY, PER_SECOND = 200, 20
BURST, CHATS = 2000, 50
TROUBLE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Burst:
    """How a burst went: answers a second, and how many overtook another in their chat."""

    rate: float
    late: int


def arrived(server: BotApiServer) -> dict[tuple[int, str], float]:
    """Return when each answer reached the server."""
    found: dict[tuple[int, str], float] = {}
    for call in server.calls("sendMessage"):
        found.setdefault((int(call.params["chat_id"]), str(call.params["text"])), call.at)
    return found


def cpu_seconds(server: BotApiServer, user: User) -> float:
    """Ask the bot how much CPU its process has used."""
    known = len(user.chat.answers)
    user.says("cpu")
    answer = user.chat.wait_for(count=known + 1, timeout=120)
    return float(answer.text)


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


def burst(server: BotApiServer, users: list[User]) -> Burst:
    """Write all at once."""
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
    return Burst(BURST / (calls[-1].at - started), late)


def beside(server: BotApiServer, users: list[User], fault: Fault) -> list[float]:
    """Return the seconds of the others while one chat's message meets a trouble."""
    tag = type(fault).__name__.lower()
    server.faults.add(fault, on="sendMessage", chat=users[0].chat)
    users[0].says(f"this one meets a {tag}")
    return steady(server, users[2:], tag, int(TROUBLE_SECONDS * PER_SECOND * 0.8))


def shown(times: list[float]) -> str:
    """Return median and 99th percentile in milliseconds."""
    cuts = quantiles(times, n=100)
    return f"{cuts[49] * 1e3:7.1f} {cuts[98] * 1e3:7.1f}"


def measure(name: str) -> None:
    """Run one bot through all and print a line."""
    with BotApiServer() as server, tempfile.TemporaryDirectory() as folder:
        users = [server.user(f"User {number}") for number in range(CHATS + 2)]
        command = [sys.executable, "-c", BOTS[name], server.token, server.api_url, folder]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own texts
        try:
            users[0].says("warm up")
            users[0].chat.wait_for("warm up", timeout=60)
            start = cpu_seconds(server, users[1])
            calm = steady(server, users[2:], "steady", STEADY)
            middle = cpu_seconds(server, users[1])
            rush = burst(server, users[2:])
            end = cpu_seconds(server, users[1])
            hung = beside(server, users, Hang(TROUBLE_SECONDS))
            flooded = beside(server, users, Flood(TROUBLE_SECONDS))
        finally:
            process.terminate()
            process.wait(30)
    cpu = f"{(middle - start) * 1000 / STEADY:7.2f} {(end - middle) * 1000 / BURST:7.2f}"
    figures = f"{shown(calm)} {rush.rate:8.0f} {rush.late:5d} {shown(hung)} {shown(flooded)}"
    print(f"{name:12}{cpu} {figures}", flush=True)


def main() -> None:
    """Measure the bots named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bots", nargs="*", metavar="bot", help=", ".join(BOTS))
    print(
        "            CPU s/1,000 echo    echo, ms         burst     beside a hang    beside a 429"
    )
    print(
        "bot          steady   burst     p50     p99   echo/s  late     p50     p99     p50     p99"
    )
    for name in parser.parse_args().bots or BOTS:
        measure(name)


if __name__ == "__main__":
    main()
