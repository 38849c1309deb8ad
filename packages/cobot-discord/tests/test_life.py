"""Starting, staying up, stopping, and the truth about it."""

import asyncio
import gc
import subprocess
import sys
import threading

import pytest

from cobot_discord.testing import DiscordServer
from cobot_session.errors import AuthError, TemporaryError

pytestmark = pytest.mark.anyio


async def test_a_wrong_token_is_an_auth_error(server, general, hand):
    """A token that Discord refuses ends the start, with words that say what to check."""
    server.revoke_token()
    bot = hand()
    with pytest.raises(AuthError, match="bot_token"):
        await bot.__aenter__()
    await bot.channel.stop()


async def test_a_privileged_intent_that_is_off_is_named(server, general, hand):
    """4014 names the intent and where it is switched on."""
    server.gateway.privileged.discard("message_content")
    bot = hand()
    with pytest.raises(AuthError, match=r"Message Content Intent.*developers/applications"):
        await bot.__aenter__()
    await bot.channel.stop()


async def test_a_server_that_is_down_is_temporary(server, hand):
    """A start that cannot reach Discord says so, and can be repeated."""
    server.stop_thread()
    bot = hand()
    with pytest.raises(TemporaryError):
        await bot.__aenter__()
    await bot.channel.stop()


@pytest.mark.parametrize("key", ["api_url", "gateway_url"])
async def test_a_name_that_does_not_resolve_is_temporary(server, hand, monkeypatch, key):
    """A DNS failure, of either address, is trouble that may pass."""
    monkeypatch.setattr("cobot_discord.channel.READY_SECONDS", 0.3)
    scheme = "http" if key == "api_url" else "ws"
    bot = hand(**{key: f"{scheme}://nowhere.invalid/"})
    with pytest.raises(TemporaryError):
        await bot.__aenter__()
    await bot.channel.stop()


async def test_a_token_revoked_on_the_way_ends_receiving(server, general, hand):
    """A close code 4004 is told by the next receive."""
    async with hand() as bot:
        server.gateway.close(4004)
        with pytest.raises(AuthError, match="4004"):
            async with asyncio.timeout(30):
                await bot.receive()


async def test_health_tells_the_truth(server, general, hand):
    """Health follows the connection: up, down, up again, with a latency from heartbeats."""
    async with hand() as bot:
        health = await bot.channel.session_health()
        assert health.ok
        assert health.latency is not None
        server.gateway.refuse()
        await server.gateway.wait_until_async(lambda gateway: not gateway.connections)
        await hand.until(lambda: not bot.channel._gateway.is_alive)
        health = await bot.channel.session_health()
        assert not health.ok
        assert health.detail
        server.gateway.accept()
        await hand.until(lambda: bot.channel._gateway.is_alive)


async def test_health_has_a_latency_from_the_first_moment(server, general, hand):
    """A heart that beats at once knows its round trip when the session begins."""
    async with hand() as bot:  # with 41 s between two beats
        health = await bot.channel.session_health()
        assert health.ok
        assert 0 < health.latency < float("inf")


async def test_a_beat_without_its_answer_is_told_before_the_next(
    server, general, hand, monkeypatch
):
    """Health does not wait for the end of an interval of 41 s to tell of a silent line."""
    monkeypatch.setattr("cobot_discord.heartbeat.PATIENCE", 0.1)
    server.gateway.acknowledging = False
    async with hand() as bot:
        await hand.until(lambda: not bot.channel._gateway.is_alive)
        health = await bot.channel.session_health()
    assert (health.ok, health.detail) == (False, "the gateway does not answer heartbeats")


async def test_a_lost_gateway_is_told_at_once(server, general, hand):
    """The session is asked to look at the health when the gateway is lost, and at its return."""
    asked = asyncio.Event()
    bot = hand()
    bot.channel.context.check_health = asked.set
    async with bot:
        await asyncio.wait_for(asked.wait(), 30)
        assert (await bot.channel.session_health()).ok
        asked.clear()
        server.gateway.refuse()
        await asyncio.wait_for(asked.wait(), 30)
        assert not (await bot.channel.session_health()).ok
        asked.clear()
        server.gateway.accept()
        await asyncio.wait_for(asked.wait(), 30)
        assert (await bot.channel.session_health()).ok


