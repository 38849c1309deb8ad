"""The local server is Discord enough for discord.py itself, over the socket."""

import asyncio
import contextlib
import gc
from datetime import UTC, datetime, timedelta

import aiohttp
import discord
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from cobot_discord.testing import (
    TOKEN,
    CutAfter,
    CutBefore,
    DiscordServer,
    Duplicate,
    File,
    HalfOpen,
    Hang,
    RateLimit,
    Reorder,
    ServerError,
)

pytestmark = [
    pytest.mark.anyio,
    # discord.py's resume after a server's cut leaves the old socket to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Bot(discord.Client):
    """discord.py as it comes, keeping what it hears."""

    def __init__(self, intents=None, **options):
        super().__init__(intents=intents or everything(), guild_ready_timeout=0.05, **options)
        self.heard = asyncio.Queue()
        self.ready = asyncio.Event()
        self.back = asyncio.Event()

    async def before_identify_hook(self, shard_id, *, initial=False):
        """Identify at once: the local server knows no such limit."""

    async def on_ready(self):
        self._look()

    async def on_guild_available(self, guild):
        self._look()

    def _look(self):
        """Be ready once every guild is there: the library waits a moment for them, no longer."""
        if self.is_ready() and not any(guild.unavailable for guild in self.guilds):
            self.ready.set()

    async def on_resumed(self):
        self.back.set()

    async def close(self):
        """End what waits for guilds: the library would tell of it by a loop that it has let go."""
        self._tell_no_more()
        await super().close()
        self._tell_no_more()

    def _tell_no_more(self):
        if self._connection._ready_task is not None:
            self._connection._ready_task.cancel()

    async def on_message(self, message):
        if message.author != self.user:
            await self.heard.put(message)

    async def on_raw_reaction_add(self, payload):
        await self.heard.put(payload)

    on_raw_reaction_remove = on_raw_message_edit = on_raw_message_delete = on_raw_reaction_add

    async def hears(self):
        return await asyncio.wait_for(self.heard.get(), 30)


def everything():
    intents = discord.Intents.default()
    intents.message_content = True
    return intents


@pytest.fixture
def point(server, monkeypatch):
    monkeypatch.setattr(Route, "BASE", server.api_url)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))


@contextlib.asynccontextmanager
async def running(bot, *, ready=True):
    task = asyncio.create_task(bot.start(TOKEN))
    try:
        if ready:
            waiting = asyncio.create_task(bot.ready.wait())
            await asyncio.wait({task, waiting}, timeout=30, return_when="FIRST_COMPLETED")
            if not waiting.done():
                waiting.cancel()
                task.result()
        yield task
    finally:
        await bot.close()
        await asyncio.gather(task, return_exceptions=True)
        gc.collect()


@pytest.fixture
def general(server):
    return server.guild("Home").channel("general")


@pytest.fixture
async def bot(point, general):
    bot = Bot()
    async with running(bot):
        yield bot


async def test_a_message_reaches_the_bot_and_its_answer_the_chat(server, general, bot):
    """A user speaks in a guild, the bot replies, both stand in the chat."""
    said = server.user("ann").says("hello", general)
    heard = await bot.hears()
    assert (heard.content, heard.author.name, heard.guild.name) == ("hello", "ann", "Home")
    await heard.reply("hello, ann")
    answer = await general.wait_for_async("hello, ann")
    assert answer.author is server.bot
    assert answer.reply_to is said


async def test_direct_messages_threads_forums_and_voice_chats(server, general, bot):
    """Every kind of place is one the bot can hear and answer in."""
    ann = server.user("ann")
    guild = general.guild
    places = [ann.dm, general.thread("details"), guild.voice("Lounge")]
    places.append(ann.posts(guild.forum("help"), "How?", "Tell me how."))
    assert (await bot.hears()).content == "Tell me how."
    for place in places:
        ann.says(f"in {place.name}", place)
        heard = await bot.hears()
        assert heard.content == f"in {place.name}"
        await heard.channel.send("here")
        await place.wait_for_async("here")


async def test_edits_reactions_and_deletions_are_told(server, general, bot):
    """What happens to a message afterwards arrives as an event of its own."""
    ann = server.user("ann")
    said = ann.says("helo", general)
    await bot.hears()
    ann.edits(said, "hello")
    assert (await bot.hears()).message.content == "hello"
    ann.reacts(said, "👍")
    assert str((await bot.hears()).emoji) == "👍"
    ann.unreacts(said, "👍")
    assert (await bot.hears()).event_type == "REACTION_REMOVE"
    ann.deletes(said)
    assert (await bot.hears()).message_id == int(said.id)


