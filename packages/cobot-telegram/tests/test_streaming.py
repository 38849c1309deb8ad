"""Answers that grow, as people on Telegram see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from telegram_growing import BOUND, STARTED, agent, go_on, running

from cobot_telegram.testing import BotApiServer, Flood

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cobot_session import IncomingMessage

CODE = (
    "Look:\n\n```python\n"
    + "".join(f"print({n})\n" for n in range(1200))
    + "```\n\n**That is it.**"
)


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

    with running(server, tmp_path, handle):
        ada.says("count")
        answer = ada.chat.wait_for("one two three", timeout=BOUND)
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

    with running(server, tmp_path, handle):
        ada.says("code")
        ada.chat.wait_for(where=lambda it: it.text.endswith("That is it."), timeout=BOUND)
    shown = [text for one in ada.chat.answers for text in (*one.earlier, one.text)]
    assert len(ada.chat.answers) > 2
    assert not [text for text in shown if "```" in text]
    assert all("pre" in {entity["type"] for entity in one.entities} for one in ada.chat.answers)
    text = "".join(one.text for one in ada.chat.answers)
    assert [n for n in range(1200) if f"print({n})" not in text] == []


@pytest.mark.slow
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

    with running(server, tmp_path, handle):
        ada.says("count")
        ada.chat.wait_for("one two three", timeout=BOUND)
    assert len(ada.chat.answers) == 1


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_after_a_kill_the_answer_goes_on_in_the_same_message(
    server: BotApiServer, tmp_path: Path
) -> None:
    """Killed in the middle of an answer, the next process ends it where it stands."""
    ada = server.user("Ada")
    ada.says("tell me")
    with agent(server, tmp_path) as first:
        ada.chat.wait_for("Once upon", timeout=STARTED)
        go_on(first)
        ada.chat.wait_for("Once upon a time", timeout=BOUND)
        first.kill()
    with agent(server, tmp_path):
        answer = ada.chat.wait_for("Once upon a time, and they lived.", timeout=STARTED)
    assert [one.id for one in ada.chat.answers] == [answer.id]
    assert answer.earlier[:2] == ["Once upon", "Once upon a time"]
