"""Answers that grow: what people see meanwhile, and what they have in the end."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from growing import BOUND, QUICK, SMALL, new_session, running, seen, typing_code, wait_for
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_session import (
    AsyncSession,
    IncomingMessage,
    Limits,
    OutcomeUnknown,
    OutgoingMessage,
    PermanentError,
    RateLimited,
)
from cobot_session.markdown import closed, fences
from cobot_session.stream import Stream
from cobot_session.testing import FakeChannel, FakePlugin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


def told(fake: FakeChannel) -> list[str]:
    """Return every text that people have seen of it, in order."""
    return [*fake.texts(), *(content for _, _, content in fake.edits)]


def test_answer_appears_at_once_and_grows(tmp_path: Path) -> None:
    """The first words are there before the second are written; in the end the whole is, once."""
    fake = FakeChannel(QUICK)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        fake.wait_for_sent(1, BOUND)
        yield "two "
        wait_for(lambda: seen(fake) == ["one two "])
        yield "three"

    with running(tmp_path, fake, handle):
        fake.says("count")
        wait_for(lambda: seen(fake) == ["one two three"])
    growing = [text for text, _ in itertools.groupby(told(fake))]  # the end may have been shown
    assert growing == ["one ", "one two ", "one two three"]
    assert fake.texts() == ["one "]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_handlers_may_be_generators(tmp_path: Path, asynchronous: bool) -> None:
    """`yield` in a handler streams, be it `def` or `async def`."""
    fake = FakeChannel(QUICK)

    def plain(message: IncomingMessage) -> Iterator[str]:
        yield from ("to ", message.content)

    async def awaited(message: IncomingMessage) -> AsyncIterator[str]:
        yield "to "
        yield message.content

    with running(tmp_path, fake, awaited if asynchronous else plain):
        fake.says("ann")
        wait_for(lambda: seen(fake) == ["to ann"])


def test_edits_keep_the_channels_pace(tmp_path: Path) -> None:
    """Between two calls for one answer lies at least what the channel asks for."""
    fake = FakeChannel(Limits(edit_seconds=0.2))
    times: list[float] = []

    class Timed(FakePlugin):
        async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
            times.append(time.monotonic())
            await super().session_edit(channel_id, msg_id, content)

    def handle(message: IncomingMessage) -> Iterator[str]:
        for number in itertools.count():
            yield f"{number} "
            threading.Event().wait(0.01)
            if len(times) >= 3:
                yield "done"
                return

    with running(tmp_path, fake, handle, lambda: Timed(fake)):
        fake.says("count")
        wait_for(lambda: seen(fake) and seen(fake)[0].endswith("done"))
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) >= 0.19


def test_end_keeps_its_distance_from_an_edit_that_was_slow(tmp_path: Path) -> None:
    """Also when the answer ends while that edit is still on its way to the platform."""
    fake = FakeChannel(Limits(edit_seconds=0.2))
    under_way, let_go = threading.Event(), threading.Event()
    times: list[float] = []

    class Slow(FakePlugin):
        def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
            under_way.set()
            assert let_go.wait(BOUND)
            times.append(time.monotonic())

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        fake.wait_for_sent(1, BOUND)
        yield "two "
        assert under_way.wait(BOUND)
        yield "three"
        threading.Timer(0.4, let_go.set).start()

    with running(tmp_path, fake, handle, lambda: Slow(fake)):
        fake.says("count")
        wait_for(lambda: len(times) >= 2)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) >= 0.19


def test_a_rate_limit_slows_the_preview_only(tmp_path: Path) -> None:
    """Told to wait, nothing is shown for so long; the agent writes on, and the end is whole."""
    fake = FakeChannel(QUICK)
    refused = threading.Event()
    edits: list[str] = []

    class Limited(FakePlugin):
        async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
            edits.append(content)
            if not refused.is_set():
                refused.set()
                raise RateLimited(3600)
            await super().session_edit(channel_id, msg_id, content)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "a"
        fake.wait_for_sent(1, BOUND)
        yield "b"
        assert refused.wait(BOUND)
        for _ in range(20):
            yield "."
            threading.Event().wait(0.01)

    with new_session(tmp_path, lambda: Limited(fake)) as session:
        fake.says("x")
        (message,) = session.poll_all_channels(wait=BOUND)
        stream = Stream(session._engine, message)
        item = asyncio.run(stream.taken(handle(message)))
    assert edits == ["ab"]
    assert item.message.content == "ab" + "." * 20
    assert item.due > 0


def test_parts_are_opened_as_the_text_outgrows_one(tmp_path: Path) -> None:
    """A text too long for one message goes on in the next while it is written."""
    fake = FakeChannel(SMALL)
    words = [f"word{number} " for number in range(18)]

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield from words[:9]
        wait_for(lambda: len(fake.posts) == 2)
        yield from words[9:]

    with running(tmp_path, fake, handle):
        fake.says("write")
        wait_for(lambda: "".join(seen(fake)) == "".join(words))
    assert len(fake.posts) == len(fake.sent) == 4
    assert all(len(text) <= 40 for text in told(fake))
    assert [one.reply_to for one in fake.sent] == ["m1", None, None, None]


def test_code_is_whole_at_every_moment(tmp_path: Path) -> None:
    """Whatever is shown of a code block, its fences are pairs, in each of its messages."""
    fake = FakeChannel(SMALL)

    with running(tmp_path, fake, typing_code(lambda: len(told(fake)))):
        fake.says("code")
        wait_for(lambda: seen(fake) and seen(fake)[-1].endswith("`it`.\n"))
    assert len(told(fake)) > 5
    for text in told(fake):
        assert text.count("```") % 2 == 0, text


@settings(deadline=None)
@given(st.text(alphabet="`~ab>- \n1."))
def test_closed_text_has_no_open_block(text: str) -> None:
    """Any beginning of any text can be shown: no block of code is left open."""
    shown = closed(text)
    last = next(reversed(fences(shown)), None)
    assert last is None or last.close < last.end or last.end < len(shown)


def test_a_channel_that_cannot_edit_gets_the_whole(tmp_path: Path) -> None:
    """Nothing is shown before the end, and the end is one message."""
    fake = FakeChannel(QUICK)

    class Plain(FakePlugin):
        session_edit = None  # type: ignore[assignment]

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        yield "two"

    with running(tmp_path, fake, handle, lambda: Plain(fake)):
        fake.says("x")
        fake.wait_for_sent(1, BOUND)
    assert told(fake) == ["one two"]


def test_a_failed_answer_goes_on_in_the_same_message(tmp_path: Path) -> None:
    """An answer that breaks off and is tried again is one message, not two."""
    fake = FakeChannel(QUICK)
    tries = []

    def handle(message: IncomingMessage) -> Iterator[str]:
        tries.append(message)
        yield f"try {len(tries)}: half"
        fake.wait_for_sent(1, BOUND)
        if len(tries) == 1:
            raise RuntimeError("the model is down")
        wait_for(lambda: seen(fake) == ["try 2: half"])
        yield " and the rest"

    with running(tmp_path, fake, handle):
        fake.says("x")
        wait_for(lambda: seen(fake) == ["try 2: half and the rest"])
    assert fake.texts() == ["try 1: half"]


def test_two_answers_to_one_message_are_two(tmp_path: Path) -> None:
    """Each `stream` of a handler is a message of its own, also when all of it is done again."""
    fake = FakeChannel(QUICK)
    tries = []

    with new_session(tmp_path, fake.plugin) as session:

        def handle(message: IncomingMessage) -> None:
            tries.append(message)
            for name in ("first", "second"):

                def chunks(name: str = name) -> Iterator[str]:
                    yield f"{name} of try {len(tries)}"
                    wait_for(lambda: [text for text in seen(fake) if text.startswith(name)])

                session.stream(message, chunks())
            if len(tries) == 1:
                raise RuntimeError("failed after both")

        runner = threading.Thread(target=session.run, args=(handle,))
        runner.start()
        fake.says("x")
        wait_for(lambda: seen(fake) == ["first of try 2", "second of try 2"])
        session.stop()
        runner.join(BOUND)


def test_a_short_answer_tried_again_is_edited(tmp_path: Path) -> None:
    """An answer that ended before any of it was shown is not sent a second time either."""
    fake = FakeChannel(QUICK)
    tries = []

    def handle(message: IncomingMessage) -> None:
        tries.append(message)
        session.stream(message, [f"try {len(tries)}"])
        if len(tries) == 1:
            raise RuntimeError("failed after it")

    with running(tmp_path, fake, handle) as session:
        fake.says("x")
        wait_for(lambda: seen(fake) == ["try 2"])
    assert fake.texts() == ["try 1"]


def test_a_shorter_second_try_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    """Parts that the answer no longer needs are deleted."""
    fake = FakeChannel(SMALL)
    tries = []

    def handle(message: IncomingMessage) -> Iterator[str]:
        tries.append(message)
        if len(tries) == 1:
            yield "long " * 20
            wait_for(lambda: len(fake.posts) == 3)
            raise RuntimeError("the model is down")
        yield "short"

    with running(tmp_path, fake, handle):
        fake.says("x")
        wait_for(lambda: seen(fake) == ["short"])


def test_the_end_is_sent_where_the_preview_was_deleted(tmp_path: Path) -> None:
    """Somebody deleted what was shown: the whole answer comes nevertheless."""
    fake = FakeChannel(QUICK)

    class Strict(FakePlugin):
        async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
            if msg_id not in self.network.posts:
                raise PermanentError("message to edit not found")
            await super().session_edit(channel_id, msg_id, content)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        fake.wait_for_sent(1, BOUND)
        fake.posts.clear()
        yield "two"

    with running(tmp_path, fake, handle, lambda: Strict(fake)):
        fake.says("x")
        wait_for(lambda: seen(fake) == ["one two"])


@pytest.mark.parametrize("trouble", [PermanentError("refused"), OutcomeUnknown("no answer")])
def test_the_end_is_delivered_whatever_became_of_the_preview(
    tmp_path: Path, trouble: Exception
) -> None:
    """First words that were refused, or may or may not be there, cost nothing of the answer."""
    fake = FakeChannel(QUICK)
    fake.failures.append(trouble)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        wait_for(lambda: not fake.failures)
        yield "two"

    with running(tmp_path, fake, handle) as session:
        fake.says("x")
        wait_for(lambda: "one two" in seen(fake))
        wait_for(lambda: session.status()["fake"].pending == 0)
        assert session.status()["fake"].dead == 0
    assert fake.texts().count("one two") == 1


def test_a_cut_channel_does_not_hold_up_the_agent(tmp_path: Path) -> None:
    """The agent writes on while its channel is away; what it wrote arrives once, whole."""
    fake = FakeChannel(QUICK)
    written = threading.Event()

    def handle(message: IncomingMessage) -> Iterator[str]:
        fake.cuts()
        yield from ("one ", "two ", "three")
        written.set()

    with running(tmp_path, fake, handle):
        fake.says("x")
        assert written.wait(BOUND)
        fake.mends()
        wait_for(lambda: seen(fake) == ["one two three"])


def test_typing_lasts_as_long_as_the_answer(tmp_path: Path) -> None:
    """Typing is shown again and again while an answer is written, and not after it."""
    fake = FakeChannel(Limits(edit_seconds=0.01, typing_seconds=0.05))

    def handle(message: IncomingMessage) -> Iterator[str]:
        wait_for(lambda: len(fake.typings) >= 3)
        yield "done"

    with running(tmp_path, fake, handle) as session:
        fake.says("x", chat="9")
        wait_for(lambda: seen(fake) == ["done"])  # which may be shown while it may still grow
        wait_for(lambda: session.status()["fake"].pending == 0)
        count = len(fake.typings)
        threading.Event().wait(0.3)
        assert len(fake.typings) == count
    assert set(fake.typings) == {"9"}


def test_typing_that_comes_too_late_is_not_shown(tmp_path: Path) -> None:
    """What a busy channel has not shown before the end would be shown beside the answer."""
    fake = FakeChannel(QUICK)
    busy, free = threading.Event(), threading.Event()

    class Busy(FakePlugin):
        async def session_presence(self, status: str) -> None:
            if status == "busy":
                busy.set()
                free.wait(BOUND)

    with new_session(tmp_path, lambda: Busy(fake)) as session:
        fake.says("x", chat="9")
        (message,) = session.poll_all_channels(wait=BOUND)
        session.presence("busy")
        assert busy.wait(BOUND)
        with session.typing_during(message):
            pass
        free.set()
        session.typing("fake", "9")
        wait_for(lambda: fake.typings)
        assert session.send(OutgoingMessage("fake", "9", "y"))
        assert fake.typings == ["9"]


def test_an_answer_of_nothing_is_none(tmp_path: Path) -> None:
    """A handler that yields nothing, or only blanks, sends nothing and is done."""
    fake = FakeChannel(QUICK)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield from {"blank": [" ", "\n"], "none": [], "word": ["word"]}[message.content]

    with running(tmp_path, fake, handle):
        for text in ("blank", "none", "word"):
            fake.says(text)
        wait_for(lambda: seen(fake) == ["word"])


def test_a_chunk_that_is_no_text_is_told(tmp_path: Path) -> None:
    """What a stream yields is text; anything else is named."""
    fake = FakeChannel(QUICK)
    chunks: Any = ["one", None]
    with new_session(tmp_path, fake.plugin) as session:
        fake.says("x")
        (message,) = session.poll_all_channels(wait=BOUND)
        with pytest.raises(TypeError, match="a chunk of an answer is a str, not NoneType"):
            session.stream(message, chunks)


async def _streamed(path: Path, fake: FakeChannel) -> tuple[Any, Any]:
    config = {"plugins": {"workspace": {"path": str(path)}, "fake": {"access": {"open": True}}}}

    async def chunks() -> AsyncIterator[str]:
        yield "one "
        yield "two " * 20

    async with AsyncSession(config, plugins={"fake": fake.plugin}) as session:
        fake.says("x")
        (message,) = await session.poll_all_channels(wait=BOUND)
        receipt = await session.stream(message, chunks())
        return receipt, await session.edit("fake", "chat", receipt.id, "changed", BOUND)


def test_the_receipt_names_the_whole_answer(tmp_path: Path) -> None:
    """What `stream` returns can be edited like any message, all of its parts."""
    fake = FakeChannel(SMALL)
    receipt, edited = asyncio.run(_streamed(tmp_path, fake))
    assert receipt.status == edited.status == "sent"
    assert len(receipt.message_ids) == 3
    assert seen(fake) == ["changed"]


def test_observers_are_told_of_the_whole_answer_once(tmp_path: Path) -> None:
    """Who watches what is sent sees the answer, not its first words."""
    fake = FakeChannel(QUICK)
    told: list[str] = []

    class Watching(FakePlugin):
        def session_on_send(self, message: Any, receipt: Any) -> None:
            told.append(message.content)

    def handle(message: IncomingMessage) -> Iterator[str]:
        yield "one "
        fake.wait_for_sent(1, BOUND)
        yield "two"

    with running(tmp_path, fake, handle, lambda: Watching(fake)) as session:
        fake.says("x")
        wait_for(lambda: told)
        assert session.status()["fake"].sent == 1
    assert told == ["one two"]
