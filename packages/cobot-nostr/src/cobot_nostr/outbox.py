"""Getting events to where they belong, and telling the session what became of them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from cobot_nostr import giftwrap, wire
from cobot_nostr.chats import private
from cobot_nostr.render import Letter
from cobot_session.errors import PermanentError, RateLimited, TemporaryError
from cobot_session.messages import Sent

if TYPE_CHECKING:
    from cobot_nostr.answers import Published
    from cobot_nostr.crypto import Key
    from cobot_nostr.directory import Directory
    from cobot_nostr.pool import Pool
    from cobot_nostr.render import Renderer

RATE_LIMIT_PAUSE = 10.0
"""Seconds when a relay says `rate-limited` without saying how long, as most do."""
_MOST_PAUSE = 600.0

_SECONDS = re.compile(r"\b(\d{1,6}(?:\.\d{1,3})?) ?s(?:ec|econds?)?\b")
_BITS = re.compile(r"\d+")


class Outbox:
    """Publishes letters.

    Args:
        key: ours.
        pool: the relays.
        directory: knows people's inbox relays.
        renderer: makes an event again when a relay asks for work.
        own_inbox: where our own copies go.
        min_acks: how many relays must take an event.
        max_work: most bits of work done for a relay.
    """

    def __init__(
        self,
        key: Key,
        pool: Pool,
        directory: Directory,
        renderer: Renderer,
        *,
        own_inbox: tuple[str, ...],
        min_acks: int,
        max_work: int,
    ) -> None:
        self._key = key
        self._pool = pool
        self._directory = directory
        self._renderer = renderer
        self._own_inbox = own_inbox
        self._min_acks = min_acks
        self._max_work = max_work
        self.work = 0
        """Bits of work that a relay was seen to ask for."""

    async def deliver(self, message_id: str, letters: list[Letter]) -> Sent:
        """Publish the events of one message.

        Raises:
            TemporaryError: not enough relays have it yet; the same events may be published again.
            PermanentError: every relay it belongs to refused it.
        """
        published = await asyncio.gather(*(self._publish(letter) for letter in letters))
        asked = max((_work_asked(one) for one in published), default=0)
        if asked and not any(one.count("ok") for one in published):
            return await self._with_work(message_id, letters, asked)
        self._judge(letters, list(published))
        return Sent((message_id,), {"relays": _detail(letters, list(published))})

    async def _publish(self, letter: Letter) -> Published:
        urls: tuple[str, ...] = ()
        if letter.to == self._key.public:
            urls = self._own_inbox
        elif letter.to is not None and letter.event.kind == giftwrap.GIFT_WRAP:
            # Who has told no inbox relays is looked for where they may have written to us.
            urls = await self._directory.inbox(letter.to)
        return await self._pool.publish(letter.event, urls, min_acks=self._min_acks)

    def _judge(self, letters: list[Letter], published: list[Published]) -> None:
        """Raise unless everybody but ourselves can read it."""
        others = [
            one
            for letter, one in zip(letters, published, strict=True)
            if letter.to != self._key.public or len(letters) == 1
        ]
        failed = [one for one in others if not one.done]
        if not failed:
            return
        told = "; ".join(f"{url}: {said}" for one in failed for url, said in one.as_dict().items())
        if any(one.count("refused") == len(one.answers) > 0 for one in failed):
            raise PermanentError(f"refused by every relay it belongs to: {told}")
        reasons = [answer.reason for one in failed for answer in one.answers.values()]
        if reasons and all(wire.prefix(reason) == "rate-limited" for reason in reasons):
            raise RateLimited(min(map(_pause, reasons)), message=told)
        raise TemporaryError(f"too few relays have it: {told or 'no relay is usable'}")

    # -- NIP-13

    async def _with_work(self, message_id: str, letters: list[Letter], asked: int) -> Sent:
        """Make the events again with the work that a relay asks for: none of them was taken."""
        if asked > self._max_work:
            raise PermanentError(
                f"a relay asks for {asked} bits of work, `max_work` allows {self._max_work}"
            )
        self.work = max(self.work, asked)
        again = await asyncio.to_thread(self._worked, letters, asked)
        published = await asyncio.gather(*(self._publish(letter) for letter in again))
        self._judge(again, list(published))
        ids = (message_id,) if again[0].event.kind == giftwrap.GIFT_WRAP else (again[0].event.id,)
        return Sent(ids, {"relays": _detail(again, list(published))})

    def _worked(self, letters: list[Letter], asked: int) -> list[Letter]:
        first = letters[0].event
        if first.kind != giftwrap.GIFT_WRAP:
            return [Letter(self._renderer.public(one.event, asked), one.to) for one in letters]
        people = {one.to for one in letters if one.to is not None} - {self._key.public}
        mine = next(one.event for one in letters if one.to == self._key.public)
        rumor = giftwrap.unwrap(self._key, mine).rumor
        return self._renderer.sealed(rumor, private(people), work=asked)


def _pause(reason: str) -> float:
    """Return the seconds a relay asks us to wait (`rate-limited: wait 30 s`)."""
    found = _SECONDS.search(reason)
    return min(float(found[1]), _MOST_PAUSE) if found else RATE_LIMIT_PAUSE


def _work_asked(published: Published) -> int:
    """Return the bits of work that a refusal asks for (`pow: 28 bits needed`)."""
    reasons = [answer.reason for answer in published.answers.values()]
    asked = [reason for reason in reasons if wire.prefix(reason) == "pow"]
    numbers = [int(digits[:3]) for reason in asked for digits in _BITS.findall(reason)]
    return max(numbers, default=0)


def _detail(letters: list[Letter], published: list[Published]) -> dict[str, str]:
    """Return each relay's answer; where it got several events, the worst."""
    found: dict[str, str] = {}
    for _, one in zip(letters, published, strict=True):
        for url, said in one.as_dict().items():
            if found.get(url, "ok").startswith("ok"):
                found[url] = said
    return found
