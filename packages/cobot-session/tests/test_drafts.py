"""Answers that grow as drafts: what people see meanwhile, and what they have in the end."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import pytest
from growing import BOUND, QUICK, SMALL, running, seen, typing_code, wait_for

from cobot_session import (
    IncomingMessage,
    Limits,
    OutgoingMessage,
    PermanentError,
    RateLimited,
    TemporaryError,
)
from cobot_session.testing import FakeChannel, FakePlugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def network(limits: Limits = QUICK) -> FakeChannel:
    return FakeChannel(limits, shows_drafts=True)


def drafts(fake: FakeChannel) -> list[str]:
    """Return the drafts that people have seen, in order."""
    return [content for _, _, content in fake.drafts]


def test_answer_grows_as_a_draft_and_ends_as_one_message(tmp_path: Path) -> None:
    """Each state takes the place of the one before; the end is the first that is sent."""
    fake = network()

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        wait_for(lambda: fake.draft == {"chat": "one "})
        yield "two "
        wait_for(lambda: fake.draft == {"chat": "one two "})
        yield "three"

    with running(tmp_path, fake, handle):
        fake.says("count")
        fake.wait_for_sent(1, BOUND)
    assert drafts(fake)[:2] == ["one ", "one two "]
    assert len({id_ for _, id_, _ in fake.drafts}) == 1
    assert seen(fake) == fake.texts() == ["one two three"]
    assert fake.sent[0].reply_to == "m1"
    assert (fake.edits, fake.draft) == ([], {})


def test_drafts_keep_the_channels_pace(tmp_path: Path) -> None:
    """Between two drafts lies at least what the channel asks for."""
    fake = network(Limits(edit_seconds=0.2))
    times: list[float] = []

    class Timed(FakePlugin):
        async def session_draft(self, message: OutgoingMessage) -> bool:
            times.append(time.monotonic())
            return await super().session_draft(message)

    def handle(message: IncomingMessage) -> Iterator[str]:
        for number in itertools.count():
            yield f"{number} "
            threading.Event().wait(0.01)
            if len(times) >= 4:
                return

    with running(tmp_path, fake, handle, lambda: Timed(fake)):
        fake.says("count")
        fake.wait_for_sent(1, BOUND)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) >= 0.19


def test_a_draft_is_renewed_before_it_fades(tmp_path: Path) -> None:
    """An agent that thinks for long keeps what it has said before people's eyes."""
    fake = network(Limits(edit_seconds=0.01, draft_seconds=0.1))

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "let me see"
        wait_for(lambda: len(fake.drafts) >= 3)
        yield ": no"

    with running(tmp_path, fake, handle):
        fake.says("x")
        fake.wait_for_sent(1, BOUND)
    assert drafts(fake)[:3] == ["let me see"] * 3
    assert seen(fake) == ["let me see: no"]


def test_the_last_part_is_shown_of_a_long_answer(tmp_path: Path) -> None:
    """What is being written is seen, within the limit; in the end all parts are there."""
    fake = network(SMALL)
    words = [f"word{number} " for number in range(18)]

    def handle(message: IncomingMessage) -> Iterator[str]:
        for number, word in enumerate(words):
            yield word
            wait_for(lambda number=number: f"word{number} " in fake.draft.get("chat", ""))

    with running(tmp_path, fake, handle):
        fake.says("write")
        wait_for(lambda: "".join(seen(fake)) == "".join(words))
    assert all(len(text) <= 40 for text in drafts(fake))
    assert len({id_ for _, id_, _ in fake.drafts}) == 1
    assert len(fake.sent) == 4
    assert fake.edits == []


def test_code_is_whole_in_every_draft(tmp_path: Path) -> None:
    """Whatever is shown of a code block, its fences are pairs."""
    fake = network(SMALL)

    with running(tmp_path, fake, typing_code(lambda: len(fake.drafts))):
        fake.says("code")
        wait_for(lambda: seen(fake) and seen(fake)[-1].endswith("`it`.\n"))
    assert len(fake.drafts) > 5
    for text in [*drafts(fake), *fake.texts()]:
        assert text.count("```") % 2 == 0, text


