"""The verbs of a session, seen by who writes an agent."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import (
    AsyncSession,
    ConsumerBusy,
    IncomingMessage,
    Media,
    OutgoingMessage,
    PermanentError,
    Plugin,
    PluginMeta,
    Session,
    SessionError,
    WrongFace,
)
from cobot_session.testing import FakeChannel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOUND = 40.0


@pytest.fixture
def fake() -> FakeChannel:
    return FakeChannel()


def new_session(tmp_path: Path, fake: FakeChannel, **plugins: Any) -> Session:
    config: dict[str, Any] = {"workspace": {"path": str(tmp_path)}}
    config |= {name: {"access": {"open": True}} for name in ["fake", *plugins]}
    return Session({"plugins": config}, plugins={"fake": fake.plugin, **plugins})


@pytest.fixture
def session(tmp_path: Path, fake: FakeChannel) -> Iterator[Session]:
    with new_session(tmp_path, fake) as session:
        yield session


def polled(session: Session, count: int) -> list[IncomingMessage]:
    """Poll until so many messages have come, each poll acknowledging the one before."""
    messages: list[IncomingMessage] = []
    while len(messages) < count:
        batch = session.poll_all_channels(wait=BOUND)
        assert batch, f"{len(messages)} of {count} messages arrived"
        messages += batch
    return messages


def test_message_is_polled_and_answered(session: Session, fake: FakeChannel) -> None:
    """What a person says arrives with its address; a reply goes there and quotes it."""
    said = fake.says("hello", chat="42")
    (message,) = polled(session, 1)
    assert (message.channel_type, message.channel_id, message.content) == ("fake", "42", "hello")
    receipt = session.reply(message, "hi", BOUND)
    assert receipt.status == "sent"
    assert receipt
    assert (fake.sent[0].channel_id, fake.sent[0].content) == ("42", "hi")
    assert fake.sent[0].reply_to == said.id


def test_poll_returns_at_once_when_there_is_nothing(session: Session) -> None:
    """A poll without `wait` never waits."""
    assert session.poll_all_channels() == []


def test_messages_arrive_in_order(session: Session, fake: FakeChannel) -> None:
    """Order is the order of arrival."""
    for number in range(50):
        fake.says(str(number), chat=str(number % 3))
    assert [one.content for one in polled(session, 50)] == [str(n) for n in range(50)]


def test_unacknowledged_messages_come_again_after_an_exception(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """Leaving `with` by an exception acknowledges nothing; the messages come again, marked."""
    fake.says("precious")

    def interrupted_agent() -> None:
        with new_session(tmp_path, fake) as session:
            polled(session, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted_agent()
    with new_session(tmp_path, fake) as session:
        (message,) = polled(session, 1)
    assert message.content == "precious"
    assert message.metadata["redelivered"] is True


def test_leaving_cleanly_acknowledges(tmp_path: Path, fake: FakeChannel) -> None:
    """A clean end of `with` is the acknowledgement of the last poll."""
    fake.says("once")
    with new_session(tmp_path, fake) as session:
        polled(session, 1)
    with new_session(tmp_path, fake) as session:
        assert session.poll_all_channels(wait=0.2) == []


def test_message_that_the_platform_delivers_again_is_stored_once(
    session: Session, fake: FakeChannel
) -> None:
    """Two messages with one key are one."""
    fake.says("a", key="k1")
    fake.says("a", key="k1")
    fake.says("b", key="k2")
    assert [one.content for one in polled(session, 2)] == ["a", "b"]
    assert session.poll_all_channels(wait=0.1) == []


def test_nacked_message_holds_its_chat_while_it_waits(session: Session, fake: FakeChannel) -> None:
    """Nothing of its chat overtakes it; other chats go on."""
    fake.says("first", chat="a")
    fake.says("second", chat="a")
    fake.says("other", chat="b")
    (first,) = session.poll_all_channels(wait=BOUND, limit=1)
    session.nack(first, delay=3600)
    assert [one.content for one in polled(session, 1)] == ["other"]
    assert session.poll_all_channels() == []


def test_nacked_message_comes_again_after_its_delay(session: Session, fake: FakeChannel) -> None:
    """It comes before what was said after it in its chat."""
    fake.says("first")
    fake.says("second")
    (first,) = session.poll_all_channels(wait=BOUND, limit=1)
    session.nack(first, delay=0.2)
    assert [one.content for one in polled(session, 2)] == ["first", "second"]


def test_acknowledged_message_cannot_be_acknowledged_again(
    session: Session, fake: FakeChannel
) -> None:
    """A second ack says that the message is not in hand."""
    fake.says("x")
    (message,) = polled(session, 1)
    session.ack(message)
    with pytest.raises(SessionError, match="not in hand"):
        session.ack(message)


def test_second_consumer_is_refused(session: Session, fake: FakeChannel) -> None:
    """One consumer at a time; the error names who is there."""
    fake.says("x")
    messages = session.messages()
    assert next(messages).content == "x"
    with pytest.raises(ConsumerBusy, match="`messages` is consuming"):
        session.poll_all_channels()
    messages.close()
    assert session.poll_all_channels() == []


@pytest.mark.parametrize("is_async", [False, True], ids=["def", "async def"])
def test_run_keeps_order_within_a_chat_and_serves_chats_side_by_side(
    session: Session, fake: FakeChannel, is_async: bool
) -> None:
    """Two chats are in work at once; within each the answers are in order."""
    both = threading.Barrier(2, timeout=BOUND)
    seen: dict[str, list[str]] = defaultdict(list)

    def handle(message: IncomingMessage) -> str:
        if message.content == "0":
            both.wait()
        seen[message.channel_id].append(message.content)
        return f"re {message.content}"

    async def handle_async(message: IncomingMessage) -> str:
        return await asyncio.to_thread(handle, message)

    for number in range(10):
        fake.says(str(number), chat="a")
        fake.says(str(number), chat="b")
    runner = threading.Thread(target=session.run, args=(handle_async if is_async else handle,))
    runner.start()
    fake.wait_for_sent(20, BOUND)
    session.stop()
    runner.join(BOUND)
    assert not runner.is_alive()
    expected = [str(n) for n in range(10)]
    assert seen == {"a": expected, "b": expected}
    assert fake.texts("a") == fake.texts("b") == [f"re {n}" for n in expected]


def test_handler_that_raises_gets_its_message_again(session: Session, fake: FakeChannel) -> None:
    """A failed message is not lost: it comes again, marked, before its chat goes on."""
    deliveries = []

    def handle(message: IncomingMessage) -> str:
        deliveries.append((message.content, message.metadata.get("redelivered", False)))
        if len(deliveries) == 1:
            raise RuntimeError("the model is down")
        return "done"

    fake.says("one")
    fake.says("two")
    runner = threading.Thread(target=session.run, args=(handle,))
    runner.start()
    fake.wait_for_sent(2, BOUND)
    session.stop()
    runner.join(BOUND)
    assert deliveries == [("one", False), ("one", True), ("two", False)]


def test_run_streams_what_a_generator_yields(session: Session, fake: FakeChannel) -> None:
    """A handler that yields shows its answer early and ends with the whole text."""

    async def handle(message: IncomingMessage) -> Any:
        async def words() -> Any:
            yield "one "
            await asyncio.to_thread(fake.wait_for_sent, 1, BOUND)
            yield "two "
            yield "three"

        return words()

    fake.says("count")
    runner = threading.Thread(target=session.run, args=(handle,))
    runner.start()
    fake.wait_for_sent(1, BOUND)
    while not fake.edits or fake.edits[-1][2] != "one two three":
        assert runner.is_alive()
        threading.Event().wait(0.01)
    session.stop()
    runner.join(BOUND)
    assert fake.texts() == ["one "]


def test_session_works_inside_a_running_event_loop(session: Session, fake: FakeChannel) -> None:
    """The sync face may be used on an agent's own loop: it blocks nobody else."""
    fake.says("hello")

    async def agent() -> str:
        (message,) = session.poll_all_channels(wait=BOUND)
        return session.reply(message, "from a loop", BOUND).status

    assert asyncio.run(agent()) == "sent"
    assert fake.texts() == ["from a loop"]


