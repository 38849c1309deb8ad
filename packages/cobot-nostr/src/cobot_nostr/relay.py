"""One relay: its connection and everything that goes over it, for as long as the channel lives.

    run       connect, ask, listen; when it ends for whatever reason, wait and begin again
    publish   an event stays with the relay until it answers, over any number of connections
    fetch     one question, answered up to EOSE

Nothing a relay sends can raise out of here; what is wrong with it is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidURI, WebSocketException

from cobot_nostr import wire
from cobot_nostr.event import Event, EventError, make_event, matches, parse_event
from cobot_nostr.wire import Answer, Arrival, Counts, Page, ProtocolError, RelayLimits, Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from logging import Logger

    from websockets.asyncio.client import ClientConnection

    from cobot_nostr.crypto import Key
    from cobot_nostr.wire import Filters

AUTH_KIND = 22242
_PAGED_FROM = 20
"""Stored events in one answer from which on there may be more (no relay caps answers lower)."""
_MOST_PAGES = 1000
_MOST_IN_ANSWER = 5000
_YIELD_EVERY = 16


@dataclass(frozen=True, slots=True)
class Tuning:
    """Times in seconds and bounds of a relay's connection.

    Attributes:
        backoff: the first pause after a connection ended; doubles up to `backoff_most`.
        idle: silence after which the relay is asked for a sign of life.
        patience: how long an answer, a connection attempt or a write may take.
        penalty: least pause for a relay that was cut off for sending rubbish.
        rubbish: bad messages in one connection after which it is cut off.
        queue: events that wait to be taken; then the relay is read no further.
        backlog: events that wait for the relay's answer; then the oldest is given up.
        linger: how long a relay that is not ours stays connected without work.
        overlap: how far back a subscription reaches, whatever was read.
    """

    backoff: float = 1.0
    backoff_most: float = 300.0
    idle: float = 30.0
    patience: float = 15.0
    penalty: float = 300.0
    rubbish: int = 1000
    queue: int = 5000
    backlog: int = 1000
    linger: float = 60.0
    overlap: int = 300


@dataclass(slots=True)
class _Publication:
    event: Event
    frame: str
    answer: asyncio.Future[Answer]
    attempts: int = 0
    said: str = ""


@dataclass(slots=True)
class _Question:
    page: Page
    events: list[Event] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class _Idle(Exception):  # a decision, not an error
    """This connection has nothing to do."""


class _CutOff(Exception):  # a decision, not an error
    """This connection is not worth keeping; the text says why."""


class Relay:
    """One relay.

    Args:
        url: `wss://…` or `ws://…`.
        key: answers authentication challenges (NIP-42).
        log: where trouble is told.
        tuning: times and bounds.
        subscriptions: what to listen for; empty: it is only written to.
        seen: tells whether an event id was delivered before, by any relay.
        remember: takes an event id that was verified and is about to be delivered.
        wake: called when something has arrived, all that was stored has, or a connection ended.
        cursor: Unix time up to which this relay has been read.
        dial: returns extra arguments for the connection, such as a checked address.

    Attributes:
        arrivals: what came in and waits to be taken with `take`.
        caught_up: every subscription has had its EOSE in this connection.
        live_at: Unix time of the last sign that nothing is being missed.
        latency: seconds the last sign of life took.
        problem: why it is not (fully) working, or empty.
    """

    def __init__(
        self,
        url: str,
        key: Key,
        log: Logger,
        tuning: Tuning,
        *,
        subscriptions: Sequence[Subscription] = (),
        seen: Callable[[str], bool] = lambda _: False,
        remember: Callable[[str], None] = lambda _: None,
        wake: Callable[[], None] = lambda: None,
        cursor: int = 0,
        dial: Callable[[str], Awaitable[Mapping[str, Any]]] | None = None,
    ) -> None:
        self.url = url
        self.arrivals: deque[Arrival] = deque()
        self.counts = Counts()
        self.limits = RelayLimits()
        self.live_at = cursor
        self.latency: float | None = None
        self.problem = "not connected yet"
        self.idle_since = time.monotonic()
        self._key = key
        self._log = log
        self._tuning = tuning
        self._subscriptions = {one.name: one for one in subscriptions}
        self._seen = seen
        self._remember = remember
        self._wake = wake
        self._dial = dial
        self._space = asyncio.Event()
        self._work = asyncio.Event()
        self._published: OrderedDict[str, _Publication] = OrderedDict()
        self._timers: set[asyncio.TimerHandle] = set()
        self._questions: dict[str, _Question] = {}
        self._serial = 0
        self._failures = 0
        self._begin_connection()

    def _begin_connection(self) -> None:
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._pages: dict[str, Page] = {}
        self._paging: dict[str, asyncio.Task[None]] = {}
        self._challenge = ""
        self._auth_id = ""
        self._authenticated = False
        self._auth_refused = ""
        self._bad_before = self.counts.bad
        self._probe_sent: float | None = None
        self.connected = False

    @property
    def caught_up(self) -> bool:
        """Every subscription has had all that was stored, in this connection."""
        return (
            self.connected
            and not self._paging
            and all(self._is_done(name) for name in self._subscriptions)
        )

    def _is_done(self, name: str) -> bool:
        return name in self._pages and self._pages[name].done

    @property
    def is_full(self) -> bool:
        """Nothing more is read until something is taken."""
        return len(self.arrivals) >= self._tuning.queue

    @property
    def pending(self) -> int:
        """Events that wait for this relay's answer."""
        return len(self._published)

    # -- life

    async def run(self) -> None:
        """Stay connected until cancelled."""
        try:
            while True:
                if not self._subscriptions:
                    await self._until_there_is_work()
                try:
                    await self._rest(await self._one_connection())
                except _Idle:
                    continue
        finally:
            for timer in self._timers:
                timer.cancel()

    async def _until_there_is_work(self) -> None:
        while not self._published and not self._questions:
            self.idle_since = time.monotonic()
            self._work.clear()
            await self._work.wait()

    async def _rest(self, pause: float) -> None:
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # jitter is no secret

    async def _one_connection(self) -> float:
        """Connect, work until it ends, and return how long to wait."""
        least = 0.0
        try:
            await self._connect_and_work()
        except _CutOff as reason:
            self.problem = str(reason)
            least = self._tuning.penalty
        except InvalidURI:
            self.problem = "the url is not a websocket's"
            least = self._tuning.backoff_most
        except (OSError, WebSocketException, EOFError, ValueError) as error:
            self.problem = _describe(error)
        finally:
            await self._end_connection()
        self._failures += 1
        grown = self._tuning.backoff * 2.0 ** min(self._failures - 1, 16)
        pause = max(least, min(grown, self._tuning.backoff_most))
        self._log.info("relay %s: %s; again in about %.0f s", self.url, self.problem, pause)
        return pause

    async def _end_connection(self) -> None:
        tasks = list(self._paging.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for question in self._questions.values():
            question.done.set()
        self._begin_connection()
        self._wake()

    async def _connect_and_work(self) -> None:
        extra = dict(await self._dial(self.url)) if self._dial is not None else {}
        async with asyncio.timeout(self._tuning.patience):
            socket = await connect(
                self.url,
                max_size=wire.MAX_FRAME,
                max_queue=8,
                ping_interval=None,  # silence is answered with a question to the relay itself
                compression=None,
                open_timeout=None,
                close_timeout=1,
                user_agent_header="cobot-nostr",
                **extra,
            )
        try:
            self.connected = True
            self.counts.connects += 1
            self.problem = "" if not self._subscriptions else "reading what is stored"
            for name in self._subscriptions:
                self._ask_again(name)
            for question_id, question in self._questions.items():
                self._send("REQ", question_id, *question.page.filters)
            for publication in self._published.values():
                self._outgoing.put_nowait(publication.frame)
            await self._work_on(socket)
        finally:
            await self._close(socket)

    async def _close(self, socket: ClientConnection) -> None:
        with contextlib.suppress(TimeoutError, OSError, WebSocketException):
            async with asyncio.timeout(2):
                await socket.close()

    async def _work_on(self, socket: ClientConnection) -> None:
        reader = asyncio.create_task(self._read(socket), name=f"read {self.url}")
        writer = asyncio.create_task(self._write(socket), name=f"write {self.url}")
        try:
            done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    # -- writing

    def _send(self, *message: object) -> None:
        self._outgoing.put_nowait(wire.frame(*message))

    async def _write(self, socket: ClientConnection) -> None:
        while True:
            frame = await self._outgoing.get()
            async with asyncio.timeout(self._tuning.patience):
                await socket.send(frame)

    def publish(self, event: Event) -> asyncio.Future[Answer]:
        """Hand an event to the relay; the future tells its final answer, whenever that comes.

        An event that is handed over again while it waits is sent again: an answer may be lost.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiting = self._published.get(event.id)
        if waiting is not None:
            return self._publish_again(waiting, answer)
        frame = wire.frame("EVENT", event.to_dict())
        refusal = self.limits.refuses(event, frame)
        if refusal:
            answer.set_result(Answer("refused", refusal))
            return answer
        if len(self._published) >= self._tuning.backlog:
            self._settle(next(iter(self._published)), Answer("later", "too much waits for it"))
        self._published[event.id] = _Publication(event, frame, answer)
        self._work.set()
        if self.connected:
            self._outgoing.put_nowait(frame)
        return answer

    def _publish_again(
        self, waiting: _Publication, answer: asyncio.Future[Answer]
    ) -> asyncio.Future[Answer]:
        if waiting.answer.done():
            waiting.answer = answer
        if self.connected:
            self._outgoing.put_nowait(waiting.frame)
        return waiting.answer

    def said(self, event_id: str) -> str:
        """Return what the relay said last about an event that still waits, or what is wrong."""
        publication = self._published.get(event_id)
        if publication is not None and publication.said:
            return publication.said
        return self.problem or "no answer"

    def give_up(self, event_id: str) -> None:
        """Wait no longer for the relay's answer to an event."""
        self._settle(event_id, Answer("silent", "given up"))

    def _settle(self, event_id: str, answer: Answer) -> None:
        publication = self._published.pop(event_id, None)
        if publication is not None and not publication.answer.done():
            publication.answer.set_result(answer)
        self.idle_since = time.monotonic()

    async def fetch(self, filters: Filters, patience: float) -> list[Event]:
        """Return the stored events that match, or those that came within `patience` seconds."""
        question = _Question(Page(filters, int(time.time())))
        with contextlib.suppress(TimeoutError):
            await self._question("q", question, patience)
        return question.events

    async def _question(self, kind: str, question: _Question, patience: float) -> None:
        """Ask, and return when the answer is complete.

        Raises:
            TimeoutError: it is not, after `patience` seconds.
        """
        self._serial += 1
        name = f"{kind}{self._serial}"
        self._questions[name] = question
        self._work.set()
        if self.connected:
            self._send("REQ", name, *question.page.filters)
        try:
            async with asyncio.timeout(patience):
                await question.done.wait()
        finally:
            del self._questions[name]
            self.idle_since = time.monotonic()
            if self.connected:
                self._send("CLOSE", name)

    # -- asking

    def ask_again(self, name: str) -> None:
        """Send a subscription again, whose filters have changed."""
        if self.connected:
            self._ask_again(name)

    def _ask_again(self, name: str) -> None:
        subscription = self._subscriptions[name]
        since = max(0, self.live_at - self._tuning.overlap - subscription.reach)
        page = Page(subscription.filters(since), int(time.time()))
        self._pages[name] = page
        self._send("REQ", name, *page.filters)

    def _ask_later(self, name: str, seconds: float) -> None:
        def ask() -> None:
            if self.connected and name in self._pages:
                self._ask_again(name)

        self._later(seconds, ask)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(handle)
            act()

        handle = asyncio.get_running_loop().call_later(seconds, run)
        self._timers.add(handle)

    async def _page_back(self, name: str, page: Page) -> None:
        """Ask for what is older than a full answer, until all has come: relays cap answers."""
        asked = page.filters
        until = page.oldest
        for _ in range(_MOST_PAGES):
            filters = [{**one, "until": until} for one in asked]
            question = _Question(Page(filters, page.sent_at))
            await self._question(f"{name}:", question, self._tuning.patience)
            for event in question.events:
                await self._offer(event)
            if question.page.seen < self._full_page():
                return
            # The events of that second come once more; when there is nothing else, pass over it.
            until = question.page.oldest - (question.page.oldest == until)
        self._log.warning("relay %s: stopped reading old events after %d pages", self.url, _)

    def _full_page(self) -> int:
        return min(self.limits.max_limit or _PAGED_FROM, _PAGED_FROM)

    # -- reading

    async def _read(self, socket: ClientConnection) -> None:
        for number in itertools.count():
            frame = await self._next_frame(socket)
            if frame is None:
                self._probe()
                continue
            self._hear()
            try:
                await self._dispatch(wire.parse(frame))
            except ProtocolError:
                self.counts.malformed += 1
            except EventError:
                self.counts.forged += 1
            if self.counts.bad - self._bad_before > self._tuning.rubbish:
                raise _CutOff("it sent too much rubbish")
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)  # a full buffer must not hold the loop

    async def _next_frame(self, socket: ClientConnection) -> str | bytes | None:
        """Return the next message; `None`: silence. A question left unanswered ends the connection.

        Raises:
            TimeoutError: the relay was asked for a sign of life and gave none.
        """
        asked = self._probe_sent is not None
        idle = self._tuning.idle if self._subscriptions else self._tuning.linger
        try:
            async with asyncio.timeout(self._tuning.patience if asked else idle):
                return await socket.recv()
        except TimeoutError:
            if asked:
                raise TimeoutError("the connection is open and nothing answers") from None
            if not self._subscriptions and not self._published and not self._questions:
                raise _Idle from None
            return None

    def _probe(self) -> None:
        self._probe_sent = time.monotonic()
        self._send("REQ", "probe", {"kinds": [0], "authors": [self._key.public], "limit": 1})

    def _hear(self) -> None:
        """Any message is a sign of life; of the time before it nothing has been missed."""
        self._probe_sent_at_hearing = self._probe_sent
        self._probe_sent = None
        if self.caught_up and not self.arrivals:
            self.live_at = max(self.live_at, int(time.time()))

    async def _dispatch(self, message: list[Any]) -> None:
        match message:
            case ["EVENT", str(name), value]:
                await self._on_event(name, value)
            case ["EOSE", str(name)]:
                self._on_eose(name)
            case ["OK", str(event_id), bool(accepted), *rest]:
                self._on_ok(event_id, accepted, wire.words(rest[0] if rest else ""))
            case ["CLOSED", str(name), *rest]:
                self._on_closed(name, wire.words(rest[0] if rest else ""))
            case ["AUTH", str(challenge)]:
                self._on_challenge(challenge)
            case ["NOTICE", *rest]:
                self.counts.notices += 1
                self._log.debug("relay %s: notice: %s", self.url, wire.words(*rest[:1]))
            case [str(name), *_] if name not in {"EVENT", "EOSE", "OK", "CLOSED", "AUTH"}:
                pass  # NIP-01 grows; what we did not ask for does no harm
            case _:
                raise ProtocolError("a message of the wrong shape")

    async def _on_event(self, name: str, value: object) -> None:
        question = self._questions.get(name)
        page = question.page if question is not None else self._pages.get(name)
        if page is None:
            self._count_stray(name)
            return
        if question is None and self._is_repeated(value, page):
            return
        event = parse_event(value)
        if not matches(event, page.filters):
            self.counts.foreign += 1
            return
        page.count(event.created_at)
        if question is None:
            await self._offer(event)
        elif len(question.events) < _MOST_IN_ANSWER:
            question.events.append(event)

    def _is_repeated(self, value: object, page: Page) -> bool:
        """Tell whether an event came before: then there is nothing to verify."""
        if not isinstance(value, dict) or not isinstance(value.get("id"), str):
            return False
        if not self._seen(value["id"]):
            return False
        self.counts.duplicates += 1
        if type(value.get("created_at")) is int:
            page.count(value["created_at"])
        return True

    def _count_stray(self, name: str) -> None:
        """An answer to a question that was just closed is late; any other was never asked for."""
        if not name.startswith(("q", "probe", *self._subscriptions)):
            self.counts.foreign += 1

    async def _offer(self, event: Event) -> bool:
        """Queue an event unless it came before, waiting for room; tell whether it was new."""
        if self._seen(event.id):
            self.counts.duplicates += 1
            return False
        self._remember(event.id)
        self.counts.events += 1
        self.arrivals.append(Arrival(event, self.url, int(time.time()), time.monotonic_ns()))
        self._wake()
        while self.is_full:
            self._space.clear()
            await self._space.wait()
        return True

    def take(self) -> Arrival | None:
        """Return the oldest arrival; makes room for more."""
        if not self.arrivals:
            return None
        arrival = self.arrivals.popleft()
        self._space.set()
        return arrival

    def _on_eose(self, name: str) -> None:
        if name == "probe":
            self._send("CLOSE", name)
            if self._probe_sent_at_hearing is not None:
                self.latency = time.monotonic() - self._probe_sent_at_hearing
            return
        question, page = self._questions.get(name), self._pages.get(name)
        if question is not None:
            question.page.done = True
            question.done.set()
        elif page is not None and not page.done:
            page.done = True
            self._failures = 0
            if page.seen >= self._full_page():
                self._start_paging(name, page)
            self._catch_up()

    def _start_paging(self, name: str, page: Page) -> None:
        task = asyncio.create_task(self._page_back(name, page), name=f"page {self.url}")
        self._paging[name] = task
        task.add_done_callback(lambda ended: self._end_paging(name, ended))

    def _end_paging(self, name: str, ended: asyncio.Task[None]) -> None:
        if self._paging.get(name) is ended:
            del self._paging[name]
        if not ended.cancelled() and ended.exception() is not None:
            self._log.warning("relay %s: older events were not read to the end", self.url)
            return
        self._catch_up()

    def _catch_up(self) -> None:
        if self.caught_up:
            self.problem = ""
            if not self.arrivals:
                first = min((page.sent_at for page in self._pages.values()), default=0)
                self.live_at = max(self.live_at, first)
            self._wake()

    def _on_closed(self, name: str, reason: str) -> None:
        question = self._questions.get(name)
        if question is not None:
            question.done.set()
        if name == "probe":
            self._on_eose(name)
        if name not in self._pages:
            return
        word = wire.prefix(reason)
        self.problem = f"a subscription was closed: {reason}"
        self._pages[name].done = False
        if word == "auth-required" and not self._authenticated:
            self._authenticate()
        else:
            soon = word in {"rate-limited", "error", ""}
            self._ask_later(name, 10 * self._tuning.backoff if soon else self._tuning.penalty)

    # -- answers to events

    def _on_ok(self, event_id: str, accepted: bool, reason: str) -> None:  # as on the wire
        if event_id == self._auth_id:
            self._on_authenticated(accepted, reason)
            return
        publication = self._published.get(event_id)
        if publication is None:
            return
        publication.said = reason
        word = wire.prefix(reason)
        if accepted or word == "duplicate":
            self._failures = 0
            self._settle(event_id, Answer("ok", reason))
        elif word == "auth-required" and not self._authenticated and not self._auth_refused:
            self._authenticate()
        elif word == "rate-limited":
            self._publish_later(publication)
        elif word == "error":
            self._settle(event_id, Answer("later", reason))
        else:
            self._settle(event_id, Answer("refused", reason))

    def _publish_later(self, publication: _Publication) -> None:
        """Let the caller know, and try again quietly in case others have taken it."""
        publication.attempts += 1
        if not publication.answer.done():
            publication.answer.set_result(Answer("later", publication.said))
        event_id = publication.event.id

        def publish() -> None:
            if self.connected and event_id in self._published:
                self._outgoing.put_nowait(publication.frame)

        self._later(min(60.0, self._tuning.backoff * 2.0**publication.attempts), publish)

    # -- NIP-42

    def _on_challenge(self, challenge: str) -> None:
        self._challenge = challenge
        self._authenticated = False
        if self._subscriptions or any(one.said for one in self._published.values()):
            # Relays of ours know us by what we ask for, and may hide private messages until then.
            self._authenticate()

    def _authenticate(self) -> None:
        if not self._challenge or self._auth_id:
            return
        tags = [("relay", self.url), ("challenge", self._challenge)]
        event = make_event(self._key, int(time.time()), AUTH_KIND, tags, "")
        self._auth_id = event.id
        self._send("AUTH", event.to_dict())

    def _on_authenticated(self, accepted: bool, reason: str) -> None:  # as on the wire
        self._auth_id = ""
        self._authenticated = accepted
        self._auth_refused = "" if accepted else reason or "authentication refused"
        if not accepted:
            self._challenge = ""
            self.problem = f"authentication refused: {reason}"
        for name in self._subscriptions:
            if accepted:
                self._ask_again(name)
            elif not self._is_done(name):
                self._ask_later(name, self._tuning.penalty)
        for event_id, publication in list(self._published.items()):
            if wire.prefix(publication.said) != "auth-required":
                continue
            if accepted:
                self._outgoing.put_nowait(publication.frame)
            else:
                self._settle(event_id, Answer("refused", self._auth_refused))


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return str(error) or "it did not answer in time"
    text = wire.words(json.dumps(str(error), ensure_ascii=False)[1:-1])
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
