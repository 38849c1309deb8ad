"""The local server hands out updates as the Bot API does."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import Conflict, InvalidToken

from cobot_telegram.testing import BotApiServer, User

pytestmark = pytest.mark.anyio


async def test_an_unconfirmed_update_comes_again(server: BotApiServer, bot: Bot) -> None:
    """Fetching confirms nothing: a bot that dies before it acted gets the same update again."""
    server.user("Ada").says("hi")
    first = await bot.get_updates()
    again = await bot.get_updates()
    assert [u.update_id for u in first] == [u.update_id for u in again]


async def test_an_offset_confirms_what_lies_below_it(server: BotApiServer, bot: Bot) -> None:
    """`offset` forgets all earlier updates."""
    ada = server.user("Ada")
    ada.says("one")
    ada.says("two")
    first = await bot.get_updates(limit=1)
    rest = await bot.get_updates(offset=first[0].update_id + 1)
    assert [u.message.text for u in rest if u.message] == ["two"]
    assert len(server.bot.updates) == 1


async def test_a_negative_offset_keeps_the_last_ones(server: BotApiServer, bot: Bot) -> None:
    """`offset=-1` forgets all but the latest update."""
    ada = server.user("Ada")
    for text in ("one", "two", "three"):
        ada.says(text)
    updates = await bot.get_updates(offset=-1)
    assert [u.message.text for u in updates if u.message] == ["three"]


async def test_a_long_poll_ends_when_something_comes(server: BotApiServer, bot: Bot) -> None:
    """A waiting poll is answered by the event, not by its time-out."""
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await server.wait_for_async(lambda: server.bot.updates.polled)
    server.user("Ada").says("hi")
    async with asyncio.timeout(30):
        updates = await poll
    assert updates[0].message is not None
    assert updates[0].message.text == "hi"


async def test_an_idle_poll_is_answered_empty(bot: Bot) -> None:
    """Nothing new is an empty list, after the time asked for."""
    assert await bot.get_updates(timeout=1) == ()


async def test_a_second_poller_ends_the_first_with_409(
    server: BotApiServer, bot: Bot, connect: Callable[..., Bot]
) -> None:
    """Two pollers with one token: the earlier long poll is refused and told why."""
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await server.wait_for_async(lambda: server.bot.updates.polled)
    async with connect(server) as second:
        await second.get_updates()
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await poll


async def test_unknown_tokens_are_refused(
    server: BotApiServer, connect: Callable[..., Bot]
) -> None:
    """A well-formed token nobody has: 401; a malformed one: 404, both without a word of it."""
    for token in ("700000001:wrong", "nonsense"):
        with pytest.raises(InvalidToken):
            async with connect(server, token):
                pass


async def test_reactions_come_only_to_bots_that_ask(server: BotApiServer, bot: Bot) -> None:
    """`message_reaction` is not among the default kinds."""
    ada = server.user("Ada")
    message = ada.says("hi")
    ada.reacts(message, "👍")
    assert len(await bot.get_updates(allowed_updates=["message", "message_reaction"])) == 1
    ada.reacts(message, "")
    changed = (await bot.get_updates(offset=-1))[0].message_reaction
    assert changed is not None
    assert changed.old_reaction[0].to_dict() == {"type": "emoji", "emoji": "👍"}
    assert changed.new_reaction == ()


async def test_a_pressed_button_is_answered_once(server: BotApiServer, bot: Bot) -> None:
    """A press arrives with its data; a second answer to it is refused."""
    ada = server.user("Ada")
    ada.starts()
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes!")]])
    await bot.send_message(ada.id, "Sure?", reply_markup=keyboard)
    press = ada.presses(ada.chat.wait_for("Sure?"), "Yes")
    query = (await bot.get_updates(offset=-1))[0].callback_query
    assert query is not None
    assert (query.data, query.from_user.id) == ("yes!", ada.id)
    await query.answer("done")
    assert press.wait_for_answer()["text"] == "done"


async def test_privacy_mode_hides_ordinary_group_messages(
    server: BotApiServer, connect: Callable[..., Bot]
) -> None:
    """With privacy mode on, a group's bot sees commands, mentions of it and replies to it."""
    shy = server.add_bot("shy_bot", reads_all=False)
    ada, group = server.user("Ada"), server.group("Main")
    ada.says("nothing for bots", chat=group)
    ada.says("hello @shy_bot", chat=group)
    ada.says("/help", chat=group)
    async with connect(server, shy.token) as bot:
        mine = await bot.send_message(group.id, "yes?")
        answered = group.get(mine.message_id)
        assert answered is not None
        ada.replies(answered, "no")
        texts = [u.message.text for u in await bot.get_updates() if u.message]
    assert texts == ["hello @shy_bot", "/help", "no"]