@pytest.mark.parametrize("refuses", [False, True])
def test_where_there_are_no_drafts_it_grows_by_edits(tmp_path: Path, refuses: bool) -> None:
    """A chat without drafts, told or refused by the platform, is asked once for each answer."""
    fake = FakeChannel(QUICK)
    asked: list[str] = []

    class Edited(FakePlugin):
        async def session_draft(self, message: OutgoingMessage) -> bool:
            asked.append(message.content)
            if refuses:
                raise PermanentError("not in a group")
            return False

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        fake.wait_for_sent(1, BOUND)
        yield "two "
        wait_for(lambda: seen(fake) == ["one two "])
        yield "three"

    with running(tmp_path, fake, handle, lambda: Edited(fake)):
        fake.says("count")
        wait_for(lambda: seen(fake) == ["one two three"])
    assert asked == ["one "]
    assert fake.texts() == ["one "]


def test_refused_in_the_middle_it_goes_on_by_edits(tmp_path: Path) -> None:
    """A draft that the platform takes no more costs nothing: the message is opened instead."""
    fake = network()

    class Once(FakePlugin):
        async def session_draft(self, message: OutgoingMessage) -> bool:
            if self.network.drafts:
                raise PermanentError("no more of them")
            return await super().session_draft(message)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        wait_for(lambda: fake.drafts)
        yield "two "
        fake.wait_for_sent(1, BOUND)
        yield "three"

    with running(tmp_path, fake, handle, lambda: Once(fake)):
        fake.says("count")
        wait_for(lambda: seen(fake) == ["one two three"])
    assert drafts(fake) == ["one "]
    assert fake.texts() == ["one two "]


def test_a_channel_with_drafts_only_gets_the_whole_where_it_has_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without edits to fall back on, the end is one message, and that is no news for the log."""
    caplog.set_level("INFO", "cobot_session")
    fake = FakeChannel(QUICK)

    class Plain(FakePlugin):
        session_edit = None  # type: ignore[assignment]

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        yield "two"

    with running(tmp_path, fake, handle, lambda: Plain(fake)):
        fake.says("x")
        fake.wait_for_sent(1, BOUND)
    assert (fake.texts(), fake.drafts, fake.edits) == (["one two"], [], [])
    assert "draft" not in caplog.text


@pytest.mark.parametrize("trouble", [RateLimited(60), TemporaryError("busy"), RuntimeError("odd")])
def test_trouble_with_drafts_delays_no_answer(tmp_path: Path, trouble: Exception) -> None:
    """Told to wait, or failing, no draft is shown for a while; the whole comes at once."""
    fake = network()
    failed = threading.Event()

    class Failing(FakePlugin):
        async def session_draft(self, message: OutgoingMessage) -> bool:
            failed.set()
            raise trouble

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        assert failed.wait(BOUND)
        yield "two"

    with running(tmp_path, fake, handle, lambda: Failing(fake)):
        fake.says("x")
        fake.wait_for_sent(1, BOUND)
    assert fake.texts() == ["one two"]
    assert fake.edits == []


def test_after_a_pause_drafts_go_on(tmp_path: Path) -> None:
    """A rate limit is no refusal: when it is over, the draft grows on."""
    fake = network()
    limited: list[float] = []

    class Limited(FakePlugin):
        async def session_draft(self, message: OutgoingMessage) -> bool:
            if not limited:
                limited.append(time.monotonic())
                raise RateLimited(0.3)
            limited.append(time.monotonic())
            return await super().session_draft(message)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        wait_for(lambda: fake.drafts)
        yield "two"

    with running(tmp_path, fake, handle, lambda: Limited(fake)):
        fake.says("x")
        fake.wait_for_sent(1, BOUND)
    assert limited[1] - limited[0] >= 0.29
    assert drafts(fake)[0] == "one "


def test_no_draft_overtakes_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end waits for a draft that is under way, so that none is seen beside it."""
    monkeypatch.setattr("cobot_session.drafts._SETTLE_SECONDS", 3600.0)
    fake = network()
    called, let_go = threading.Event(), threading.Event()
    order: list[str] = []

    class Slow(FakePlugin):
        def session_draft(self, message: OutgoingMessage) -> bool:
            called.set()
            assert let_go.wait(BOUND)
            order.append("draft")
            return self.network.show_draft(message)

        async def session_send(self, message: OutgoingMessage) -> str:
            order.append("send")
            return await super().session_send(message)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        assert called.wait(BOUND)
        threading.Timer(0.2, let_go.set).start()

    with running(tmp_path, fake, handle, lambda: Slow(fake)):
        fake.says("x")
        fake.wait_for_sent(1, BOUND)
    assert order == ["draft", "send"]


