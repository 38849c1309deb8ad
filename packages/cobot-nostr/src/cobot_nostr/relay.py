"""One relay: its connection, for as long as the channel lives.

It connects, asks and listens; when that ends for whatever reason, it waits and begins again. What
comes in is handed on by `reading`; what is asked and heard is in `listening`, what is said in
`publishing`, who we are in `login`, whether the relay is alive in `pulse`. Nothing it sends can
raise out of here; what is wrong with it is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidURI, WebSocketException

from cobot_nostr import wire
from cobot_nostr.line import Line
from cobot_nostr.listening import Listening
from cobot_nostr.login import Login
from cobot_nostr.publishing import Publishing
from cobot_nostr.pulse import Pulse
from cobot_nostr.reading import CutOff, Idle, Reading

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from logging import Logger

    from websockets.asyncio.client import ClientConnection

    from cobot_nostr.crypto import Key
    from cobot_nostr.event import Event
    from cobot_nostr.tuning import Tuning
    from cobot_nostr.wire import Answer, Filters, Subscription

_CLOSE_SECONDS = 2.0


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
        believed: returns a cursor, or an earlier one in the place of one that cannot be true.
        dial: returns extra arguments for the connection, such as a checked address.

    Attributes:
        line: its name, counts, limits and problem.
        inbox: what it delivers.
        outbox: what it is to get.
        pulse: whether it is alive, and how quick.
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
        believed: Callable[[int], int] = lambda cursor: cursor,
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
            believed=believed,
        )
        self.pulse = Pulse(self.line)
        self.idle_since = time.monotonic()
        self._dial = dial
        self._work = asyncio.Event()

    def publish(self, event: Event) -> asyncio.Future[Answer]:
        """Hand an event to the relay; the future tells its answer, whenever that comes."""
        self._use()
        return self.outbox.publish(event)

    async def fetch(self, filters: Filters, patience: float) -> list[Event]:
        """Return the stored events that match, or those that came within `patience` seconds."""
        self._use()
        return await self.inbox.questions.fetch(filters, patience)

    def _use(self) -> None:
        self.idle_since = time.monotonic()
        self._work.set()

    @property
    def _has_work(self) -> bool:
        return bool(self.inbox.is_lasting or len(self.inbox.questions) or len(self.outbox))

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
                except Idle:
                    continue
                jitter = random.uniform(0.5, 1.0)  # nosec B311 # noqa: S311  # jitter is no secret
                await asyncio.sleep(pause * jitter)
        finally:
            self.line.close()

    async def _one_connection(self) -> float:
        """Connect, work until it ends, and return how long to wait."""
        line, tuning, least = self.line, self.line.tuning, 0.0
        try:
            await self._connect_and_work()
        except CutOff as reason:
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
            self.pulse.reset()
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
            self.inbox.connected()
            self.outbox.connected()
            await self._work_on(socket)
        finally:
            try:
                with contextlib.suppress(TimeoutError, OSError, WebSocketException):
                    async with asyncio.timeout(_CLOSE_SECONDS):
                        await socket.close()
            finally:
                socket.transport.abort()  # a close that is cut off leaves the socket open

    async def _work_on(self, socket: ClientConnection) -> None:
        work = {
            "read": self._reading(socket).run(),
            "write": self._write(socket),
            "ping": self.pulse.time_pings(socket),
        }
        tasks = [
            asyncio.create_task(one, name=f"{name} {self.line.url}") for name, one in work.items()
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in (one for one in tasks if one in done):  # the reader knows best why
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _reading(self, socket: ClientConnection) -> Reading:
        return Reading(
            socket,
            self.line,
            self._login,
            self.inbox,
            self.outbox,
            self.pulse,
            has_work=lambda: self._has_work,
        )

    async def _write(self, socket: ClientConnection) -> None:
        outgoing = self.line.outgoing
        while True:
            frame = await outgoing.get()
            async with asyncio.timeout(self.line.tuning.patience):
                await socket.send(frame)


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return str(error) or "it did not answer in time"
    text = wire.words(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
