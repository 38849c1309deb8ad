"""Answers that grow as drafts, as people on Telegram see them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
import telegram_growing
from telegram_growing import BOUND, STARTED, agent, go_on

from cobot_telegram.addresses import draft_number
from cobot_telegram.testing import BotApiServer, Flood, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cobot_session import IncomingMessage, Session
    from cobot_telegram.testing import Chat

LONG = "".join(f"Sentence number {n} of a long answer. " for n in range(200))


def running(
    server: BotApiServer, folder: Path, handler: Any, **telegram: Any
) -> AbstractContextManager[Session]:
    """Run a session whose answers grow as drafts."""
    return telegram_growing.running(server, folder, handler, **{"streaming": "draft", **telegram})


def wire(server: BotApiServer) -> list[tuple[str, str]]:
    """Return what the server was asked to show and to send, in order; a repetition once.

    Where the agent is slow to go on, what it said last is shown before it is the end.
    """
    shown = {"sendMessageDraft", "sendMessage", "editMessageText"}
    asked = [(one.method, one.params["text"]) for one in server.requests if one.method in shown]
    return [one for one, _ in groupby(asked)]


def drafted(chat: Chat) -> list[str]:
    """Return the drafts that a chat was shown."""
    return [one.text for one in chat.drafts]


def test_people_see_it_grow_and_get_one_message(server: BotApiServer, tmp_path: Path) -> None:
    """Drafts of one number, formatted, then one message that takes their place."""
    ada = server.user("Ada")
    formats: list[Any] = []

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        ada.chat.wait_for_draft("one", timeout=BOUND)
        yield " **two**"
        formats.extend(ada.chat.wait_for_draft("one two", timeout=BOUND).entities)
        yield " three"

    with running(server, tmp_path, handle):
        asked = ada.says("count")
        answer = ada.chat.wait_for("one two three", timeout=BOUND)
    whole = ("sendMessageDraft", "one two three")
    assert [one for one in wire(server) if one != whole] == [
        ("sendMessageDraft", "one"),
        ("sendMessageDraft", "one two"),
        ("sendMessage", "one two three"),
    ]
    assert formats == [{"type": "bold", "offset": 4, "length": 3}]
    assert len({one.id for one in ada.chat.drafts}) == 1
    assert (ada.chat.draft, answer.earlier, answer.reply_to) == (None, [], asked)
    assert "typing" in ada.chat.actions


def test_in_a_group_it_grows_by_edits(server: BotApiServer, tmp_path: Path) -> None:
    """Groups have no drafts: nothing is asked of Telegram in vain, and the message is edited."""
    ada, group = server.user("Ada"), server.group("Main")

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        group.wait_for("one", timeout=BOUND)
        yield " two"

    with running(server, tmp_path, handle):
        ada.says("count", chat=group)
        group.wait_for("one two", timeout=BOUND)
    assert wire(server) == [("sendMessage", "one"), ("editMessageText", "one two")]


def test_unless_asked_for_it_grows_by_edits(server: BotApiServer, tmp_path: Path) -> None:
    """Drafts are a choice; the default is what works everywhere."""
    ada = server.user("Ada")

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        ada.chat.wait_for("one", timeout=BOUND)
        yield " two"

    with running(server, tmp_path, handle, streaming="edit"):
        ada.says("count")
        ada.chat.wait_for("one two", timeout=BOUND)
    assert wire(server) == [("sendMessage", "one"), ("editMessageText", "one two")]


@pytest.mark.slow
def test_a_flood_wait_delays_the_drafts_and_loses_nothing(
    server: BotApiServer, tmp_path: Path
) -> None:
    """Told to slow down, drafts wait as told and go on; the answer is whole, and one message."""
    ada = server.user("Ada")
    flood = server.faults.add(Flood(2), on="sendMessageDraft")

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        server.wait_for(lambda: flood.hits, BOUND)
        yield " two"
        ada.chat.wait_for_draft("one two", timeout=BOUND)
        yield " three"

    with running(server, tmp_path, handle):
        ada.says("count")
        ada.chat.wait_for("one two three", timeout=BOUND)
    first, second = [one.at for one in server.requests if one.method == "sendMessageDraft"][:2]
    assert second - first >= 2
    assert ada.chat.texts == ["one two three"]


def test_a_flood_at_the_end_delays_no_answer(server: BotApiServer, tmp_path: Path) -> None:
    """However long drafts have to wait, the answer itself is sent at once."""
    ada = server.user("Ada")
    flood = server.faults.add(Flood(3600), on="sendMessageDraft")

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        server.wait_for(lambda: flood.hits, BOUND)
        yield " two"

    with running(server, tmp_path, handle):
        ada.says("count")
        ada.chat.wait_for("one two", timeout=BOUND)
    assert wire(server) == [("sendMessageDraft", "one"), ("sendMessage", "one two")]


def test_a_refused_draft_is_a_message_that_is_edited(server: BotApiServer, tmp_path: Path) -> None:
    """Where Telegram refuses drafts, the answer grows by edits, and drafts are not tried again."""
    ada = server.user("Ada")
    words = "Bad Request: TEXTDRAFT_PEER_INVALID"
    server.faults.add(ServerError(400, words), on="sendMessageDraft", times=None)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        ada.chat.wait_for("one", timeout=BOUND)
        yield " two"

    with running(server, tmp_path, handle):
        ada.says("count")
        ada.chat.wait_for("one two", timeout=BOUND)
    assert wire(server) == [
        ("sendMessageDraft", "one"),
        ("sendMessage", "one"),
        ("editMessageText", "one two"),
    ]


def test_a_long_answer_shows_its_last_part(server: BotApiServer, tmp_path: Path) -> None:
    """What outgrows a message is shown from there on; in the end all of it is there, in order."""
    ada = server.user("Ada")

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield LONG[:3000]
        ada.chat.wait_for_draft(timeout=BOUND)
        yield LONG[3000:]
        server.wait_for(lambda: len(ada.chat.drafts) > 1, BOUND)

    with running(server, tmp_path, handle):
        ada.says("write")
        ada.chat.wait_for(count=2, timeout=BOUND)
    assert " ".join(ada.chat.texts).split() == LONG.split()
    beginning, end = drafted(ada.chat)
    assert LONG.startswith(beginning)
    assert end == ada.chat.texts[-1]


def test_code_is_code_in_every_draft(server: BotApiServer, tmp_path: Path) -> None:
    """A block of code that is still being written is shown as one."""
    ada = server.user("Ada")

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "Look:\n\n```python\nprint(1)\n"
        shown = ada.chat.wait_for_draft(timeout=BOUND)
        assert "`" not in shown.text
        yield "print(2)\n"
        ada.chat.wait_for_draft("Look:\n\nprint(1)\nprint(2)", timeout=BOUND)
        yield "```\n\nThat is it."

    with running(server, tmp_path, handle):
        ada.says("code")
        ada.chat.wait_for(where=lambda one: one.text.endswith("That is it."), timeout=BOUND)
    for shown in (*ada.chat.drafts, *ada.chat.answers):
        assert "pre" in {entity["type"] for entity in shown.entities}


def test_numbers_of_drafts_are_steady_and_never_nought() -> None:
    """Each answer has a number of its own, the same at every call, that JSON holds exactly."""
    numbers = {draft_number(f"answer {n}") for n in range(1000)}
    assert len(numbers) == 1000
    assert all(0 < number < 2**52 for number in numbers)
    assert draft_number("a") == draft_number("a")


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_cut_off_in_the_middle_it_ends_as_one_message(
    server: BotApiServer, tmp_path: Path, how: str
) -> None:
    """Killed or stopped in the middle of an answer, the next process shows and sends it, once."""
    ada = server.user("Ada")
    ada.says("tell me")
    with agent(server, tmp_path, streaming="draft") as first:
        ada.chat.wait_for_draft("Once upon", timeout=STARTED)
        go_on(first)
        ada.chat.wait_for_draft("Once upon a time", timeout=BOUND)
        getattr(first, how)()
        first.wait(BOUND)
    assert ada.chat.answers == ()
    with agent(server, tmp_path, streaming="draft"):
        ada.chat.wait_for(timeout=STARTED)
    assert ada.chat.texts == ["Once upon a time, and they lived."]
    assert len({one.id for one in ada.chat.drafts}) == 1