async def test_the_bot_edits_reacts_types_and_deletes(server, general, bot):
    """The bot's own acts change the world."""
    server.user("ann").says("go", general)
    heard = await bot.hears()
    sent = await heard.channel.send("one")
    await sent.edit(content="two")
    assert general.by_bot()[0].content == "two"
    await heard.add_reaction("👍")
    assert general.messages[0].reactions == {"👍": [server.bot.id]}
    await heard.remove_reaction("👍", bot.user)
    assert general.messages[0].reactions == {}
    await heard.channel.typing()
    assert general.typing == 1
    await sent.delete()
    assert general.by_bot() == []


async def test_files_go_up_and_come_down(server, general, bot):
    """Uploads arrive whole, downloads too, and a link ends when it is told to."""
    server.user("ann").says("look", general, files=[File("a.png", b"\x89PNG", "image/png")])
    heard = await bot.hears()
    assert heard.attachments[0].content_type == "image/png"
    assert await heard.attachments[0].read() == b"\x89PNG"
    await heard.channel.send("mine", file=discord.File(__file__, "source.py"))
    sent = await general.wait_for_async("mine")
    assert sent.attachments[0].file.name == "source.py"
    assert b"come down" in sent.attachments[0].file.data
    server.expire_links()
    with pytest.raises(discord.NotFound):
        await heard.attachments[0].read()


async def test_content_is_withheld_without_the_intent(server, general, point):
    """Without the message-content intent only DMs and mentions of the bot carry text."""
    bot, ann = Bot(discord.Intents.default()), server.user("ann")
    async with running(bot):
        ann.says("secret", general)
        assert (await bot.hears()).content == ""
        ann.says(f"<@{server.bot.id}> open", general)
        assert (await bot.hears()).content == f"<@{server.bot.id}> open"
        ann.says("direct")
        assert (await bot.hears()).content == "direct"


async def test_an_intent_that_was_not_asked_for_brings_nothing(server, general, point):
    """Events whose intent is missing do not arrive."""
    bot, ann = Bot(discord.Intents(guilds=True, dm_messages=True)), server.user("ann")
    async with running(bot):
        ann.says("not for it", general)
        ann.says("for it")
        assert (await bot.hears()).content == "for it"


async def test_a_privileged_intent_that_is_off_is_refused(server, general, point):
    """An IDENTIFY that asks too much is closed with 4014."""
    server.gateway.privileged.discard("message_content")
    bot = Bot()
    async with running(bot, ready=False) as task:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await asyncio.wait_for(task, 30)


async def test_a_wrong_token_is_refused(server, point):
    """REST answers 401 to a token that is not the bot's."""
    server.revoke_token()
    with pytest.raises(discord.LoginFailure):
        await asyncio.wait_for(Bot().start(TOKEN), 30)


@pytest.mark.parametrize("order", ["reconnect", "cut", "close", "resumable"])
async def test_a_resume_replays_what_was_missed(server, general, bot, order):
    """After op7, a cut, a close code and op9 true nothing said meanwhile is lost."""
    gateway, ann = server.gateway, server.user("ann")
    orders = {
        "reconnect": gateway.reconnect,
        "cut": gateway.cut,
        "close": lambda: gateway.close(4000),
        "resumable": lambda: gateway.invalidate(resumable=True),
    }
    orders[order]()
    ann.says("meanwhile", general)
    assert (await bot.hears()).content == "meanwhile"
    await asyncio.wait_for(bot.back.wait(), 30)
    assert (gateway.identified, gateway.resumed) == (1, 1)


async def test_an_invalidated_session_begins_anew_and_its_gap_is_in_the_history(
    server, general, bot
):
    """After op9 false what was said meanwhile arrives no more, but REST has it."""
    server.gateway.refuse()
    server.gateway.forget_sessions()
    missed = server.user("ann").says("missed", general)
    bot.ready.clear()
    server.gateway.accept()
    await asyncio.wait_for(bot.ready.wait(), 30)
    assert server.gateway.identified == 2
    assert bot.heard.empty()
    channel = bot.get_channel(int(general.id))
    history = [message async for message in channel.history(limit=5, oldest_first=True)]
    assert [message.id for message in history] == [int(missed.id)]


@pytest.mark.parametrize("code", [4004, 4010, 4013])
async def test_a_fatal_close_code_ends_the_client(server, bot, general, code):
    """Close codes after which nobody may reconnect end discord.py."""
    server.gateway.close(code)
    await server.gateway.wait_until_async(lambda gateway: not gateway.connections)
    assert server.gateway.resumed == 0


async def test_heartbeats_are_answered(server, general, point):
    """A client that beats and is answered keeps its line."""
    server.gateway.heartbeat_interval = 0.1
    server.gateway.strict = False  # on a busy machine a beat may be late
    bot = Bot(heartbeat_timeout=3600)
    async with running(bot):
        await server.gateway.wait_until_async(lambda gateway: gateway.heartbeats > 3)
        assert server.gateway.resumed == 0
        assert bot.latency < float("inf")


