"""Nothing is lost when the bot is away, and nothing comes twice."""

from datetime import UTC, datetime, timedelta

import pytest

from cobot_discord.parse import snowflake_at
from cobot_discord.testing import CutAfter, Duplicate, HalfOpen, Hang, Reorder, ServerError

pytestmark = pytest.mark.anyio


async def test_a_first_start_begins_at_now(server, general, hand):
    """What was said before the bot came is not for it."""
    ann = server.user("ann")
    ann.says("before", general)
    async with hand() as bot:
        ann.says("after", general)
        assert await bot.texts() == ["after"]


async def test_a_restart_reads_what_was_missed(server, general, hand):
    """After a restart, channels, threads and DMs are filled from history, oldest first, once."""
    ann = server.user("ann")
    thread, quiet = general.thread("details"), general.guild.channel("quiet")
    places = [general, thread, ann.dm]
    async with hand() as bot:
        for place in places:
            ann.says("heard", place)
        await bot.receive(3)
    for number in range(3):
        for place in (*places, quiet):
            ann.says(f"missed {number}", place)
    async with hand() as bot:
        got = await bot.receive(12)
        ann.says("live", general)
        assert await bot.texts() == ["live"]
    for place in (*places, quiet):
        texts = [one.content for one in got if one.channel_id.endswith(place.id)]
        assert texts == ["missed 0", "missed 1", "missed 2"]


async def test_a_channel_made_meanwhile_is_read_from_its_beginning(server, general, hand):
    """A channel or thread that came into being in a gap loses nothing either."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("heard", general)
        await bot.receive()
    ann.says("in a new channel", general.guild.channel("new"))
    ann.says("in a new thread", general.thread("new thread"))
    async with hand() as bot:
        texts = await bot.texts(2)
    assert sorted(texts) == ["in a new channel", "in a new thread"]


async def test_a_direct_chat_that_began_in_the_gap(server, general, hand):
    """Discord lists no direct chats: the first messages come when the person writes again."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("heard", general)
        await bot.receive()
    ann.says("hello?")
    async with hand() as bot:
        ann.says("are you there?")
        assert await bot.texts(2) == ["hello?", "are you there?"]


async def test_a_first_start_with_a_clock_ahead_misses_no_direct_chat(
    server, general, hand, set_clock
):
    """Direct chats begin at Discord's time: one missed later comes when its person speaks."""
    ann = server.user("ann")
    set_clock(86_400)
    async with hand():
        pass
    ann.says("hello?")
    set_clock(0)
    async with hand() as bot:
        ann.says("are you there?")
        assert await bot.texts(2) == ["hello?", "are you there?"]


async def test_a_first_start_with_a_clock_behind_begins_at_now(server, general, hand, set_clock):
    """What was said in private before the bot came is not for it, whatever its clock shows."""
    ann = server.user("ann")
    ann.says("before", sent_at=datetime.now(UTC) - timedelta(minutes=1))
    set_clock(-86_400)
    async with hand() as bot:
        ann.says("after")
        assert await bot.texts() == ["after"]


async def test_a_beginning_in_the_future_is_none(server, general, hand):
    """What a start with a wrong clock has stored is put right by the next one."""
    ann = server.user("ann")
    ahead = str(snowflake_at(datetime.now(UTC) + timedelta(days=1)))
    hand.values["floor/@me"] = hand.values["begun/@me"] = ahead
    async with hand():
        pass
    ann.says("hello?")
    async with hand() as bot:
        ann.says("are you there?")
        assert await bot.texts(2) == ["hello?", "are you there?"]


async def test_a_clock_ahead_over_a_gap_loses_nothing(server, general, hand, set_clock):
    """How old a message is Discord's time tells: what was just missed is read."""
    ann = server.user("ann")
    places = [general, general.thread("details"), ann.dm]
    async with hand() as bot:
        for place in places:
            ann.says("heard", place)
        await bot.receive(3)
    for off in (10 * 86_400, 0):
        for place in places:
            ann.says(f"missed {off}", place)
        set_clock(off)
        async with hand() as bot:
            assert await bot.texts(3) == [f"missed {off}"] * 3


