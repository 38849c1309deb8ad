"""What time it is at Discord: as its answers tell, whatever the clock of this machine shows."""

from datetime import UTC, datetime, timedelta

import pytest

from cobot_discord import clock as module
from cobot_discord.clock import Clock

TOLD = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


class Ticks:
    """A machine whose two clocks go as a test says."""

    def __init__(self):
        self.monotonic, self.shown = 1000.0, 0.0

    def go(self, seconds, *, asleep=0.0, ahead=0.0):
        self.monotonic += seconds + ahead
        self.shown += seconds + asleep


@pytest.fixture
def ticks(monkeypatch):
    ticks = Ticks()
    monkeypatch.setattr(module.time, "monotonic", lambda: ticks.monotonic)
    monkeypatch.setattr(module, "wall", lambda: ticks.shown)
    return ticks


def test_what_an_answer_tells_goes_on(ticks):
    """The time that an answer told is carried on, also when this machine's clock is set."""
    clock = Clock()
    clock.hear(DATE)
    ticks.go(90)
    ticks.shown -= 86_400
    assert clock.now() == TOLD + timedelta(seconds=90)


def test_without_a_word_of_discord_this_machine_is_asked(ticks):
    """A server that tells no time leaves nothing but our own clock."""
    ticks.shown = TOLD.timestamp()
    assert Clock().now() == TOLD


@pytest.mark.parametrize(
    "bad",
    [
        *(None, "", "now", "1772366400", "Sun, 99 Mar 2026 12:00:00 GMT"),
        *("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 5000),
    ],
)
def test_a_date_that_cannot_be_read_changes_nothing(ticks, bad):
    """No header of a stranger stops an answer, and none sets a time without ids."""
    clock = Clock()
    clock.hear(DATE)
    clock.hear(bad)
    assert clock.now() == TOLD


@pytest.mark.parametrize("date", ["Sun, 01 Mar 2026 13:00:00 +0100", "Sun, 01 Mar 2026 12:00:00"])
def test_a_date_of_another_zone_is_the_same_time(ticks, date):
    """A zone is reckoned with, and a date without one is in UTC."""
    clock = Clock()
    clock.hear(date)
    assert clock.now() == TOLD


@pytest.mark.parametrize(("asleep", "stepped"), [(500, 0), (0, -3600)])
def test_an_age_counts_sleep_and_no_step_back(ticks, asleep, stepped):
    """Neither a machine that slept nor a clock that was set back makes a send younger."""
    clock = Clock()
    moment = clock.moment()
    ticks.go(130, asleep=asleep)
    ticks.shown += stepped
    assert clock.age(moment) == 130 + asleep


@pytest.mark.parametrize(("drift", "asleep"), [(300, 0), (0, 500)])
def test_a_start_is_told_too_early_rather_than_too_late(ticks, drift, asleep):
    """Neither a monotonic clock that runs ahead nor one that stood still makes a start later."""
    clock = Clock()
    clock.hear(DATE)
    ticks.go(86_400, ahead=drift)
    began, moment = TOLD + timedelta(days=1), clock.moment()
    ticks.go(60, asleep=asleep)
    clock.hear((began + timedelta(seconds=60 + asleep)).strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert clock.start_of(moment) == began


@pytest.mark.anyio
async def test_a_new_connection_of_the_gateway_tells_the_time(server, general, hand):
    """A machine that slept hears what time it is before anything is read or sent."""
    async with hand() as bot:
        heard = []
        bot.channel._clock.hear = heard.append
        server.gateway.cut()
        await server.gateway.wait_until_async(lambda gateway: gateway.resumed == 1)
        await hand.until(lambda: heard)
    assert datetime.strptime(heard[0], "%a, %d %b %Y %H:%M:%S GMT")