def test_async_face_has_the_same_verbs(tmp_path: Path, fake: FakeChannel) -> None:
    """Receive, reply, edit, react, delete, typing, presence, fetch: awaited."""
    config = {
        "plugins": {
            "workspace": {"path": str(tmp_path)},
            "fake": {"access": {"open": True}, "default_chat": "lobby"},
        }
    }

    async def agent() -> None:
        async with AsyncSession(config, plugins={"fake": fake.plugin}) as session:
            fake.says("hello", files={"a.txt": b"content of 7"})
            (message,) = await session.poll_all_channels(wait=BOUND)
            assert await session.fetch(message.media[0]) == b"content of 7"
            receipt = await session.reply(message, "hi", BOUND)
            own = ("fake", "chat", receipt.id)
            assert (await session.edit(*own, "ho", BOUND)).status == "sent"
            assert (await session.react(*own, "👍", BOUND)).status == "sent"
            assert (await session.delete(*own, BOUND)).status == "sent"
            assert await session.typing("fake", "chat")
            assert await session.presence("away")
            receipts = await session.broadcast("to all", timeout=BOUND)
            assert receipts["fake"].status == "sent"
            await session.ack(message)

    asyncio.run(agent())
    platform_id = fake.edits[0][1]
    assert fake.edits == [("chat", platform_id, "ho")]
    assert fake.reactions == [("chat", platform_id, "👍")]
    assert fake.deleted == [("chat", platform_id)]
    assert fake.sent[-1].channel_id == "lobby"


