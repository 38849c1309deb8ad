"""The public API as its users write it. Never run: the type checker is its only reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, assert_type

from pydantic import BaseModel, SecretStr

from cobot_session import (
    AsyncSession,
    Health,
    IncomingMessage,
    Limits,
    Media,
    OutcomeUnknown,
    OutgoingMessage,
    PermanentError,
    Plugin,
    PluginMeta,
    RateLimited,
    Receipt,
    Session,
    Status,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# --- agents: every form that a handler can have


def answers(message: IncomingMessage) -> str:
    return f"You said: {message.content}"


def says_nothing(message: IncomingMessage) -> None:
    print(message.sender_name)


def answers_or_not(message: IncomingMessage) -> str | None:
    return None if message.kind == "reaction" else "Thank you."


def answers_with_more(message: IncomingMessage) -> OutgoingMessage:
    return OutgoingMessage(content="Look:", media=[Media("image", path=Path("cat.png"))])


def answers_in_pieces(message: IncomingMessage) -> Iterator[str]:
    yield from ("One, ", "two, ", "three.")


async def answers_later(message: IncomingMessage) -> str:
    return message.content


async def answers_later_in_pieces(message: IncomingMessage) -> AsyncIterator[str]:
    yield message.content


def an_agent() -> None:
    with Session() as session:
        session.run(answers)
        session.run(says_nothing)
        session.run(answers_or_not, concurrency=1)
        session.run(answers_with_more)
        session.run(answers_in_pieces)
        session.run(answers_later)
        session.run(answers_later_in_pieces)


async def an_agent_with_asyncio() -> None:
    async with AsyncSession(Path("cobot.yml")) as session:
        await session.run(answers)
        await session.run(answers_later)
        await session.run(answers_later_in_pieces, concurrency=2)


# --- the sync face


def every_verb(message: IncomingMessage) -> None:
    session = Session({"plugins": {"session": {"strict": True}}})
    session.start()
    assert_type(session.poll_all_channels(wait=1.0, limit=10), list[IncomingMessage])
    for each in session.messages():
        session.ack(each)
        session.nack(each, delay=2.5)
    receipt = session.send(OutgoingMessage("telegram", "42", "Hello"), timeout=None)
    assert_type(receipt, Receipt)
    assert_type(receipt.message_ids, tuple[str, ...])
    assert_type(session.reply(message, "Hello"), Receipt)
    assert_type(session.stream(message, iter(["Hel", "lo"])), Receipt)
    assert_type(session.broadcast("Hello", exclude_channel="nostr"), dict[str, Receipt])
    assert_type(session.edit("telegram", "42", receipt.id, "Bye"), Receipt)
    assert_type(session.delete("telegram", "42", receipt.id), Receipt)
    assert_type(session.react("telegram", "42", message.id, "👍"), Receipt)
    assert_type(session.typing("telegram", "42"), bool)
    with session.typing_during(message):
        pass
    assert_type(session.presence("away"), bool)
    assert_type(session.fetch(message.media[0]), bytes)
    assert_type(session.channels(), list[str])
    assert_type(session.capabilities("telegram").limits, Limits)
    assert_type(session.status(), dict[str, Status])
    session.stop(drain=5.0)


# --- the asyncio face


async def every_verb_awaited(message: IncomingMessage) -> None:
    session = AsyncSession("cobot.yml")
    await session.start()
    assert_type(await session.poll_all_channels(wait=1.0, limit=10), list[IncomingMessage])
    async for each in session.messages():
        await session.ack(each)
        await session.nack(each, delay=2.5)
    receipt = await session.send(OutgoingMessage(content="Hello"))
    assert_type(receipt, Receipt)
    assert_type(await session.reply(message, OutgoingMessage(content="Hello")), Receipt)
    assert_type(await session.stream(message, answers_later_in_pieces(message)), Receipt)
    assert_type(await session.broadcast("Hello"), dict[str, Receipt])
    assert_type(await session.edit("discord", "7", receipt.id, "Bye"), Receipt)
    assert_type(await session.delete("discord", "7", receipt.id), Receipt)
    assert_type(await session.react("discord", "7", message.id, ""), Receipt)
    assert_type(await session.typing("discord", "7"), bool)
    async with session.typing_during(message):
        pass
    assert_type(await session.presence("online"), bool)
    assert_type(await session.fetch(message.media[0], timeout=30.0), bytes)
    assert_type(session.channels(), list[str])
    assert_type(session.status()["discord"].last_error, str | None)
    await session.stop()


# --- channels and observers


class PagerSettings(BaseModel):
    token: SecretStr


class Pager(Plugin):
    """A channel whose hooks take, return and raise everything that hooks may."""

    meta = PluginMeta(id="pager", version="1.0.0", dependencies=["session"])
    limits = Limits(text=240, unit="utf16", idempotent=True)
    config_model: ClassVar[type[BaseModel] | None] = PagerSettings
    config: PagerSettings

    async def start(self) -> None:
        self.context.state["cursor"] = 0
        self.context.log.info("kept in %s", self.context.workspace)

    async def session_receive(self) -> list[IncomingMessage]:
        return []

    async def session_send(self, message: OutgoingMessage) -> str:
        if not message.content:
            raise PermanentError("an empty page")
        if len(message.content) > 200:
            raise RateLimited(1.5, scope="channel")
        raise OutcomeUnknown("no answer")

    @hookimpl
    def session_typing(self, channel_id: str) -> None: ...

    def session_edit(self, channel_id: str, msg_id: str, content: str) -> bool:
        return False

    def session_health(self) -> Health:
        return Health(ok=True, latency=0.02)


class Journal(Plugin):
    """An observer: a `def` hook uses the sync face."""

    meta = PluginMeta(id="journal", version="1.0.0", priority=40)

    def configure(self, config: Any) -> None:
        self.config = config

    def session_on_receive(self, message: IncomingMessage) -> None:
        self.context.session.send(OutgoingMessage("pager", "night", message.content))
