"""One relay: its connection, for as long as the channel lives.

It connects, asks and listens; when that ends for whatever reason, it waits and begins again. What
is asked and heard is in `listening`, what is said in `publishing`, who we are in `login`. Nothing a
relay sends can raise out of here; what is wrong with it is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidURI, WebSocketException

from cobot_nostr import wire
from cobot_nostr.event import EventError
from cobot_nostr.line import Line
from cobot_nostr.listening import PROBE, Listening
from cobot_nostr.login import Login
from cobot_nostr.publishing import Publishing
from cobot_nostr.tuning import Tuning
from cobot_nostr.wire import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from logging import Logger

    from websockets.asyncio.client import ClientConnection

    from cobot_nostr.crypto import Key
    from cobot_nostr.event import Event
    from cobot_nostr.wire import Answer, Filters, Subscription

__all__ = ["Relay", "Tuning"]

_YIELD_EVERY = 16
_CLOSE_SECONDS = 2.0
_OTHERS = frozenset({"EVENT", "EOSE", "OK", "CLOSED", "AUTH"})


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
        line: its name, counts, limits and problem.
        inbox: what it delivers.
        outbox: what it is to get.
        latency: seconds the last sign of life took that we asked for.
        idle_since: monotonic time when it was last used, for one that is not ours.
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
        self.line = Line(url, key, log, tuning)
        self._login = Login(self.line)
        self.outbox = Publishing(self.line, self._login)
        self.inbox = Listening(
            self.line,
            self._login,
            subscriptions,
            seen=seen,
            remember=remember,
            wake=wake,
            cursor=cursor,
        )
        self.latency: float | None = None
        self.idle_since = time.monotonic()
        self._dial = dial
        self._work = asyncio.Event()
        self._bad_before = 0
        self._probe_sent: float | None = None
        self._probe_answered: float | None = None

    def publish(self, event: Event) -> asyncio.Future[Answer]:
        """Hand an event to the relay; the future tells its answer, whenever that comes."""
        self._use()
        return self.outbox.publish(event)

    async def fetch(self, filters: Filters, patience: float) -> list[Event]:
        """Return the stored events that match, or those that came within `patience` seconds."""
        self._use()
        return await self.inbox.fetch(filters, patience)

    def _use(self) -> None:
        self.idle_since = time.monotonic()
        self._work.set()

    @property
    def _has_work(self) -> bool:
        return bool(self.inbox.is_lasting or self.inbox.has_questions or len(self.outbox))

    # -- life

    async def run(self) -> None:
        """Stay connected until cancelled; one that is not ours, as long as there is work."""
        try:
            while True:
                while not self._has_work:
                    self._work.clear()
                    await self._work.wait()
                try:
                    pause = await self._one_connection()
                except _Idle:
                    continue
                jitter = random.uniform(0.5, 1.0)  # noqa: S311  # jitter is no secret
                await asyncio.sleep(pause * jitter)
        finally:
            self.line.close()

    async def _one_connection(self) -> float:
        """Connect, work until it ends, and return how long to wait."""
        line, tuning, least = self.line, self.line.tuning, 0.0
        try:
            await self._connect_and_work()
        except _CutOff as reason:
            line.problem = str(reason)
            least = tuning.penalty
        except InvalidURI:
            line.problem = "the url is not a websocket's"
            least = tuning.backoff_most
        except (OSError, WebSocketException, EOFError, ValueError) as error:
            line.problem = _describe(error)
        finally:
            line.reset()
            self._login.reset()
            self._probe_sent = self._probe_answered = None
            await self.inbox.disconnected()
        line.failures += 1
        grown = tuning.backoff * 2.0 ** min(line.failures - 1, 16)
        pause = max(least, min(grown, tuning.backoff_most))
        line.log.info("relay %s: %s; again in about %.0f s", line.url, line.problem, pause)
        return pause

    async def _connect_and_work(self) -> None:
        line = self.line
        extra = dict(await self._dial(line.url)) if self._dial is not None else {}
        async with asyncio.timeout(line.tuning.patience):
            socket = await connect(
                line.url,
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
            line.connected = True
            line.counts.connects += 1
            line.problem = "reading what is stored" if self.inbox.is_lasting else ""
            self._bad_before = line.counts.bad
            self.inbox.connected()
            self.outbox.connected()
            await self._work_on(socket)
        finally:
            with contextlib.suppress(TimeoutError, OSError, WebSocketException):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await socket.close()

    async def _work_on(self, socket: ClientConnection) -> None:
        reader = asyncio.create_task(self._read(socket), name=f"read {self.line.url}")
        writer = asyncio.create_task(self._write(socket), name=f"write {self.line.url}")
        try:
            done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _write(self, socket: ClientConnection) -> None:
        outgoing = self.line.outgoing
        while True:
            frame = await outgoing.get()
            async with asyncio.timeout(self.line.tuning.patience):
                await socket.send(frame)

    # -- reading

    async def _read(self, socket: ClientConnection) -> None:
        counts = self.line.counts
        for number in itertools.count():
            frame = await self._next_frame(socket)
            if frame is None:
                self._probe_sent = time.monotonic()
                wanted = {"kinds": [0], "authors": [self.line.key.public], "limit": 1}
                self.line.send("REQ", PROBE, wanted)
                continue
            self._probe_answered, self._probe_sent = self._probe_sent, None
            self.inbox.heard()
            try:
                await self._dispatch(wire.parse(frame))
            except ProtocolError:
                counts.malformed += 1
            except EventError:
                counts.forged += 1
            if counts.bad - self._bad_before > self.line.tuning.rubbish:
                raise _CutOff("it sent too much rubbish")
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)  # a full buffer must not hold the loop

    async def _next_frame(self, socket: ClientConnection) -> str | bytes | None:
        """Return the next message; `None`: silence. A question left unanswered ends the connection.

        Raises:
            TimeoutError: the relay was asked for a sign of life and gave none.
        """
        tuning, asked = self.line.tuning, self._probe_sent is not None
        idle = tuning.idle if self.inbox.is_lasting else tuning.linger
        try:
            async with asyncio.timeout(tuning.patience if asked else idle):
                return await socket.recv()
        except TimeoutError:
            if asked:
                raise TimeoutError("the connection is open and nothing answers") from None
            if not self._has_work:
                raise _Idle from None
            return None

    async def _dispatch(self, message: list[Any]) -> None:
        match message:
            case ["EVENT", str(name), value]:
                await self.inbox.told(name, value)
            case ["EOSE", str(name)]:
                self._on_end(name)
            case ["OK", str(event_id), bool(accepted), *rest]:
                self._on_ok(event_id, accepted, wire.words(rest[0] if rest else ""))
            case ["CLOSED", str(name), *rest]:
                self._on_end(name, wire.words(rest[0] if rest else ""))
            case ["AUTH", str(challenge)]:
                # Relays of ours know us by what we ask for, and may hide messages until we log in.
                willing = self.inbox.is_lasting or self.outbox.was_answered
                self._login.challenged(challenge, willing=willing)
            case ["NOTICE", *rest]:
                self.line.counts.notices += 1
                self.line.log.debug("relay %s: %s", self.line.url, wire.words(*rest[:1] or [""]))
            case [str(name), *_] if name not in _OTHERS:
                pass  # NIP-01 grows; what we did not ask for does no harm
            case _:
                raise ProtocolError("a message of the wrong shape")

    def _on_end(self, name: str, reason: str | None = None) -> None:
        """Take an EOSE or, with a reason, a CLOSED; either answers our question for life."""
        if name == PROBE:
            self.line.send("CLOSE", PROBE)
            if self._probe_answered is not None:
                self.latency = time.monotonic() - self._probe_answered
        elif reason is None:
            self.inbox.told_all(name)
        else:
            self.inbox.closed(name, reason)

    def _on_ok(self, event_id: str, accepted: bool, reason: str) -> None:  # as on the wire
        if self._login.is_about(event_id):
            self._login.answered(accepted, reason)
            self.inbox.logged_in()
            self.outbox.logged_in()
        else:
            self.outbox.answered(event_id, accepted, reason)


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return str(error) or "it did not answer in time"
    text = wire.words(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
