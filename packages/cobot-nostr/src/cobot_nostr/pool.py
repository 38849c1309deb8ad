"""Many relays as one: what any of them has arrives once, what we say goes to all that matter."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

from cobot_nostr.addresses import normalised
from cobot_nostr.answers import Published, is_ok, open_verdict, wait_for_answers
from cobot_nostr.relay import Relay
from cobot_nostr.strangers import Strangers
from cobot_nostr.tuning import Tuning
from cobot_nostr.wire import Answer, Arrival, RelayLimits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
    from logging import Logger

    from cobot_nostr.crypto import Key
    from cobot_nostr.event import Event
    from cobot_nostr.wire import Filters, Subscription

PATIENCE = 10.0
"""Seconds that a publish waits for enough relays."""
GRACE = 1.0
"""Seconds that it then waits for the answers of the others."""

_REMEMBERED = 100_000


class Pool:
    """The relays of one identity.

    Args:
        urls: our relays.
        subscriptions: what to listen for at each of them.
        key: answers authentication challenges.
        log: where trouble is told.
        tuning: times and bounds.
        cursors: Unix time up to which each relay was read.
        start_at: the same for a relay that was never read.
        believed: returns a cursor, or an earlier one in the place of one that cannot be true.
        known: tells whether an event was handled in an earlier life of the channel.
        strangers_anywhere: connect to relays that people name even when their address is not
            public; for tests and closed networks.
        describe: fetches a relay's NIP-11 document, or `None`.
        on_turn: told when none of our relays is read any more, and when one is again.
    """

    def __init__(
        self,
        urls: Sequence[str],
        subscriptions: Sequence[Subscription],
        key: Key,
        log: Logger,
        *,
        tuning: Tuning | None = None,
        cursors: Mapping[str, int] | None = None,
        start_at: int = 0,
        believed: Callable[[int], int] = lambda cursor: cursor,
        known: Callable[[str], bool] = lambda _: False,
        strangers_anywhere: bool = False,
        describe: Callable[[str], Awaitable[object]] | None = None,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_turn = on_turn
        self._was_reading = False
        self._log = log
        self._tuning = tuning or Tuning()
        self._known = known
        self._describe = describe
        self._remembered: OrderedDict[str, None] = OrderedDict()
        self._waiting: set[asyncio.Event] = set()
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers = Strangers(
            key, log, self._tuning, anywhere=strangers_anywhere, run=self._begin
        )
        self.relays = {
            url: Relay(
                url,
                key,
                log,
                self._tuning,
                subscriptions=subscriptions,
                seen=self._seen,
                remember=self._remember,
                wake=self._wake,
                cursor=(cursors or {}).get(url, start_at),
                believed=believed,
            )
            for url in urls
        }

    async def __aenter__(self) -> Pool:
        for url, relay in self.relays.items():
            self._begin(relay)
            self._spawn(self._learn_limits(relay), f"describe {url}")
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, relay: Relay) -> asyncio.Task[None]:
        return self._spawn(self._run(relay), f"relay {relay.line.url}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, relay: Relay) -> None:
        """Run a relay; a defect of ours in it must be seen and must not end the relay."""
        while True:
            try:
                await relay.run()
            except Exception:  # noqa: BLE001  # whatever a stranger sent, the others go on
                self._log.exception("relay %s: an unexpected error", relay.line.url)
                await asyncio.sleep(self._tuning.backoff_most)

    async def _learn_limits(self, relay: Relay) -> None:
        if self._describe is not None:
            relay.line.limits = RelayLimits.of(await self._describe(relay.line.url))
            self._wake()

    # -- in

    def _wake(self) -> None:
        for changed in self._waiting:
            changed.set()
        if self._was_reading != bool(self.reading):
            self._was_reading = not self._was_reading
            self._on_turn()

    def _seen(self, event_id: str) -> bool:
        return event_id in self._remembered or self._known(event_id)

    def _remember(self, event_id: str) -> None:
        self._remembered[event_id] = None
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    async def wait(self, seconds: float) -> bool:
        """Wait until something has arrived; tell whether it has."""
        try:
            async with asyncio.timeout(seconds):
                await self.until(self._has_arrivals)
        except TimeoutError:
            return False
        return True

    def _has_arrivals(self) -> bool:
        return any(relay.inbox.arrivals for relay in self.relays.values())

    async def settle(self, seconds: float) -> None:
        """Wait until the relays that are connected have told all they had stored.

        Relays tell what is stored newest first; it is put in order when it is all there. The wait
        ends early when a relay has more than fits, or nothing comes to wait for.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.until(
                    lambda: not any(self._has_more(relay) for relay in self.relays.values())
                )

    def _has_more(self, relay: Relay) -> bool:
        return relay.line.connected and not relay.inbox.caught_up and not relay.inbox.is_full

    async def until(self, look: Callable[[], object]) -> None:
        """Wait until `look` is true; it looks whenever the state of a relay has changed."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            while not look():
                changed.clear()
                await changed.wait()
        finally:
            self._waiting.discard(changed)

    async def wait_until_reading(self, seconds: float) -> bool:
        """Wait until one of our relays has told all it had stored; tell whether one has."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.until(lambda: self.reading)
        return bool(self.reading)

    def ask_again(self, name: str) -> None:
        """Send a subscription again whose filters have changed."""
        for relay in self.relays.values():
            relay.inbox.ask_again(name)

    def read_again(self, since: int) -> None:
        """Ask all relays again for what is dated from this Unix time on."""
        for relay in self.relays.values():
            relay.inbox.read_again(since)

    def forget(self, event_id: str) -> None:
        """Let an event be delivered once more."""
        self._remembered.pop(event_id, None)

    def peek(self, most: int) -> list[Arrival]:
        """Return what `take` would return, and leave it there."""
        relays = list(self.relays.values())
        turns = zip_longest(*(list(islice(relay.inbox.arrivals, most)) for relay in relays))
        return [one for turn in turns for one in turn if one is not None][:most]

    def take(self, most: int) -> list[Arrival]:
        """Return what has arrived, one of each relay in turn, so that none crowds out another."""
        relays = list(self.relays.values())
        taken: list[Arrival] = []
        empty = 0
        while len(taken) < most and empty < len(relays):
            self._turn = (self._turn + 1) % len(relays)
            arrival = relays[self._turn].inbox.take()
            empty = empty + 1 if arrival is None else 0
            if arrival is not None:
                taken.append(arrival)
        return taken

    def cursors(self) -> dict[str, int]:
        """Return, for each relay, until when everything has been taken."""
        return {url: relay.inbox.cursor for url, relay in self.relays.items()}

    async def fetch(
        self, filters: Filters, patience: float, *, urls: Iterable[str] = ()
    ) -> list[Event]:
        """Return stored events of our relays, or of `urls`, each once, newest first."""
        asked = [self._relay(url) for url in urls] or list(self.relays.values())
        work = [
            relay.fetch(filters, patience)
            for relay in asked
            if relay is not None and (relay.line.connected or urls)
        ]
        found = await asyncio.gather(*work)
        events = {event.id: event for answer in found for event in answer}
        return sorted(events.values(), key=lambda event: (-event.created_at, event.id))

    # -- out

    async def publish(
        self,
        event: Event,
        urls: Iterable[str] = (),
        *,
        min_acks: int = 1,
        patience: float | None = None,
        grace: float | None = None,
    ) -> Published:
        """Hand an event to relays and return what they said.

        Args:
            event: signed; it may be handed over again, relays tell it from a new one by its id.
            urls: the target relays; empty: ours.
            min_acks: how many must take it (all, when there are fewer).
            patience: seconds to wait for so many; default: `PATIENCE`.
            grace: seconds to wait for the answers of the others after that; default: `GRACE`.
        """
        relays = {url: relay for url in urls or self.relays if (relay := self._relay(url))}
        wanted = max(1, min(min_acks, len(relays)))
        futures = {url: relay.publish(event) for url, relay in relays.items()}
        patient = PATIENCE if patience is None else patience
        await wait_for_answers(list(futures.values()), wanted, patient)
        if sum(is_ok(future) for future in futures.values()) >= wanted:
            online = [future for url, future in futures.items() if relays[url].line.connected]
            await wait_for_answers(online, len(online), GRACE if grace is None else grace)
        answers = {
            url: future.result()
            if future.done()
            else Answer(open_verdict(relays[url], event.id), relays[url].outbox.said(event.id))
            for url, future in futures.items()
        }
        return Published(answers, wanted)

    def _relay(self, url: str) -> Relay | None:
        """Return a relay, making a connection for it when it is not ours."""
        spelled = normalised(url)
        if spelled is None:
            return None
        return self.relays.get(spelled) or self._strangers.relay(spelled)

    # -- health

    @property
    def reading(self) -> list[Relay]:
        """Our relays that have told all they had stored and stay connected."""
        return [relay for relay in self.relays.values() if relay.inbox.is_reading]

    def work_wanted(self) -> int:
        """Return the most bits of work (NIP-13) any of our relays asks for."""
        return max((r.line.limits.min_pow_difficulty or 0 for r in self.relays.values()), default=0)