async def test_heartbeats_that_are_not_answered(server, general, point):
    """Without acknowledgements, and nothing else to hear, discord.py takes the line for dead."""
    server.gateway.heartbeat_interval = 0.1
    server.gateway.strict = False
    server.gateway.acknowledging = False
    async with running(Bot(heartbeat_timeout=1.0)):
        await server.gateway.wait_until_async(lambda gateway: gateway.resumed > 0)


async def test_a_client_without_heartbeats_is_closed(server):
    """Who does not beat within one and a half intervals is closed with 4009."""
    server.gateway.heartbeat_interval = 0.05
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.gateway_url) as socket,
    ):
        assert (await socket.receive_json())["op"] == 10
        closed = await asyncio.wait_for(socket.receive(), 30)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4009)


@pytest.mark.parametrize(
    ("sent", "code"), [("{", 4002), ('{"op": 3, "d": {}}', 4003), ('{"op": 99}', 4003)]
)
async def test_bad_frames_are_closed_with_their_code(server, sent, code):
    """A frame that is no JSON, or comes before IDENTIFY, ends the connection."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.gateway_url) as socket,
    ):
        await socket.receive_json()
        await socket.send_str(sent)
        assert (await asyncio.wait_for(socket.receive(), 30)).data == code


async def test_plain_and_compressed_connections_say_the_same(server, general, point, monkeypatch):
    """zlib-stream is used when it is asked for, plain text otherwise."""
    compressed = Bot()
    async with running(compressed):
        assert [each.compressed for each in server.gateway.connections] == [True]
    original = DiscordWebSocket.from_client

    async def plain(client, **options):
        return await original.__func__(DiscordWebSocket, client, compress=False, **options)

    monkeypatch.setattr(DiscordWebSocket, "from_client", plain)
    bot = Bot()
    async with running(bot):
        server.user("ann").says("plain", general)
        assert (await bot.hears()).content == "plain"
        assert any(not each.compressed for each in server.gateway.connections)


async def test_a_bucket_is_told_in_headers_and_enforced(server, general, bot):
    """discord.py keeps to the bucket by its headers: no request is refused."""
    server.limit("create_message", 2, 0.2)
    channel = bot.get_channel(int(general.id))
    for number in range(5):
        await channel.send(str(number))
    assert {request.status for request in server.rest.named("create_message")} == {200}
    server.limit("create_message", 2, 3600)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {TOKEN}"}) as raw:
        url = f"{server.api_url}/channels/{general.id}/messages"
        answers = [await raw.post(url, json={"content": "x"}) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert "X-RateLimit-Reset-After" in answers[-1].headers


async def test_a_global_limit_holds_every_request(server, general, bot):
    """A global 429 refuses all requests until it is over."""
    server.faults.add(RateLimit(0.2, "global"), on="create_message")
    await bot.get_channel(int(general.id)).send("patience")
    refused, done = server.rest.named("create_message")
    assert (refused.status, done.status) == (429, 200)
    assert server.rest.invalid == 1


async def test_a_nonce_is_enforced(server, general, bot):
    """The same nonce twice makes one message."""
    channel = bot.get_channel(int(general.id))
    one = await channel.send("once", nonce="abc")
    two = await channel.send("once", nonce="abc")
    assert one.id == two.id
    assert len(general.by_bot()) == 1


async def test_mentions_ping_as_allowed(server, general, bot):
    """allowed_mentions decides who is notified."""
    ann = server.user("ann")
    channel = bot.get_channel(int(general.id))
    text = f"@everyone <@{ann.id}>"
    await channel.send(text)
    await channel.send(text, allowed_mentions=discord.AllowedMentions.none())
    loud, quiet = general.by_bot()
    assert loud.pings == [ann.id, "@everyone"]
    assert quiet.pings == []


async def test_refusals_carry_discords_codes(server, general, bot):
    """403, 404 and 400 come with the JSON codes that Discord gives."""
    ann, channel = server.user("ann"), bot.get_channel(int(general.id))
    ann.closes_direct_messages()
    with pytest.raises(discord.Forbidden) as closed:
        await (await bot.fetch_user(int(ann.id))).send("psst")
    assert closed.value.code == 50007
    general.forbid("send")
    with pytest.raises(discord.Forbidden) as forbidden:
        await channel.send("no")
    assert forbidden.value.code == 50013
    general.permit("send")
    with pytest.raises(discord.HTTPException) as long:
        await channel.send("x" * 2001)
    assert (long.value.status, long.value.code) == (400, 50035)
    with pytest.raises(discord.NotFound) as unknown:
        await channel.fetch_message(1)
    assert unknown.value.code == 10008


@pytest.mark.parametrize(
    ("fault", "stands"),
    [(CutBefore(), 0), (CutAfter(), 1), (ServerError(503), 0), (ServerError(503, True), 1)],
)
async def test_a_request_fails_before_or_after_it_took_effect(server, general, bot, fault, stands):
    """The caller sees an error either way; the chat knows the difference."""
    server.faults.add(fault, on="create_message")
    with pytest.raises((aiohttp.ClientError, discord.DiscordServerError)):
        await bot.get_channel(int(general.id)).send("x")
    assert len(general.by_bot()) == stands


async def test_a_request_hangs(server, general, bot):
    """A hanging request is carried out late, though its caller has gone."""
    hang = server.faults.add(Hang(0.5), on="create_message")
    caller = asyncio.create_task(bot.get_channel(int(general.id)).send("late"))
    await server.world.changes.wait_async(lambda: hang.hits, 30, lambda: "no request came")
    caller.cancel()
    await general.wait_for_async("late")


async def test_events_are_doubled_and_reordered(server, general, bot):
    """Troubles of the gateway: an event twice, two events the other way round."""
    ann = server.user("ann")
    server.faults.add(Duplicate(), on="MESSAGE_CREATE")
    ann.says("twice", general)
    assert [(await bot.hears()).content for _ in "12"] == ["twice", "twice"]
    server.faults.add(Reorder(), on="MESSAGE_CREATE")
    with server.world.changes:  # or the first, which waits for a moment only, may go alone
        ann.says("first", general)
        ann.says("second", general)
    assert [(await bot.hears()).content for _ in "12"] == ["second", "first"]
    server.faults.add(Reorder(), on="MESSAGE_CREATE")
    ann.says("alone", general)
    assert (await bot.hears()).content == "alone"


@pytest.mark.parametrize("fault", [CutBefore(), CutAfter(), HalfOpen()])
async def test_an_event_that_meets_a_broken_line_is_replayed(server, general, point, fault):
    """A line that breaks at an event loses nothing: RESUME replays."""
    server.gateway.heartbeat_interval = 0.1
    server.gateway.strict = False  # on a busy machine a beat may be late
    bot = Bot(heartbeat_timeout=1.0)
    async with running(bot):
        server.faults.add(fault, on="MESSAGE_CREATE")
        server.user("ann").says("through", general)
        assert (await bot.hears()).content == "through"
        await server.gateway.wait_until_async(lambda gateway: gateway.resumed >= 1)


async def test_presence_is_seen(server, general, bot):
    """The server keeps the presence the bot shows."""
    await bot.change_presence(status=discord.Status.idle, activity=discord.CustomActivity("busy"))
    await server.gateway.wait_until_async(lambda gateway: len(gateway.presences) == 1)
    assert server.world.presence["status"] == "idle"


async def test_history_pages_from_both_ends(server, general, bot):
    """`after` counts from the oldest, `before` from the newest; the past can be written."""
    ann, old = server.user("ann"), datetime.now(UTC) - timedelta(days=3)
    said = [ann.says(str(n), general, sent_at=old + timedelta(seconds=n)) for n in range(120)]
    channel = bot.get_channel(int(general.id))
    after = discord.Object(int(said[9].id))
    forward = [m.content async for m in channel.history(after=after, limit=None)]
    assert forward == [str(n) for n in range(10, 120)]
    backward = [m.content async for m in channel.history(limit=3)]
    assert backward == ["119", "118", "117"]


async def test_it_runs_in_the_callers_loop_too(monkeypatch):
    """`async with` serves from the running loop; its waits are awaited."""
    async with DiscordServer() as server:
        monkeypatch.setattr(Route, "BASE", server.api_url)
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
        general = server.guild("Home").channel("general")
        bot = Bot()
        async with running(bot):
            server.user("ann").says("hello", general)
            await (await bot.hears()).channel.send("hello back")
            await general.wait_for_async("hello back")
            with pytest.raises(RuntimeError, match="_async"):
                general.wait_for("never")


async def test_a_wait_tells_what_came_instead(server, general):
    """A wait that ends in vain says so, with what there was."""
    with pytest.raises(TimeoutError, match="wrote only"):
        await general.wait_for_async("never", timeout=0.01)


async def test_a_fault_in_the_wrong_place_is_refused(server):
    """A request cannot be reordered and an event not be answered 429."""
    with pytest.raises(TypeError, match="Reorder cannot happen on create_message"):
        server.faults.add(Reorder(), on="create_message")
    with pytest.raises(TypeError, match="RateLimit cannot happen on MESSAGE_CREATE"):
        server.faults.add(RateLimit(), on="MESSAGE_CREATE")
