"""What several relays said to one event."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_nostr.relay import Relay
    from cobot_nostr.wire import Answer, Verdict


@dataclass(frozen=True, slots=True)
class Published:
    """What became of one event.

    Attributes:
        answers: each target relay's answer, by url.
        wanted: how many relays had to take it.
    """

    answers: dict[str, Answer]
    wanted: int

    def count(self, verdict: str) -> int:
        """Return how many relays gave this answer."""
        return sum(answer.verdict == verdict for answer in self.answers.values())

    @property
    def done(self) -> bool:
        """Enough relays have it."""
        return self.count("ok") >= self.wanted

    def as_dict(self) -> dict[str, str]:
        """Return each relay's answer in words."""
        return {
            url: answer.verdict if not answer.reason else f"{answer.verdict}: {answer.reason}"
            for url, answer in self.answers.items()
        }


def is_ok(future: asyncio.Future[Answer]) -> bool:
    """Tell whether a relay has said that it has the event."""
    return future.done() and future.result().verdict == "ok"


def open_verdict(relay: Relay, event_id: str) -> Verdict:
    """Return what it means that a relay has not answered: not now, or nothing."""
    said = relay.outbox.said(event_id)
    return "later" if said.startswith("rate-limited") or not relay.line.connected else "silent"


async def wait_for_answers(
    futures: list[asyncio.Future[Answer]], wanted: int, patience: float
) -> None:
    """Wait until `wanted` of them are `ok`, all have answered, or time is up."""
    end = time.monotonic() + patience
    while True:
        open_ones = [future for future in futures if not future.done()]
        left = end - time.monotonic()
        if not open_ones or left <= 0 or sum(map(is_ok, futures)) >= wanted:
            return
        await asyncio.wait(open_ones, timeout=left, return_when=asyncio.FIRST_COMPLETED)