async def test_a_crash_before_the_first_commit_loses_nothing(server, general, hand):
    """Where a guild begins is stored at once, not with the first message."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("precious", general)
        await hand.until(lambda: bot.channel._gaps.inflow)
    async with hand() as bot:
        assert await bot.texts() == ["precious"]


async def test_an_archived_thread_is_looked_after(server, general, hand):
    """A thread that was archived in the gap is not listed any more, and still read."""
    ann, thread = server.user("ann"), general.thread("details")
    async with hand() as bot:
        ann.says("heard", thread)
        await bot.receive()
    ann.says("missed", thread)
    thread.archive()
    async with hand() as bot:
        (got,) = await bot.receive()
    assert (got.content, got.channel_id) == ("missed", f"{general.id}/{thread.id}")


async def test_a_thread_that_came_and_went_is_read_when_somebody_writes_again(
    server, general, hand
):
    """A thread that was opened and archived in the gap is listed nowhere; it is not forgotten."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("heard", general)
        await bot.receive()
    thread = general.thread("details")
    ann.says("missed", thread)
    thread.archive()
    async with hand() as bot:
        ann.says("meanwhile", general)
        await bot.receive()
        hand.values[f"floor/{general.guild.id}"] = server.world.new_id()
        ann.says("again", thread)
        assert await bot.texts(2) == ["missed", "again"]


async def test_roles_are_known_also_of_what_was_missed(server, general, hand):
    """History tells no roles; they are asked for, so that access rules hold."""
    ann, crew = server.user("ann"), general.guild.role("crew")
    general.guild.give(ann, crew)
    async with hand() as bot:
        ann.says("heard", general)
        await bot.receive()
    ann.says("missed", general)
    async with hand() as bot:
        (got,) = await bot.receive()
    assert (got.roles, got.space_id) == ([crew.id], general.guild.id)


async def test_a_lost_session_is_filled_in_the_same_process(server, general, hand):
    """After op9 false what was said meanwhile comes from history, then what is said now."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("one", general)
        assert await bot.texts() == ["one"]
        server.gateway.refuse()
        server.gateway.forget_sessions()
        ann.says("two", general)
        ann.says("two in private")
        server.gateway.accept()
        ann.says("three", general)
        got = await bot.receive(2)
        await server.gateway.wait_until_async(lambda gateway: gateway.online)
        ann.says("four", general)
        got += await bot.receive(1)
    assert [one.content for one in got if not one.direct] == ["two", "three", "four"]
    assert server.gateway.identified == 2


async def test_a_resumed_session_misses_nothing(server, general, hand):
    """op7, op9 true, close codes and cuts are followed by a RESUME, which replays."""
    ann, gateway = server.user("ann"), server.gateway
    orders = [
        gateway.reconnect,
        gateway.cut,
        lambda: gateway.close(4000),
        lambda: gateway.close(1000),
        lambda: gateway.invalidate(resumable=True),
    ]
    async with hand() as bot:
        for number, order in enumerate(orders):
            order()
            ann.says(str(number), general)
            assert await bot.texts() == [str(number)]
            await gateway.wait_until_async(lambda gw, n=number: gw.resumed == n + 1)
    assert gateway.identified == 1


async def test_doubled_and_overtaken_events(server, general, hand):
    """An event that comes twice is received once; one that is overtaken is not lost."""
    ann = server.user("ann")
    async with hand() as bot:
        server.faults.add(Duplicate(), on="MESSAGE_CREATE")
        ann.says("twice", general)
        server.faults.add(Reorder(), on="MESSAGE_CREATE")
        ann.says("first", general)
        ann.says("second", general)
        ann.says("end", general)
        texts = await bot.texts(4)
    assert texts[0] == "twice"
    assert sorted(texts[1:]) == ["end", "first", "second"]


async def test_an_overtaken_message_survives_a_restart(server, general, hand):
    """The stored marks tell that an earlier message is still missing."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("zero", general)
        assert await bot.texts() == ["zero"]
    ann.says("one", general)
    two = ann.says("two", general)
    hand.values[f"seen/{general.id}"].append(int(two.id))  # "two" overtook "one", and was stored
    async with hand() as bot:
        assert await bot.texts() == ["one"]


async def test_a_half_open_line_is_found_out(server, general, hand):
    """A connection on which nothing moves is given up when a heartbeat stays unanswered."""
    ann = server.user("ann")
    server.gateway.heartbeat_interval = 0.4
    server.gateway.strict = False
    async with hand() as bot:
        server.faults.add(HalfOpen(), on="MESSAGE_CREATE")
        ann.says("through", general)
        assert await bot.texts() == ["through"]
        await server.gateway.wait_until_async(lambda gateway: gateway.resumed >= 1)


