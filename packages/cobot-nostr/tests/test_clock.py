"""This machine's clock may be wrong for a while: nothing is lost by it, and it is told."""

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