async def test_a_connection_that_is_resumed_at_once_is_no_loss(server, general, hand):
    """A reconnect that Discord orders disturbs no receive."""
    async with hand() as bot:
        receiving = asyncio.create_task(bot.receive_once())
        server.gateway.reconnect()
        await server.gateway.wait_until_async(lambda gateway: gateway.resumed == 1)
        server.user("ann").says("hello", general)
        got = await asyncio.wait_for(receiving, 30) or await bot.receive()
    assert [one.content for one in got] == ["hello"]


async def test_a_lost_connection_is_ill_before_its_socket_has_closed(
    server, general, hand, monkeypatch
):
    """Health does not wait for the end of a close handshake that nobody answers."""
    from cobot_discord.client import Socket

    closing, go_on = asyncio.Event(), asyncio.Event()
    end = Socket.end

    async def slow(socket, code):
        closing.set()
        await go_on.wait()
        await end(socket, code)

    monkeypatch.setattr(Socket, "end", slow)
    async with hand() as bot:
        server.gateway.reconnect()
        await asyncio.wait_for(closing.wait(), 30)
        health = await bot.channel.session_health()
        go_on.set()
    assert not health.ok


async def test_health_sees_a_zombie(server, general, hand):
    """A connection that still brings events but answers no heartbeat is not healthy."""
    gateway, ann = server.gateway, server.user("ann")
    async with hand() as bot:
        assert (await bot.channel.session_health()).ok
        gateway.acknowledging, gateway.strict, gateway.heartbeat_interval = False, False, 0.3
        gateway.reconnect()  # to a connection with so short an interval
        await hand.until(lambda: gateway.resumed >= 1 and not bot.channel._gateway.is_alive)
        await gateway.wait_until_async(lambda gateway: gateway.resumed > 1)
        ann.says("still talking", general)
        assert await bot.texts() == ["still talking"]


async def test_a_session_that_is_lost_at_once_is_no_failed_start(server, general, hand):
    """A start has succeeded when a session began, though it be lost before the start looks."""
    async with hand() as bot:
        gateway = bot.channel._gateway
        gateway.online.clear()
        waiting = asyncio.create_task(bot.channel._waiting.until_online(60))
        await hand.until(lambda: gateway.online._waiters)
        gateway.online.set()
        gateway.online.clear()
        await asyncio.wait_for(waiting, 30)


async def test_a_gateway_that_is_gone_comes_back(server, general, hand):
    """The server goes down and up again on its port; the channel needs no help."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("one", general)
        assert await bot.texts() == ["one"]
        server.stop_thread()
        ann.says("two", general)
        server.start_in_thread()
        assert await bot.texts() == ["two"]


async def test_a_resume_address_that_leads_nowhere_is_given_up(server, general, hand, monkeypatch):
    """When the address for a RESUME cannot be reached, the first one is tried again."""
    monkeypatch.setattr("cobot_discord.client._pause", lambda _: 0.01)
    server.gateway.resume_url = "ws://127.0.0.1:9/"
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("one", general)
        assert await bot.texts() == ["one"]
        server.gateway.cut()
        ann.says("two", general)
        assert await bot.texts() == ["two"]
    assert server.gateway.identified == 2


async def test_two_servers_in_one_process(server, general, hand):
    """Each channel talks to the addresses of its own settings."""

    with DiscordServer() as other:
        there = other.guild("There").channel("there")
        async with hand() as one, hand(other) as two:
            server.user("ann").says("here", general)
            other.user("bob").says("there", there)
            assert await one.texts() == ["here"]
            assert await two.texts() == ["there"]
            await one.send(general, "from one")
            await two.send(there, "from two")
    assert [m.content for m in general.by_bot()] == ["from one"]
    assert [m.content for m in there.by_bot()] == ["from two"]


async def test_stopping_leaves_nothing(server, general, hand):
    """After `stop` there is no task, thread or socket of the channel, however often it was cut."""
    before = set(threading.enumerate())
    tasks = asyncio.all_tasks()
    async with hand() as bot:
        for number in range(3):
            server.gateway.cut()
            await server.gateway.wait_until_async(lambda gw, n=number: gw.resumed == n + 1)
        await bot.send(general, "x")
    await server.gateway.wait_until_async(lambda gateway: not gateway.connections)
    assert server.gateway.closed_with[-1] == 1000
    assert asyncio.all_tasks() == tasks
    new = {thread.name for thread in set(threading.enumerate()) - before}
    assert {name for name in new if not name.startswith("asyncio_")} == set()  # the loop's own
    gc.collect()


def test_importing_the_package_does_not_import_the_library():
    """A hundred installed channels cost nothing until they start."""
    code = "import cobot_discord, sys; print({'discord', 'aiohttp'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
