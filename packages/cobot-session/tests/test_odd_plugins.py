"""What plugins and agents do wrong costs neither a message nor the session."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr

from cobot_session import (
    AuthError,
    IncomingMessage,
    OutgoingMessage,
    PermanentError,
    Plugin,
    PluginMeta,
    Session,
)
from cobot_session.testing import FakeChannel
from cobot_session.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOUND = 40.0


class Odd(Plugin):
    """A channel that keeps what it is sent; the tests' own ones differ in one hook each."""

    meta = PluginMeta(id="odd", version="1")
    sent: list[str]

    def session_send(self, message: OutgoingMessage) -> Any:
        type(self).sent.append(message.content)


def session_with(
    tmp_path: Path, odd: type[Odd], stall_after: float = 3600.0, **more: Any
) -> Session:
    odd.sent = []
    plugins: dict[str, Any] = {
        "session": {"stall_after": stall_after, "drain": 0.5},
        "workspace": {"path": str(tmp_path)},
        "odd": {"access": {"open": True}, **more},
    }
    return Session({"plugins": plugins}, plugins={"odd": odd})


def message(number: int, **fields: Any) -> IncomingMessage:
    now = datetime.now(UTC)
    made = IncomingMessage(str(number), "", "1", "ada", "Ada", f"good {number}", now)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no words for it")


@pytest.mark.parametrize(
    "fields",
    [{"timestamp": float("inf")}, {"metadata": {"x": Unprintable()}}, {"roles": 7}, {"media": [5]}],
    ids=["timestamp", "metadata", "roles", "media"],
)
def test_odd_message_does_not_cost_its_batch(tmp_path: Path, fields: dict[str, Any]) -> None:
    """One message that cannot be read, or stored as it is, takes no other with it."""

    class Batch(Odd):
        given = False

        def session_receive(self) -> list[Any]:
            if type(self).given:
                return []
            type(self).given = True
            return [message(1), message(2, **fields), message(3)]

    with session_with(tmp_path, Batch) as session:
        seen: list[str] = []
        until(
            lambda: (
                seen.extend(m.content for m in session.poll_all_channels(wait=0.2))
                or "good 3" in seen
            ),
            BOUND,
            "the third message",
        )
    assert "good 1" in seen


@pytest.mark.parametrize("result", [{"id": 1}, object(), 1.5, b"x"], ids=repr)
def test_result_that_the_contract_does_not_name_is_no_reason_to_repeat(
    tmp_path: Path, result: object
) -> None:
    """A hook that returned has done its deed: sending again would double it."""

    class Returns(Odd):
        def session_send(self, message: OutgoingMessage) -> Any:
            super().session_send(message)
            return result

    with session_with(tmp_path, Returns) as session:
        assert session.send(OutgoingMessage("odd", "1", "x"), BOUND).status == "sent"
    assert Returns.sent == ["x"]


