"""A channel's loop, as other threads use it."""

from __future__ import annotations

import gc

import pytest

from cobot_session.channel import Channel
from cobot_session.errors import TemporaryError

BOUND = 30.0
GONE = TemporaryError("gone")


async def work() -> str:
    return "done"


class Ending(Channel):
    """Is asked for something at the very moment at which it begins to end."""

    def _sweep(self) -> None:
        self._is_ending = False
        self.asked = self.call(work, GONE)
        self._is_ending = True
        super()._sweep()


async def nothing(_: Channel) -> None:
    """Be done at once."""


def test_what_is_asked_of_a_loop_that_ends_fails() -> None:
    """Nobody waits for ever, and no coroutine is made that is never begun."""
    channel = Ending("cobot-test", nothing, lambda _: None)
    channel.begin()
    assert channel.join(BOUND)
    for answer in (channel.asked, channel.call(work, GONE)):
        with pytest.raises(TemporaryError, match="gone"):
            answer.result(BOUND)
    gc.collect()  # would tell of a coroutine that was never awaited


def test_what_is_asked_of_a_loop_is_answered() -> None:
    """A result is handed on, and so is what was raised."""
    found: list[object] = []

    async def wrong() -> str:
        raise ValueError("no")

    async def asked(channel: Channel) -> None:
        answers = [channel.call(work, GONE), channel.call(wrong, GONE)]
        found.append(await channel.mailbox.wait(answers[0]))
        with pytest.raises(ValueError, match="no"):
            await channel.mailbox.wait(answers[1])
        found.append("raised")

    channel = Channel("cobot-test", asked, lambda _: None)
    channel.begin()
    assert channel.join(BOUND)
    assert found == ["done", "raised"]
