"""The local server goes wrong on demand."""

import asyncio
import time
from collections.abc import Callable

import pytest
from telegram import Bot
from telegram.error import NetworkError, RetryAfter

from cobot_telegram.testing import (
    BotApiServer,
    CutAfter,
    CutBefore,
    Drip,
    Duplicate,
    Flood,
    Hang,
    Rates,
    Reorder,
    ServerError,
    User,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning"),
]


@pytest.fixture
def ada(server: BotApiServer) -> User:
    ada = server.user("Ada")
    ada.starts()
    return ada


async def test_a_flood_refuses_so_often_and_no_more(
    server: BotApiServer, ada: User, bot: Bot
) -> None:
    """Two calls get a 429 with their pause, the third goes through; nothing was sent before."""
    planted = server.faults.add(Flood(3), on="sendMessage", times=2)
    for _ in range(2):
        with pytest.raises(RetryAfter) as refusal:
            await bot.send_message(ada.id, "hi")
        assert int(refusal.value._retry_after.total_seconds()) == 3
    await bot.send_message(ada.id, "hi")
    assert ada.chat.texts == ["hi"]
    assert planted.hits == 2


async def test_a_fault_keeps_to_its_chat_and_spares_the_first_calls(
    server: BotApiServer, ada: User, bot: Bot
) -> None:
    """`chat` and `after` choose the calls a fault meets."""
    bob = server.user("Bob")
    bob.starts()
    server.faults.add(Flood(1), on="sendMessage", chat=ada.chat, after=1)
    await bot.send_message(bob.id, "one")
    await bot.send_message(ada.id, "two")
    await bot.send_message(bob.id, "three")
    with pytest.raises(RetryAfter):
        await bot.send_message(ada.id, "four")


async def test_cut_before_leaves_nothing_and_cut_after_leaves_the_message(
    server: BotApiServer, ada: User, bot: Bot
) -> None:
    """Both drop the connection; only the second has carried the call out."""
    server.faults.add(CutBefore(), on="sendMessage")
    with pytest.raises(NetworkError):
        await bot.send_message(ada.id, "one")
    assert ada.chat.texts == []
    server.faults.add(CutAfter(), on="sendMessage")
    with pytest.raises(NetworkError):
        await bot.send_message(ada.id, "two")
    assert ada.chat.wait_for("two").by_bot


async def test_server_errors_come_with_and_without_json(
    server: BotApiServer, ada: User, bot: Bot
) -> None:
    """A 502 may be a page of HTML; a 500 in Telegram's words; `processed` has done its work."""
    server.faults.add(ServerError(502))
    with pytest.raises(NetworkError, match="Bad Gateway"):
        await bot.send_message(ada.id, "one")
    server.faults.add(ServerError(500, "Internal Server Error: restart", processed=True))
    with pytest.raises(NetworkError, match="restart"):
        await bot.send_message(ada.id, "two")
    assert ada.chat.texts == ["two"]


async def test_a_hanging_call_goes_on_afterwards(server: BotApiServer, ada: User, bot: Bot) -> None:
    """The caller gives up, the server does not: the message comes all the same."""
    hang = server.faults.add(Hang(0.5), on="sendMessage")
    caller = asyncio.create_task(bot.send_message(ada.id, "late"))
    await server.wait_for_async(lambda: hang.hits)
    caller.cancel()
    await asyncio.wait([caller])
    assert (await ada.chat.wait_for_async("late")).by_bot


async def test_a_stopping_server_lets_go_of_hanging_calls(connect: Callable[..., Bot]) -> None:
    """A hang does not outlive the server."""
    server = BotApiServer()
    async with server, connect(server) as bot:
        server.faults.add(Hang(600), on="getMe")
        call = asyncio.create_task(bot.get_me())
        await server.wait_for_async(lambda: server.calls("getMe")[1:])
        started = time.monotonic()
        await server.__aexit__()
        assert time.monotonic() - started < 60
        await asyncio.wait([call])
        assert call.done()
        assert call.exception() is None or isinstance(call.exception(), NetworkError)


async def test_updates_can_come_twice_and_in_another_order(
    server: BotApiServer, ada: User, bot: Bot
) -> None:
    """`Duplicate` repeats each update of an answer, `Reorder` shuffles them."""
    for number in range(6):
        ada.says(str(number))
    plain = [u.update_id for u in await bot.get_updates()]
    server.faults.add(Duplicate(), on="getUpdates")
    doubled = [u.update_id for u in await bot.get_updates()]
    server.faults.add(Reorder(), on="getUpdates")
    shuffled = [u.update_id for u in await bot.get_updates()]
    assert doubled == [number for number in plain for _ in range(2)]
    assert shuffled != plain
    assert sorted(shuffled) == plain


async def test_an_answer_can_drip(server: BotApiServer, ada: User, bot: Bot) -> None:
    """A slow answer is whole all the same."""
    server.faults.add(Drip(size=40, pause=0.001), on="sendMessage")
    assert (await bot.send_message(ada.id, "hi")).text == "hi"


async def test_random_faults_can_be_repeated(connect: Callable[..., Bot]) -> None:
    """The same seed gives the same faults at the same calls."""
    runs = []
    for _ in range(2):
        with BotApiServer(seed=7) as server:
            ada = server.user("Ada")
            ada.starts()
            server.faults.add(Flood(1), on="sendMessage", rate=0.5, times=None)
            outcomes = []
            async with connect(server) as bot:
                for number in range(12):
                    try:
                        await bot.send_message(ada.id, str(number))
                        outcomes.append(True)
                    except RetryAfter:
                        outcomes.append(False)
        runs.append(outcomes)
    assert runs[0] == runs[1]
    assert set(runs[0]) == {True, False}


async def test_published_rates_can_be_kept_all_the_time(connect: Callable[..., Bot]) -> None:
    """With `rates` a chat that gets too much answers 429, and others do not notice."""
    with BotApiServer(rates=Rates(chat=2, chat_seconds=3600)) as server:
        ada, bob = server.user("Ada"), server.user("Bob")
        ada.starts()
        bob.starts()
        async with connect(server) as bot:
            await bot.send_message(ada.id, "one")
            await bot.send_message(ada.id, "two")
            with pytest.raises(RetryAfter):
                await bot.send_message(ada.id, "three")
            await bot.send_message(bob.id, "one")