@pytest.mark.parametrize(
    "error", [StopIteration, GeneratorExit, SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
@pytest.mark.parametrize("is_async", [False, True], ids=["def", "async def"])
def test_exception_that_no_hook_may_raise_is_trouble_like_any_other(
    tmp_path: Path, error: type[BaseException], is_async: bool
) -> None:
    """The message is tried again, whatever was raised, and the process goes on."""

    def fail_once(cls: type[Odd]) -> None:
        if not cls.sent:
            cls.sent.append("(raised)")
            raise error

    class Raises(Odd):
        def session_send(self, message: OutgoingMessage) -> Any:
            fail_once(type(self))
            return super().session_send(message)

    class RaisesAsync(Odd):
        async def session_send(self, message: OutgoingMessage) -> Any:
            fail_once(type(self))
            return Odd.session_send(self, message)

    odd = RaisesAsync if is_async else Raises
    with session_with(tmp_path, odd) as session:
        assert session.send(OutgoingMessage("odd", "1", "x"), BOUND).status == "sent"
    assert odd.sent == ["(raised)", "x"]


@pytest.mark.slow
def test_refused_credentials_stay_refused_whatever_the_stop_does(tmp_path: Path) -> None:
    """A channel that is refused while sending is failed at once, and stays so."""

    stopped = threading.Event()

    class Refused(Odd):
        lives = 0

        def start(self) -> None:
            type(self).lives += 1

        def session_send(self, message: OutgoingMessage) -> Any:
            raise AuthError("revoked")

        async def stop(self) -> None:
            threading.Event().wait(3)  # what an `async def` must not do
            stopped.set()

    with session_with(tmp_path, Refused, stall_after=2.0) as session:
        session.send(OutgoingMessage("odd", "1", "x"), timeout=0)
        until(lambda: session.status()["odd"].state == "failed", BOUND, "it failed")
        assert stopped.wait(BOUND)  # it blocks for longer than the stall takes
        assert session.status()["odd"].state == "failed"
    assert Refused.lives == 1


class TokenConfig(BaseModel):
    token: SecretStr


def test_secret_in_a_channels_words_stays_inside(tmp_path: Path) -> None:
    """Receipt and dead letter have the platform's words without the token."""

    class Talks(Odd):
        config_model = TokenConfig

        def session_send(self, message: OutgoingMessage) -> Any:
            secret = self.config.token.get_secret_value()
            raise PermanentError(f"GET https://api.example.org/bot{secret}/send failed")

    with session_with(tmp_path, Talks, token="correct-horse-battery") as session:
        receipt = session.send(OutgoingMessage("odd", "1", "x"), BOUND)
    assert receipt.error == "GET https://api.example.org/bot[redacted]/send failed"
    assert b"correct-horse" not in (tmp_path / "session.db").read_bytes()


def test_send_to_a_default_chat_keeps_its_timeout_while_the_channel_starts(tmp_path: Path) -> None:
    """A start that hangs holds nobody up; the receipt names the key to set."""
    release = threading.Event()

    class Hangs(Odd):
        def start(self) -> None:
            release.wait()

    with session_with(tmp_path, Hangs) as session:
        receipt = session.send(OutgoingMessage("odd", content="x"), timeout=0.1)
        release.set()
    assert receipt.status == "failed"
    assert "plugins.odd.default_chat" in (receipt.error or "")


@pytest.fixture
def fake() -> FakeChannel:
    return FakeChannel()


def running(tmp_path: Path, fake: FakeChannel) -> Session:
    plugins = {"workspace": {"path": str(tmp_path)}, "fake": {"access": {"open": True}}}
    return Session({"plugins": plugins}, plugins={"fake": fake.plugin})


@pytest.mark.parametrize(
    "misuse",
    [
        lambda session: session.poll_all_channels(wait="soon"),
        lambda session: session.poll_all_channels(limit=None),
        lambda session: session.poll_all_channels(limit="10"),
        lambda session: session.poll_all_channels(limit=0),
    ],
)
def test_wrong_poll_loses_nothing(
    tmp_path: Path, fake: FakeChannel, misuse: Callable[[Session], object]
) -> None:
    """A poll with arguments of the wrong kind raises, and the next one gets the message."""
    with running(tmp_path, fake) as session:
        with pytest.raises((TypeError, ValueError)):
            misuse(session)
        fake.says("still there")
        (message,) = session.poll_all_channels(wait=BOUND)
    assert message.content == "still there"


def test_wrong_nack_leaves_the_message_in_hand(tmp_path: Path, fake: FakeChannel) -> None:
    """A delay that is no number raises, and the message can still be acknowledged."""
    with running(tmp_path, fake) as session:
        fake.says("x")
        (message,) = session.poll_all_channels(wait=BOUND)
        with pytest.raises((TypeError, ValueError)):
            session.nack(message, delay="soon")  # type: ignore[arg-type]
        session.ack(message)


def test_id_of_another_chat_is_refused(tmp_path: Path, fake: FakeChannel) -> None:
    """A receipt never tells of another chat's message."""
    with running(tmp_path, fake) as session:
        assert session.send(OutgoingMessage("fake", "1", "x", id="k"), BOUND).status == "sent"
        other = session.send(OutgoingMessage("fake", "2", "y", id="k"), BOUND)
    assert other.status == "failed"
    assert "was used in another chat" in (other.error or "")


def test_handler_that_is_cancelled_from_inside_is_tried_again_later(
    tmp_path: Path, fake: FakeChannel
) -> None:
    """A CancelledError that nobody asked for is a failure with a pause, not five deliveries."""
    calls: list[str] = []

    async def handle(message: IncomingMessage) -> str:
        calls.append(message.content)
        if len(calls) == 1:
            raise asyncio.CancelledError
        return "done"

    with running(tmp_path, fake) as session:
        fake.says("x")
        runner = threading.Thread(target=session.run, args=(handle,))
        runner.start()
        fake.wait_for_sent(1, BOUND)
        session.stop()
        runner.join(BOUND)
    assert calls == ["x", "x"]