class Endpoint:
    """A bot's webhook that refuses some deliveries."""

    def __init__(self, refuse: int = 0) -> None:
        self.refuse = refuse
        self.texts: list[str] = []
        self.secrets: list[str | None] = []
        self.got = asyncio.Event()
        self.wanted = 1

    async def take(self, request: web.Request) -> web.Response:
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        update = await request.json()
        if self.refuse > 0:
            self.refuse -= 1
            return web.Response(status=500)
        self.texts.append(update["message"]["text"])
        if len(self.texts) >= self.wanted:
            self.got.set()
        return web.Response()

    async def open(self) -> tuple[web.AppRunner, str]:
        app = web.Application()
        app.router.add_post("/hook", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"


async def test_a_webhook_gets_each_update_until_it_takes_it(server: BotApiServer, bot: Bot) -> None:
    """Deliveries carry the secret, are tried again after a 500, and keep a chat's order."""
    endpoint = Endpoint(refuse=2)
    endpoint.wanted = 3
    runner, url = await endpoint.open()
    try:
        await bot.set_webhook(url, secret_token="s3cret")
        ada = server.user("Ada")
        for text in ("one", "two", "three"):
            ada.says(text)
        async with asyncio.timeout(30):
            await endpoint.got.wait()
        await server.wait_for_async(lambda: not len(server.bot.updates))
        info = await bot.get_webhook_info()
    finally:
        await runner.cleanup()
    assert endpoint.texts == ["one", "two", "three"]
    assert set(endpoint.secrets) == {"s3cret"}
    assert info.pending_update_count == 0
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"


async def test_polling_is_refused_while_a_webhook_is_set(server: BotApiServer, bot: Bot) -> None:
    """getUpdates and a webhook exclude each other; deleting the webhook ends that."""
    await bot.set_webhook("http://127.0.0.1:9/hook")
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await bot.get_updates() == ()


async def test_what_it_knows_outlives_a_restart(connect: Callable[..., Bot]) -> None:
    """A stopped server comes back at the same port with what was not confirmed."""
    server = BotApiServer()
    async with server:
        port = server.port
        ada: User = server.user("Ada")
        ada.says("hi")
    async with server, connect(server) as bot:
        assert server.port == port
        assert len(await bot.get_updates()) == 1


async def test_a_blocking_wait_on_its_own_loop_is_refused(connect: Callable[..., Bot]) -> None:
    """Where the server runs in this loop, only the waits ending in _async can end."""
    async with BotApiServer() as server, connect(server) as bot:
        ada = server.user("Ada")
        ada.starts()
        with pytest.raises(RuntimeError, match="_async"):
            ada.chat.wait_for("hello")
        await bot.send_message(ada.id, "hello")
        assert (await ada.chat.wait_for_async("hello")).by_bot


async def test_a_wait_that_finds_nothing_shows_what_is_there(
    server: BotApiServer, bot: Bot
) -> None:
    """The error of a wait in vain names the chat and its last messages."""
    ada = server.user("Ada")
    ada.says("hi")
    with pytest.raises(TimeoutError, match=r"'hello' did not come.*Ada.*'hi'"):
        ada.chat.wait_for("hello", timeout=0.05)