async def test_a_gap_is_bounded_and_the_bound_is_told(server, general, hand, caplog):
    """Of a long gap the newest messages come, and the log tells what was left out."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("heard", general)
        await bot.receive()
    for number in range(250):
        ann.says(str(number), general)
    async with hand(backfill_messages=120) as bot:
        texts = await bot.texts(120)
    assert texts == [str(number) for number in range(130, 250)]
    assert "backfill_messages=120" in caplog.text


async def test_an_old_gap_is_left_out(server, general, hand, caplog):
    """Messages older than `backfill_hours` are not read, and the log tells."""
    ann = server.user("ann")
    long_ago = datetime.now(UTC) - timedelta(hours=30)
    ann.says("heard long ago", general, sent_at=long_ago)
    hand.values[f"seen/{general.id}"] = [int(general.messages[0].id)]
    hand.values[f"floor/{general.guild.id}"] = general.messages[0].id
    ann.says("old", general, sent_at=datetime.now(UTC) - timedelta(hours=25))
    ann.says("fresh", general)
    async with hand(backfill_hours=24) as bot:
        assert await bot.texts() == ["fresh"]
    assert "is left out" in caplog.text


async def test_history_that_fails_is_asked_again_and_nothing_overtakes_it(server, general, hand):
    """While a gap cannot be filled, what is new waits behind it."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("heard", general)
        await bot.receive()
    ann.says("missed", general)
    server.faults.add(ServerError(503), on="get_channel_messages")
    async with hand() as bot:
        await server.gateway.wait_until_async(lambda gateway: gateway.online)
        ann.says("live", general)
        assert await bot.texts(2) == ["missed", "live"]


async def test_a_channel_without_history_permission_still_talks(server, general, hand):
    """Where the bot may not read history, it goes on with what comes."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("heard", general)
        await bot.receive()
    general.forbid("history")
    ann.says("out of reach", general)
    async with hand() as bot:
        ann.says("live", general)
        assert await bot.texts() == ["live"]


async def test_what_was_not_received_comes_again(server, general, hand):
    """A message that waited in memory when the process ended is read from history."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("one", general)
        await bot.receive()
        ann.says("two", general)
        await hand.until(lambda: bot.channel._gaps.inflow)
    async with hand() as bot:
        assert await bot.texts() == ["two"]


async def test_only_what_was_received_is_marked(server, general, hand, monkeypatch):
    """Of two messages in memory, the one that was not handed over comes again."""
    monkeypatch.setattr("cobot_discord.channel.BATCH", 1)
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("one", general)
        ann.says("two", general)
        await hand.until(lambda: len(bot.channel._gaps.inflow) == 2)
        (got,) = await bot.receive_once()
        assert got.content == "one"
    async with hand() as bot:
        assert await bot.texts() == ["two"]


async def test_a_direct_chat_waits_for_its_gap(server, general, hand):
    """After a lost session a direct message waits until what was missed before it is there."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("one")
        assert await bot.texts() == ["one"]
        server.faults.add(ServerError(503), on="get_channel_messages", chat=ann.dm)
        server.gateway.invalidate()
        ann.says("two")
        await server.gateway.wait_until_async(lambda gateway: gateway.identified == 2)
        ann.says("three")
        assert await bot.texts(2) == ["two", "three"]


async def test_a_session_that_is_lost_while_a_gap_is_filled(server, general, hand):
    """What is missed while an earlier gap is being filled makes a gap of its own."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("zero", general)
        await bot.receive()
    ann.says("one", general)
    server.faults.add(Hang(0.3), on="get_guild_member")
    async with hand() as bot:
        await hand.until(lambda: server.rest.named("get_channel_messages"))
        server.gateway.invalidate()
        ann.says("two", general)
        await server.gateway.wait_until_async(lambda gateway: gateway.identified == 3)
        ann.says("three", general)
        assert await bot.texts(3) == ["one", "two", "three"]


async def test_more_than_memory_holds_is_read_later(server, general, hand, monkeypatch, caplog):
    """When the session is slow, events do not pile up: they are read again from history."""
    monkeypatch.setattr("cobot_discord.inflow.MOST_WAITING", 20)
    monkeypatch.setattr("cobot_discord.gaps.MOST_WAITING", 20)
    ann = server.user("ann")
    async with hand() as bot:
        for number in range(60):
            ann.says(str(number), general)
        await hand.until(lambda: "too much waits in memory" in caplog.text)
        assert await bot.texts(60) == [str(number) for number in range(60)]


async def test_a_cut_at_every_tenth_message(server, general, hand):
    """Random cuts lose nothing and keep the order."""
    ann = server.user("ann")
    server.faults.add(CutAfter(), on="MESSAGE_CREATE", rate=0.1, times=None)
    async with hand() as bot:
        for number in range(100):
            ann.says(str(number), general)
        assert await bot.texts(100) == [str(number) for number in range(100)]
