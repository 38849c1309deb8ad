"""One identity at work: its key, its relays, and what it remembers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from cobot_nostr import attachments, interests
from cobot_nostr.announce import announce, status_event
from cobot_nostr.cursors import Cursors
from cobot_nostr.deeds import Deeds
from cobot_nostr.directory import Directory
from cobot_nostr.early import Early
from cobot_nostr.keys import KeyProblem
from cobot_nostr.ledger import KEPT_SECONDS, Known, Ledger
from cobot_nostr.outbox import Outbox
from cobot_nostr.parse import DUPLICATE, FUTURE, Parser
from cobot_nostr.pool import Pool
from cobot_nostr.render import Renderer
from cobot_nostr.secrecy import Secrecy
from cobot_nostr.web import Web
from cobot_session.errors import AuthError, PermanentError, TemporaryError
from cobot_session.status import Health

if TYPE_CHECKING:
    from cobot_nostr.config import NostrConfig
    from cobot_nostr.crypto import Key
    from cobot_nostr.event import Rumor
    from cobot_nostr.tuning import Tuning
    from cobot_nostr.wire import Arrival
    from cobot_session.messages import IncomingMessage, Media
    from cobot_session.plugin import PluginContext

_START_SECONDS = 10.0
_SETTLE_SECONDS = 3.0
_MOST_AUTHORS = 200
_NIP05_SECONDS = 3600.0
_NIP05_WRONG_SECONDS = 60.0


class Identity:
    """Everything that lives between `start` and `stop`. Made by `open`."""

    def __init__(
        self, key: Key, config: NostrConfig, context: PluginContext, tuning: Tuning | None
    ) -> None:
        self.key = key
        self._secrecy = Secrecy(key, context.log)
        self._secrecy.begin()
        self._config = config
        self._log = context.log
        self._state = context.state
        self._loop = asyncio.get_running_loop()
        self._ledger = Ledger(context.state)
        self._batch: dict[str, Known | None] = {}
        self._authors = self._ledger.authors(_MOST_AUTHORS)
        self._cursors = Cursors(context.state, config.catch_up)
        self._status_at = 0
        self._addresses: dict[str, tuple[float, str | None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.web = Web(context.log, anywhere=config.private_networks)
        self.pool = Pool(
            config.relays,
            interests.subscriptions(key.public, config, lambda: self._authors),
            key,
            context.log,
            tuning=tuning,
            cursors=self._cursors.at_start(),
            start_at=self._cursors.first(),
            believed=self._cursors.believed,
            known=self._ledger.__contains__,
            strangers_anywhere=config.private_networks,
            describe=self.web.relay_document,
            on_turn=context.check_health,
        )
        self._early = Early(
            self.pool, context.log, skew=config.clock_skew, first=self._cursors.first
        )
        self._directory = Directory(self.pool)
        self.renderer = Renderer(key, self._known, self._work)
        own_inbox = tuple(config.inbox_relays or config.relays)
        self.outbox = Outbox(
            key,
            self.pool,
            self._directory,
            self.renderer,
            own_inbox=own_inbox,
            min_acks=config.min_acks,
            max_work=config.max_work,
        )
        self.deeds = Deeds(key, self.renderer, self.outbox, self.pool, self._ledger, context.state)
        self._parser = Parser(
            key,
            handled=self._handled,
            known=self._known,
            name=self._directory.name,
            groups=config.groups,
            channels=config.channels,
            clock_skew=config.clock_skew,
        )

    @classmethod
    async def open(
        cls, config: NostrConfig, context: PluginContext, tuning: Tuning | None
    ) -> Identity:
        """Read the key and begin to connect.

        Raises:
            AuthError: there is no usable key.
        """
        try:
            key = await asyncio.to_thread(config.key)
        except KeyProblem as problem:
            raise AuthError(str(problem)) from None
        identity = cls(key, config, context, tuning)
        await identity.pool.__aenter__()
        identity._spawn(announce(identity.pool, key, config))
        # Without a relay the channel runs all the same, and its health says so.
        await identity.pool.wait_until_reading(_START_SECONDS)
        return identity

    async def close(self) -> None:
        """Leave the relays and end every task."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._directory.close()
        await self.pool.__aexit__()
        await self.web.close()
        self._secrecy.end()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.error("in the background", exc_info=task.exception())

    # -- in

    async def receive(self, seconds: float, most: int) -> list[IncomingMessage]:
        """Return new messages, or none after `seconds`.

        Until the batch is complete nothing is taken from the relays, so a call that is cancelled
        loses nothing.
        """
        await self.pool.wait(seconds)
        await self.pool.settle(_SETTLE_SECONDS)
        peeked = self.pool.peek(most)
        opened = {arrival.event.id: self._parser.opened(arrival.event) for arrival in peeked}
        await self._directory.learn_names(one.pubkey for one in opened.values() if one is not None)
        arrivals = self.pool.take(len(peeked))
        return self._digest(arrivals, opened)

    def _digest(
        self, arrivals: list[Arrival], opened: dict[str, Rumor | None]
    ) -> list[IncomingMessage]:
        """Turn arrivals into messages and staged state, without a pause in between."""
        now = int(time.time())
        pairs = [
            (arrival, opened.get(arrival.event.id) or self._parser.opened(arrival.event))
            for arrival in (*arrivals, *self._early.come(now))
        ]
        pairs.sort(key=lambda pair: _written_at(pair[0], pair[1]))
        self._batch = {}
        messages: list[IncomingMessage] = []
        for arrival, rumor in pairs:
            parsed = self._parser.parse(arrival.event, rumor, arrival.relay, now)
            messages += parsed.messages
            self._batch |= parsed.remember
            if rumor is not None and rumor.pubkey != self.key.public and not parsed.dropped:
                self._cursors.witness(rumor.created_at)
            if parsed.dropped == FUTURE:
                self._early.add(
                    arrival, max(arrival.event.created_at, _written_at(arrival, rumor)[0])
                )
            if parsed.dropped and parsed.dropped != DUPLICATE:
                self.pool.relays[arrival.relay].line.counts.unusable_by[parsed.dropped] += 1
        self._ledger.add(self._batch)
        self._batch = {}
        self._keep_cursors(urgent=bool(pairs))
        self._follow_authors()
        return messages

    def _keep_cursors(self, *, urgent: bool) -> None:
        doubtful = bool(self._early.told())
        read = self._cursors.keep(self.pool.cursors(), urgent=urgent, doubtful=doubtful)
        if read is not None:
            self._ledger.forget(read - KEPT_SECONDS)

    def _follow_authors(self) -> None:
        """Listen for the deletion requests of those whose public messages we know."""
        authors = self._ledger.authors(_MOST_AUTHORS)
        if set(authors) != set(self._authors):
            self._authors = authors
            self.pool.ask_again(interests.DELETIONS)

    def _handled(self, event_id: str) -> bool:
        return event_id in self._batch or event_id in self._ledger

    def _known(self, event_id: str) -> Known | None:
        return self._batch.get(event_id) or self._ledger.known(event_id)

    async def fetch(self, media: Media) -> bytes:
        """Download an attachment and decrypt it.

        Raises:
            PermanentError: it cannot be had, or is not what was sent.
            TemporaryError: it cannot be had now.
        """
        if not media.url:
            raise PermanentError("the attachment has no address")
        return attachments.decrypted(media, await self.web.file(media.url))

    # -- out

    def keep_secret(self, field: str, text: str) -> None:
        """Refuse to say our own private key to anybody.

        Raises:
            PermanentError: it stands in the text, which is not quoted.
        """
        if self.key.is_in(text):
            raise PermanentError(
                f"`{field}` holds the private key of this channel; nothing is sent"
            )

    def _work(self) -> int:
        asked = max(self.pool.work_wanted(), self.outbox.work)
        return min(asked, self._config.max_work)

    async def publish_status(self, status: str) -> None:
        """Publish a status (NIP-38), without waiting for more than one relay."""
        # Of two events of one second relays keep either: the later wish must win.
        self._status_at = max(int(time.time()), self._status_at + 1)
        event = status_event(self.key, status, self._status_at)
        await self.pool.publish(event, patience=5.0, grace=0.0)

    def resolved(self, address: str) -> str:
        """Return the public key behind a NIP-05 address. Callable from any thread.

        Raises:
            TemporaryError: it is being looked up; ask again.
            PermanentError: it names nobody.
        """
        known = self._addresses.get(address)
        if known is None or known[0] < time.monotonic():
            self._loop.call_soon_threadsafe(lambda: self._spawn(self._resolve(address)))
            raise TemporaryError(f"looking up {address}")
        if known[1] is None:
            raise PermanentError(f"`channel_id`: {address} names nobody (NIP-05)")
        return known[1]

    async def _resolve(self, address: str) -> None:
        found = await self.web.public_key(address)
        seconds = _NIP05_SECONDS if found else _NIP05_WRONG_SECONDS
        self._addresses[address] = (time.monotonic() + seconds, found)

    # -- health

    def health(self) -> Health:
        """Tell how many relays are being read, and what is wrong with each.

        The latency is that of the quickest: it is the one that a message comes over first.
        """
        relays, reading = list(self.pool.relays.values()), self.pool.reading
        told = [f"{len(reading)} of {len(relays)} relays"]
        for relay in relays:
            trouble = "" if relay in reading else relay.line.problem or "reading what is stored"
            said = "; ".join(filter(None, (trouble, relay.line.counts.told())))
            told += [f"{relay.line.url}: {said}"] if said else []
        told += filter(None, [self._early.told()])
        latencies = [one.pulse.latency for one in reading if one.pulse.latency is not None]
        return Health(bool(reading), "; ".join(told), min(latencies, default=None))


def _written_at(arrival: Arrival, rumor: Rumor | None) -> tuple[int, int]:
    """Return when it was written; within one second, when it arrived."""
    written = rumor if rumor is not None else arrival.event
    return written.created_at, arrival.order
