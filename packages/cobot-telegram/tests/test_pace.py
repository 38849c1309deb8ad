"""How fast messages go out, and whose limit a 429 was."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cobot_telegram.pace import CAREFUL_SECONDS, Pace
from cobot_telegram.testing import BotApiServer, Rates


class Clock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def burst(pace: Pace, chat: int, most: int) -> int:
    """Return how many messages of a chat go out at once."""
    return next((count for count in range(most) if pace.turn(chat) > 0), most)


def test_nothing_is_slowed_before_telegram_asks(clock: Clock) -> None:
    """A thousand messages go out at once."""
    assert burst(Pace(clock=clock), 1, 1000) == 1000


def test_after_a_refusal_the_published_rates_are_kept_for_a_while(clock: Clock) -> None:
    """One a second and chat in bursts of three; some minutes later nothing is slowed again."""
    pace = Pace(clock=clock)
    pace.turn(1)
    pace.refused(1)
    clock.now += 10
    assert burst(pace, 1, 100) == 3
    assert pace.turn(1) == pytest.approx(3.1)
    clock.now += 3.1
    assert burst(pace, 1, 100) == 3
    clock.now += CAREFUL_SECONDS
    assert burst(pace, 1, 100) == 100


def test_a_refused_chat_slows_no_other(clock: Clock) -> None:
    """Only the chat that was refused keeps to its limits."""
    pace = Pace(clock=clock)
    pace.turn(1)
    pace.refused(1)
    assert burst(pace, 1, 100) == 2
    assert burst(pace, 2, 100) == 100


def test_strict_keeps_them_from_the_start(clock: Clock) -> None:
    """Thirty a second over all chats, twenty a minute to a group."""
    pace = Pace(strict=True, clock=clock)
    assert sum(burst(pace, chat, 3) for chat in range(1, 21)) == 30
    assert pace.turn(99) == 1.0
    group = 0
    clock.now += 2
    for _ in range(30):
        group += burst(pace, -100, 3)
        clock.now += 1
    assert group == 20
    assert pace.turn(-100) > 20


def test_one_chat_that_is_too_fast_is_the_chats_own_limit(clock: Clock) -> None:
    """Its lane pauses; the others go on."""
    pace = Pace(clock=clock)
    burst(pace, 1, 10)
    assert pace.refused(1) == "chat"


def test_a_bot_that_is_too_fast_over_all_is_the_channels_limit(clock: Clock) -> None:
    """Forty messages to forty chats within a second: the bot's limit, not a chat's."""
    pace = Pace(clock=clock)
    for chat in range(40):
        pace.turn(chat)
    assert pace.refused(7) == "channel"


def test_several_chats_refused_at_once_are_the_channels_limit(clock: Clock) -> None:
    """Chats that were not fast themselves, refused together."""
    pace = Pace(clock=clock)
    assert [pace.refused(chat) for chat in (1, 2, 3)] == ["chat", "chat", "channel"]


def test_chats_that_were_too_fast_themselves_stop_nobody_else(clock: Clock) -> None:
    """However many chats reach their own limits at once, it is not the bot's."""
    pace = Pace(clock=clock)
    for chat in range(5):
        burst(pace, chat, 4)
    clock.now += 1.5
    assert [pace.refused(chat) for chat in range(5)] == ["chat"] * 5


def test_thousands_that_wait_are_given_moments_of_their_own(clock: Clock) -> None:
    """Each chat is told once when its turn comes, and then it is; thirty go each second."""
    pace = Pace(strict=True, clock=clock)
    waits = {chat: pace.turn(chat) for chat in range(1, 3001)}
    assert sum(wait == 0 for wait in waits.values()) == 30
    waiting = {chat: wait for chat, wait in waits.items() if wait > 0}
    for chat, wait in sorted(waiting.items(), key=lambda item: item[1]):
        clock.now = 1000.0 + wait
        assert pace.turn(chat) == 0
    assert clock.now == 1099.0


def test_strict_meets_no_published_limit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that keeps the published limits refuses nothing of who has waited for its turn."""
    monkeypatch.setattr("cobot_telegram.testing.rates.time", SimpleNamespace(monotonic=clock))
    server, rates, pace = BotApiServer(), Rates(), Pace(strict=True, clock=clock)
    chats = [server.user(f"User {number}").chat for number in range(40)]
    chats += [server.group(f"Group {number}") for number in range(5)]
    refused = []
    for _ in range(1500):
        clock.now += 1 / 16
        refused += [rates.delay(chat) for chat in chats if pace.turn(chat.id) == 0]
    assert len(refused) > 500
    assert set(refused) == {0}
