"""What one relay is asked for, and what it delivers."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from cobot_nostr import wire
from cobot_nostr.event import matches, parse_event
from cobot_nostr.pulse import PROBE
from cobot_nostr.questions import Question, Questions
from cobot_nostr.wire import Arrival, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cobot_nostr.event import Event
    from cobot_nostr.line import Line
    from cobot_nostr.login import Login
    from cobot_nostr.wire import Subscription

_PAGED_FROM = 20
"""Stored events in one answer from which on there may be more (no relay caps answers lower)."""
_MOST_PAGES = 1000


class Listening:
    """Subscriptions that last, and what is asked to complete them.

    Args:
        line: of the relay.
        login: may be needed before the relay answers.
        subscriptions: what to listen for.
        seen: tells whether an event id was delivered before, by any relay.
        remember: takes an event id that was verified and is about to be delivered.
        wake: called when something has arrived, all that was stored has, or it is read no more.
        cursor: Unix time up to which this relay has been read.
        believed: returns a cursor, or an earlier one in the place of one that cannot be true.

    Attributes:
        arrivals: what came in and waits to be taken.
        questions: what is asked once.
        live_at: Unix time of the last sign that nothing is being missed.
        is_reading: all that was stored has been told in this connection, whatever is asked again.
    """

    def __init__(
        self,
        line: Line,
        login: Login,
        subscriptions: Sequence[Subscription],
        *,
        seen: Callable[[str], bool],
        remember: Callable[[str], None],
        wake: Callable[[], None],
        cursor: int,
        believed: Callable[[int], int] = lambda cursor: cursor,
    ) -> None:
        self.arrivals: deque[Arrival] = deque()
        self.live_at = cursor
        self.is_reading = False
        self.questions = Questions(line)
        self._line = line
        self._login = login
        self._subscriptions = {one.name: one for one in subscriptions}
        self._seen = seen
        self._remember = remember
        self._wake = wake
        self._believed = believed
        self._space = asyncio.Event()
        self._pages: dict[str, Page] = {}
        self._paging: dict[str, asyncio.Task[None]] = {}

    # -- state

    @property
    def is_lasting(self) -> bool:
        """There is something to listen for."""
        return bool(self._subscriptions)

    @property
    def caught_up(self) -> bool:
        """Every subscription has had all that was stored, in this connection."""
        told = all(name in self._pages and self._pages[name].done for name in self._subscriptions)
        return self._line.connected and told and not self._paging

    @property
    def cursor(self) -> int:
        """Unix time until when everything has been taken."""
        return min(self.live_at, self.arrivals[0].at) if self.arrivals else self.live_at

    @property
    def is_full(self) -> bool:
        """Nothing more is read until something is taken."""
        return len(self.arrivals) >= self._line.tuning.queue

    def connected(self) -> None:
        """Ask everything, in a new connection."""
        for name in self._subscriptions:
            self.ask_again(name)
        self.questions.connected()

    async def disconnected(self) -> None:
        """End what belonged to the connection."""
        tasks = list(self._paging.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.questions.disconnected()
        self.is_reading = False
        self._pages, self._paging = {}, {}
        self._wake()

    def logged_in(self) -> None:
        """Ask again: what was hidden from us may now be told."""
        for name in self._subscriptions:
            if self._login.done:
                self.ask_again(name)
            elif name not in self._pages or not self._pages[name].done:
                self._ask_later(name, self._line.tuning.penalty)

    def heard(self) -> None:
        """Take any message as a sign that until now nothing has been missed."""
        if not self.caught_up:
            return
        believed = self._believed(self.live_at)
        if believed != self.live_at:  # our clock was ahead: what was asked for lies in the future
            self.read_again(believed)
        elif not self.arrivals:
            self.live_at = max(self.live_at, int(time.time()))

    # -- asking

    def ask_again(self, name: str) -> None:
        """Send a subscription, from where this relay was last read."""
        if not self._line.connected:
            return
        subscription = self._subscriptions[name]
        self.live_at = self._believed(self.live_at)
        since = max(0, self.live_at - self._line.tuning.overlap - subscription.reach)
        page = Page(subscription.filters(since), int(time.time()))
        self._pages[name] = page
        self._line.send("REQ", name, *page.filters)

    def read_again(self, since: int) -> None:
        """Take back the cursor, and ask from there."""
        self.live_at = min(self.live_at, since)
        for name in self._subscriptions:
            self.ask_again(name)

    def _ask_later(self, name: str, seconds: float) -> None:
        def ask() -> None:
            if name in self._pages:
                self.ask_again(name)

        self._line.later(seconds, ask)

    async def _page_back(self, page: Page) -> None:
        """Ask for what is older than a full answer, until all has come: relays cap answers."""
        until = page.oldest
        for _ in range(_MOST_PAGES):
            filters = [{**one, "until": until} for one in page.filters]
            question = Question(Page(filters, page.sent_at))
            await self.questions.ask(question, self._line.tuning.patience)
            for event in question.events:
                await self._offer(event)
            if question.page.seen < self._full_page():
                return
            # The events of that second come once more; when there is nothing else, pass over it.
            until = question.page.oldest - (question.page.oldest == until)
        self._line.log.warning(
            "relay %s: stopped reading old events after %d pages", self._line.url, _MOST_PAGES
        )

    def _full_page(self) -> int:
        return min(self._line.limits.max_limit or _PAGED_FROM, _PAGED_FROM)

    def _start_paging(self, name: str, page: Page) -> None:
        task = asyncio.create_task(self._page_back(page), name=f"page {self._line.url}")
        self._paging[name] = task
        task.add_done_callback(lambda ended: self._end_paging(name, ended))

    def _end_paging(self, name: str, ended: asyncio.Task[None]) -> None:
        if self._paging.get(name) is ended:
            del self._paging[name]
        if not ended.cancelled() and ended.exception() is not None:
            self._line.log.warning("relay %s: older events were not all read", self._line.url)
            self._line.problem = "older events were not all read"
            self._ask_later(name, self._line.tuning.patience)
            self._pages[name].done = False
            return
        self._catch_up()

    # -- being told

    async def told(self, name: str, value: object) -> None:
        """Take an event.

        Raises:
            EventError: it is none, or not its author's.
        """
        question = self.questions.get(name)
        page = question.page if question is not None else self._pages.get(name)
        if page is None:
            self._count_stray(name)
            return
        if question is None and self._is_repeated(value, page):
            return
        event = parse_event(value)
        if not matches(event, page.filters):
            self._line.count_bad("foreign", "an event that nobody asked for")
        elif question is not None:
            question.take(event)
        else:
            page.count(event.created_at)
            await self._offer(event)

    def _is_repeated(self, value: object, page: Page) -> bool:
        """Tell whether an event came before: then there is nothing to verify."""
        if not isinstance(value, dict) or not isinstance(value.get("id"), str):
            return False
        if not self._seen(value["id"]):
            return False
        self._line.counts.duplicates += 1
        if type(value.get("created_at")) is int:
            page.count(value["created_at"])
        return True

    def _count_stray(self, name: str) -> None:
        """An answer to a question that was just closed is late; any other was never asked for."""
        if not (Questions.names(name) or name.startswith((PROBE, *self._subscriptions))):
            self._line.count_bad("foreign", "an answer that nobody asked for")

    async def _offer(self, event: Event) -> None:
        """Queue an event unless it came before, waiting for room."""
        if self._seen(event.id):
            self._line.counts.duplicates += 1
            return
        self._remember(event.id)
        self._line.counts.events += 1
        arrival = Arrival(event, self._line.url, int(time.time()), time.monotonic_ns())
        self.arrivals.append(arrival)
        self._wake()
        while self.is_full:
            self._space.clear()
            await self._space.wait()

    def take(self) -> Arrival | None:
        """Return the oldest arrival; makes room for more."""
        if not self.arrivals:
            return None
        arrival = self.arrivals.popleft()
        self._space.set()
        return arrival

    def told_all(self, name: str) -> None:
        """Take an EOSE."""
        question, page = self.questions.get(name), self._pages.get(name)
        if question is not None:
            question.told_all()
        elif page is not None and not page.done:
            page.done = True
            self._line.failures = 0
            if page.seen >= self._full_page():
                self._start_paging(name, page)
            self._catch_up()

    def _catch_up(self) -> None:
        if not self.caught_up:
            return
        self._line.problem = ""
        self.is_reading = True
        if not self.arrivals:
            first = min((page.sent_at for page in self._pages.values()), default=0)
            self.live_at = max(self.live_at, first)
        self._wake()

    def closed(self, name: str, reason: str) -> None:
        """Take a CLOSED: log in, or ask again, soon or late."""
        question = self.questions.get(name)
        if question is not None:
            question.done.set()
        if name not in self._pages:
            return
        word = wire.prefix(reason)
        self._line.problem = f"a subscription was closed: {reason}"
        self._pages[name].done = self.is_reading = False
        self._wake()
        if word == "auth-required" and self._login.possible:
            self._login.log_in()
        else:
            soon = word in {"rate-limited", "error", ""}
            tuning = self._line.tuning
            self._ask_later(name, 10 * tuning.backoff if soon else tuning.penalty)