def test_cancelled_poll_takes_nothing(tmp_path: Path, fake: FakeChannel) -> None:
    """A message that arrives when the poll has been given up is there for the next."""

    async def agent() -> IncomingMessage:
        config = {
            "plugins": {
                "workspace": {"path": str(tmp_path)},
                "fake": {"access": {"open": True}},
            }
        }
        async with AsyncSession(config, plugins={"fake": fake.plugin}) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await session.poll_all_channels(wait=BOUND)
            fake.says("still here")
            (message,) = await session.poll_all_channels(wait=BOUND)
            return message

    message = asyncio.run(agent())
    assert message.content == "still here"
    assert "redelivered" not in message.metadata


class SendOnly(Plugin):
    meta = PluginMeta(id="quiet", version="1")

    def session_send(self, message: OutgoingMessage) -> int:
        return 17


def test_capability_that_is_absent_is_told_and_does_nothing(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """Typing and presence answer False; edit and react give a receipt that says why."""
    with new_session(tmp_path, fake, quiet=SendOnly) as session:
        assert "edit" not in session.capabilities("quiet")
        assert session.typing("quiet", "1") is False
        receipt = session.edit("quiet", "1", "17", "new")
        assert not receipt
        assert receipt.error == "quiet cannot edit (no session_edit)"
        with pytest.raises(PermanentError, match="cannot fetch"):
            session.fetch(Media(id="1", channel_type="quiet"))
        assert session.send(OutgoingMessage("quiet", "1", "x"), BOUND).message_ids == ("17",)


def test_message_that_goes_nowhere_names_the_key_to_set(tmp_path: Path, fake: FakeChannel) -> None:
    """Without a channel, without a chat, to an unknown channel: a failed receipt that helps."""
    with new_session(tmp_path, fake, quiet=SendOnly) as session:
        nowhere = session.send(OutgoingMessage(content="x"))
        assert "plugins.session.default_channel" in (nowhere.error or "")
        no_chat = session.send(OutgoingMessage("fake", content="x"))
        assert "plugins.fake.default_chat" in (no_chat.error or "")
        unknown = session.send(OutgoingMessage("slack", "1", "x"))
        assert unknown.error == "there is no channel 'slack'; there are: fake, quiet"
        assert [one.status for one in (nowhere, no_chat, unknown)] == ["failed"] * 3


def test_same_id_is_sent_once(session: Session, fake: FakeChannel) -> None:
    """An id is an idempotency key: the second send returns the first one's receipt."""
    first = session.send(OutgoingMessage("fake", "1", "x", id="order-1"), BOUND)
    second = session.send(OutgoingMessage("fake", "1", "x", id="order-1"), BOUND)
    assert second.message_ids == first.message_ids
    assert fake.texts() == ["x"]


def test_wrong_message_is_refused_by_name(session: Session) -> None:
    """A field of the wrong shape raises, and the text names it."""
    with pytest.raises(TypeError, match="`content` of an outgoing message is a str"):
        session.send(OutgoingMessage("fake", "1", 7))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`id` has at most 25 characters"):
        session.send(OutgoingMessage("fake", "1", "x", id="x" * 26))


def test_verbs_need_a_running_session(tmp_path: Path, fake: FakeChannel) -> None:
    """Before the start and after the stop a verb says what to do."""
    session = new_session(tmp_path, fake)
    with pytest.raises(SessionError, match="after `start\\(\\)`"):
        session.poll_all_channels()
    with session:
        pass
    with pytest.raises(SessionError, match="stopped"):
        session.send(OutgoingMessage("fake", "1", "x"))
    with pytest.raises(SessionError, match="started once"):
        session.start()


class Asks(Plugin):
    """A channel whose hooks use the session: each the face that is not for it."""

    meta = PluginMeta(id="asks", version="1")
    errors: list[Exception] = []  # noqa: RUF012 - shared on purpose

    async def session_receive(self) -> list[IncomingMessage]:
        try:
            self.context.session.poll_all_channels()
        except WrongFace as error:
            self.errors.append(error)
        await asyncio.Event().wait()
        return []

    def session_send(self, message: OutgoingMessage) -> None:
        try:
            _ = self.context.session.aio
        except WrongFace as error:
            self.errors.append(error)


def test_wrong_face_raises_at_once_instead_of_deadlocking(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """The sync face on a channel's loop, the async one in a `def` hook: both say so."""
    Asks.errors.clear()
    with new_session(tmp_path, fake, asks=Asks) as session:
        assert session.send(OutgoingMessage("asks", "1", "x"), BOUND).status == "sent"
        while len(Asks.errors) < 2:
            threading.Event().wait(0.01)
    assert sorted(str(error)[:20] for error in Asks.errors) == [
        "`session.aio` is for",
        "`session.poll_all_ch",
    ]


class Watcher(Plugin):
    meta = PluginMeta(id="watcher", version="1")
    seen: list[str] = []  # noqa: RUF012 - shared on purpose

    def session_on_receive(self, message: IncomingMessage) -> None:
        self.seen.append(f"in {message.content}")
        raise RuntimeError("an observer's own trouble")

    async def session_on_send(self, message: OutgoingMessage, receipt: Any) -> None:
        self.seen.append(f"out {message.content} {receipt.status}")


def test_observer_is_told_and_nothing_waits_for_it(tmp_path: Path, fake: FakeChannel) -> None:
    """An observer hears of what was stored and sent, also after it has raised."""
    Watcher.seen.clear()
    with new_session(tmp_path, fake, watcher=Watcher) as session:
        for text in ("one", "two"):
            fake.says(text)
            (message,) = polled(session, 1)
            session.reply(message, f"re {text}")
        while len(Watcher.seen) < 4:
            threading.Event().wait(0.01)
    assert sorted(Watcher.seen) == ["in one", "in two", "out re one sent", "out re two sent"]


def test_typing_is_kept_alive_and_ends(session: Session, fake: FakeChannel) -> None:
    """`typing_during` shows typing at least once in the message's chat."""
    fake.says("x", chat="9")
    (message,) = polled(session, 1)
    with session.typing_during(message):
        while not fake.typings:
            threading.Event().wait(0.01)
    assert set(fake.typings) == {"9"}


def test_presence_is_online_from_the_start(session: Session, fake: FakeChannel) -> None:
    """Presence is a wish that the session keeps: online until another is made."""
    while fake.presences[-1:] != ["online"]:
        threading.Event().wait(0.01)
    assert session.presence("busy")
    while fake.presences[-1:] != ["busy"]:
        threading.Event().wait(0.01)
    with pytest.raises(ValueError, match="presence is one of"):
        session.presence("dancing")
