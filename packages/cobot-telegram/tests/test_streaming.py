"""Answers that grow, as people on Telegram see them."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import IncomingMessage, Session
from cobot_telegram.testing import BotApiServer, Flood

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND = 20.0
AGENT = Path(__file__).with_name("streaming_agent.py")
CODE = (
    "Look:\n\n```python\n"
    + "".join(f"print({n})\n" for n in range(1200))
    + "```\n\n**That is it.**"
)


@pytest.fixture
def server() -> Iterator[BotApiServer]:
    with BotApiServer() as server:
        yield server


def config(server: BotApiServer, folder: Path) -> dict[str, Any]:
    telegram = {"bot_token": server.token, "api_url": server.api_url, "access": {"open": True}}
    return {"plugins": {"workspace": {"path": str(folder)}, "telegram": telegram}}


def test_people_see_it_grow(server: BotApiServer, tmp_path: Path) -> None:
    """One message, shown at once, edited, and in the end whole; typing is shown meanwhile."""
    ada = server.user("Ada")
    formats: list[Any] = []

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        ada.chat.wait_for("one", timeout=BOUND)
        yield " **two**"
        shown = ada.chat.wait_for("one two", timeout=BOUND)
        formats.extend(shown.entities)
        yield " three"

    with Session(config(server, tmp_path)) as session:
        runner = threading.Thread(target=session.run, args=(handle,))
        runner.start()
        ada.says("count")
        answer = ada.chat.wait_for("one two three", timeout=BOUND)
        session.stop()
        runner.join(BOUND)
    assert answer.earlier == ["one", "one two"]
    assert formats == [{"type": "bold", "offset": 4, "length": 3}]
    assert len(ada.chat.answers) == 1
    assert "typing" in ada.chat.actions


def test_a_long_answer_opens_messages_and_keeps_its_code_whole(
    server: BotApiServer, tmp_path: Path
) -> None:
    """What outgrows a message goes on in the next; code is code in all that was ever shown."""
    ada = server.user("Ada")

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield CODE[:6000]
        ada.chat.wait_for(count=2, timeout=BOUND)
        yield CODE[6000:]

    with Session(config(server, tmp_path)) as session:
        runner = threading.Thread(target=session.run, args=(handle,))
        runner.start()
        ada.says("code")
        ada.chat.wait_for(where=lambda it: it.text.endswith("That is it."), timeout=BOUND)
        session.stop()
        runner.join(BOUND)
    shown = [text for one in ada.chat.answers for text in (*one.earlier, one.text)]
    assert len(ada.chat.answers) > 2
    assert not [text for text in shown if "```" in text]
    assert all("pre" in {entity["type"] for entity in one.entities} for one in ada.chat.answers)
    text = "".join(one.text for one in ada.chat.answers)
    assert [n for n in range(1200) if f"print({n})" not in text] == []


def test_a_flood_wait_delays_the_preview_and_loses_nothing(
    server: BotApiServer, tmp_path: Path
) -> None:
    """Told to slow down, the answer still ends whole and is one message."""
    ada = server.user("Ada")
    flood = server.faults.add(Flood(1), on="editMessageText")

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        ada.chat.wait_for("one", timeout=BOUND)
        yield " two"
        server.changes.wait(lambda: flood.hits, BOUND, lambda: "no edit came")
        yield " three"

    with Session(config(server, tmp_path)) as session:
        runner = threading.Thread(target=session.run, args=(handle,))
        runner.start()
        ada.says("count")
        ada.chat.wait_for("one two three", timeout=BOUND)
        session.stop()
        runner.join(BOUND)
    assert len(ada.chat.answers) == 1


@pytest.mark.slow
def test_after_a_kill_the_answer_goes_on_in_the_same_message(
    server: BotApiServer, tmp_path: Path
) -> None:
    """Killed in the middle of an answer, the next process ends it where it stands."""
    ada = server.user("Ada")
    written = tmp_path / "cobot.yml"
    written.write_text(
        f"plugins:\n  workspace: {{path: state}}\n  telegram:\n    bot_token: {server.token!r}\n"
        f"    api_url: {server.api_url}\n    access: {{users: ['{ada.id}']}}\n"
    )
    command = [sys.executable, str(AGENT), str(written)]
    ada.says("tell me")
    with subprocess.Popen(command, cwd=tmp_path) as first:
        ada.chat.wait_for("Once upon a time", timeout=BOUND)
        first.kill()
    with subprocess.Popen(command, cwd=tmp_path) as second:
        try:
            answer = ada.chat.wait_for("Once upon a time, and they lived.", timeout=BOUND)
        finally:
            second.terminate()
    assert [one.id for one in ada.chat.answers] == [answer.id]
    assert answer.earlier[:2] == ["Once upon", "Once upon a time"]
