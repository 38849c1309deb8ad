"""This machine's clock may be wrong for a while: nothing is lost by it, and it is told."""

import asyncio
import logging
import time

import pytest
from nostr_rig import BOT, Clock, rigged, running

from cobot_nostr import early
from cobot_nostr.testing import NostrServer

pytestmark = pytest.mark.anyio

HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def contents(messages):
    return [message.content for message in messages]


async def refused(rig, count):
    """Receive until so many events were found to be from the future; nothing else comes."""
    counts = [relay.line.counts for relay in rig.channel._identity.pool.relays.values()]
    while sum(one.unusable_by["from the future"] for one in counts) < count:
        assert await rig.channel.session_receive() == []


async def reached(rig, look):
    """Wait until `look` is true; every sign of life of a relay changes something to look at."""
    async with asyncio.timeout(40):
        while not look():
            await rig.channel.session_health()
            await asyncio.sleep(0)


async def asked_all(rig):
    """Wait until nothing is asked for again: a relay that let us in is asked for all it has."""
    (relay,) = rig.channel._identity.pool.relays.values()
    await reached(rig, lambda: relay._login.done and relay.inbox.caught_up)


async def reconnected(rig, server):
    """Drop all connections and wait until the relays are read in new ones."""
    (relay,) = rig.channel._identity.pool.relays.values()
    before = relay.line.counts.connects
    server.relays[0].drop_connections()
    await reached(rig, lambda: relay.line.counts.connects > before and relay.inbox.caught_up)


async def test_what_a_late_clock_took_for_the_future_arrives_when_it_is_right(clock, caplog):
    """Our clock was behind: messages wait, health and one log line tell it, then they arrive."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        clock.ahead = -2 * HOUR
        ada.says("private")
        ada.says("public", chat=server.notes)
        await refused(rig, 2)
        told = "2 events of the future wait for their time: is this machine's clock right?"
        assert told in (await rig.channel.session_health()).detail
        clock.ahead = 0
        ada.says("now")
        assert set(contents(await rig.receive(3))) == {"private", "public", "now"}
        assert "of the future" not in (await rig.channel.session_health()).detail
    lines = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert ["clock right?" in one.getMessage() for one in lines] == [True]


async def test_what_a_late_clock_took_for_the_future_is_not_lost_by_a_restart(clock):
    """It was not handled, so the next life, with a right clock, gets it, and once."""
    state = {}
    async with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        clock.ahead = -2 * HOUR
        async with running(server, state) as rig:
            ada.says("private")
            ada.says("public", chat=server.notes)
            await refused(rig, 2)
        clock.ahead = 0
        async with running(server, state) as rig:
            assert set(contents(await rig.receive(2))) == {"private", "public"}
        async with running(server, state) as rig:
            ada.says("now")
            assert contents(await rig.receive()) == ["now"]


async def test_more_than_can_wait_is_asked_for_again(clock, monkeypatch):
    """Beyond the bound nothing waits here: the relay has it and is asked in time."""
    monkeypatch.setattr(early, "MOST", 2)
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        clock.ahead = -2 * HOUR
        for number in range(5):
            ada.says(str(number), chat=server.notes)
        await refused(rig, 5)
        clock.ahead = 0
        ada.says("now", chat=server.notes)
        assert set(contents(await rig.receive(6))) == {*"01234", "now"}


async def test_a_first_start_with_a_late_clock_brings_no_old_messages(clock):
    """The clock stood at zero: when it is right, what is older than `catch_up` is not news."""
    async with NostrServer(bot=BOT.public) as server:
        ada, now = server.user("Ada"), int(time.time())
        ada.says("last year", chat=server.notes, at=now - YEAR)
        ada.says("an hour ago", chat=server.notes, at=now - HOUR)
        clock.ahead = -now
        async with running(server) as rig:
            await refused(rig, 2)
            clock.ahead = 0
            ada.says("now", chat=server.notes)
            assert contents(await rig.receive(2)) == ["an hour ago", "now"]


async def test_a_first_start_with_a_late_clock_leaves_no_cursor(clock):
    """A restart after it is a first start, too: the clock that stood at zero read nothing."""
    state = {}
    async with NostrServer(bot=BOT.public) as server:
        ada, now = server.user("Ada"), int(time.time())
        ada.says("last year", chat=server.notes, at=now - YEAR)
        clock.ahead = -now
        async with running(server, state) as rig:
            await refused(rig, 1)
        clock.ahead = 0
        async with running(server, state) as rig:
            ada.says("now", chat=server.notes)
            assert contents(await rig.receive()) == ["now"]


async def test_a_late_clock_does_not_take_the_cursor_back(clock):
    """What was read before stays read, for what others wrote tells how far that was."""
    state = {}
    async with NostrServer(bot=BOT.public) as server:
        ada, now = server.user("Ada"), int(time.time())
        ada.says("last year", chat=server.notes, at=now - YEAR)
        async with running(server, state) as rig:
            ada.says("one", chat=server.notes)
            assert contents(await rig.receive()) == ["one"]
        clock.ahead = -2 * YEAR
        async with running(server, state) as rig:
            ada.says("two", chat=server.notes)
            await refused(rig, 1)
            clock.ahead = 0
            ada.says("three", chat=server.notes)
            assert contents(await rig.receive(2)) == ["two", "three"]


async def test_a_cursor_in_the_future_is_no_cursor(clock):
    """After a life with a clock ahead all that was written since arrives, and nothing twice."""
    state = {}
    async with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        async with running(server, state) as rig:
            ada.says("one")
            assert contents(await rig.receive()) == ["one"]
            await asked_all(rig)
            clock.ahead = 9 * DAY
            ada.says("two", chat=server.notes)
            assert contents(await rig.receive()) == ["two"]
            await rig.send("notes", "our own notes are no witness")
            ada.says("three", chat=server.notes)
            assert contents(await rig.receive()) == ["three"]
        assert min(state["cursors"].values()) > time.time() + 8 * DAY
        clock.ahead = 0
        places = [None, server.notes, ada.old_chat]
        for number, place in enumerate(places):
            ada.says(f"away {number}", chat=place)
        async with running(server, state) as rig:
            got = contents(await rig.receive(3))
            for number, place in enumerate(places):
                ada.says(f"back {number}", chat=place)
            got += contents(await rig.receive(3))
            assert sorted(got) == [f"{when} {n}" for when in ("away", "back") for n in range(3)]
            assert max(state["cursors"].values()) <= time.time()


async def test_a_clock_that_was_ahead_needs_no_restart(clock):
    """A connection made while the clock was ahead asks again when it is right."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        ada.says("one", chat=server.notes)
        assert contents(await rig.receive()) == ["one"]
        clock.ahead = 9 * DAY
        inbox = rig.channel._identity.pool.relays[server.url].inbox
        await reached(rig, lambda: inbox.live_at > time.time() + 8 * DAY)
        await reconnected(rig, server)
        ada.says("two", chat=server.notes)
        clock.ahead = 0
        assert contents(await rig.receive()) == ["two"]