def test_an_answer_tried_again_is_one_draft_and_one_message(tmp_path: Path) -> None:
    """An answer that breaks off leaves no message; the next try shows the same draft."""
    fake = network()
    tries = []

    def handle(message: IncomingMessage) -> Iterator[str]:
        tries.append(message)
        yield f"try {len(tries)}: half"
        wait_for(lambda: fake.draft == {"chat": f"try {len(tries)}: half"})
        if len(tries) == 1:
            raise RuntimeError("the model is down")
        yield " and the rest"

    with running(tmp_path, fake, handle):
        fake.says("x")
        fake.wait_for_sent(1, BOUND)
    assert len({id_ for _, id_, _ in fake.drafts}) == 1
    assert seen(fake) == fake.texts() == ["try 2: half and the rest"]


@pytest.mark.parametrize("parts", [1, 3])
def test_an_answer_that_was_sent_is_edited_when_tried_again(tmp_path: Path, parts: int) -> None:
    """A handler that fails after its `stream` has ended does not double what that has sent."""
    fake = network(SMALL)
    tries = []

    def chunks() -> Iterator[str]:
        yield f"try {len(tries)} "
        if len(tries) == 1:
            wait_for(lambda: fake.draft)
        else:
            wait_for(lambda: seen(fake)[0] == "try 2 ")
        yield from ["words and words of it "] * (2 * parts - 2)

    def stream(message: IncomingMessage) -> None:
        tries.append(message)
        session.stream(message, chunks())
        if len(tries) == 1:
            raise RuntimeError("failed after it")

    with running(tmp_path, fake, stream) as session:
        fake.says("x")
        wait_for(lambda: len(tries) == 2 and session.status()["fake"].pending == 0)
    assert len(fake.sent) == parts
    assert len(fake.posts) == parts
    assert "".join(seen(fake)) == "try 2 " + "words and words of it " * (2 * parts - 2)


def test_a_draft_goes_only_where_the_agent_may_write(tmp_path: Path) -> None:
    """`access.send_to` bounds drafts as it bounds messages."""
    fake = network()

    handled = []

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        if message.channel_id == "elsewhere":
            wait_for(lambda: fake.draft)
        else:
            threading.Event().wait(0.2)
        handled.append(message.channel_id)

    with running(tmp_path, fake, handle, open=True, send_to=["elsewhere"]):
        fake.says("x")
        wait_for(lambda: handled == ["chat"])
        fake.says("y", chat="elsewhere")
        fake.wait_for_sent(1, BOUND)
    assert {chat for chat, _, _ in fake.drafts} == {"elsewhere"}
    assert [one.channel_id for one in fake.sent] == ["elsewhere"]


def test_a_hung_draft_is_left_behind(tmp_path: Path) -> None:
    """The end waits for a hung draft for a bounded time, and typing goes on meanwhile."""
    fake = network(Limits(edit_seconds=0.01, typing_seconds=0.1, send_seconds=0.2))
    let_go = threading.Event()

    class Hung(FakePlugin):
        def session_draft(self, message: OutgoingMessage) -> bool:
            return let_go.wait(BOUND)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one"
        wait_for(lambda: len(fake.typings) > 3)

    with running(tmp_path, fake, handle, lambda: Hung(fake)):
        fake.says("x")
        fake.wait_for_sent(1, BOUND)
        assert not let_go.is_set()
        let_go.set()
    assert fake.texts() == ["one"]