async def test_a_first_start_with_a_clock_ahead_is_caught_up(clock):
    """When the clock is right what lies within `catch_up` arrives."""
    clock.ahead = 9 * DAY
    async with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        ada.says("an hour ago", chat=server.notes, at=int(time.time()) - HOUR)
        async with running(server) as rig:
            clock.ahead = 0
            assert contents(await rig.receive()) == ["an hour ago"]


async def test_a_cursor_whose_time_came_while_we_were_away_hides_nothing(clock):
    """It was in the future and is no more: what others wrote tells from when on to ask."""
    state = {}
    async with NostrServer(bot=BOT.public) as server:
        ada, now = server.user("Ada"), int(time.time())
        async with running(server, state) as rig:
            await asked_all(rig)
            clock.ahead = 2 * HOUR
            ada.says("one")
            assert contents(await rig.receive()) == ["one"]
        ada.says("meanwhile", chat=server.notes, at=now + HOUR)
        clock.ahead = 3 * HOUR  # so late is it by now
        async with running(server, state) as rig:
            assert contents(await rig.receive()) == ["meanwhile"]


async def test_how_far_back_a_message_may_be_dated(clock):
    """What is public or NIP-04 and older than the overlap is not asked for; what is private is."""
    state = {}
    async with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        async with running(server, state) as rig:
            ada.says("one")
            assert contents(await rig.receive()) == ["one"]
        read = min(state["cursors"].values())
        async with running(server, state) as rig:
            for text, at in (("early", read - 400), ("late", read - 100)):
                for place in (server.notes, ada.old_chat):
                    ada.says(f"{text} {place.kind}", chat=place, at=at)
            ada.says("private", at=read - DAY)
            got = contents(await rig.receive(3))
            assert sorted(got) == ["late notes", "late old", "private"]
