"""What comes in over one connection, message by message, each handed to whom it concerns."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from cobot_nostr import wire
from cobot_nostr.event import EventError
from cobot_nostr.pulse import PROBE
from cobot_nostr.wire import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.client import ClientConnection

    from cobot_nostr.line import Line
    from cobot_nostr.listening import Listening
    from cobot_nostr.login import Login
    from cobot_nostr.publishing import Publishing
    from cobot_nostr.pulse import Pulse

_YIELD_EVERY = 16
_OTHERS = frozenset({"EVENT", "EOSE", "OK", "CLOSED", "AUTH"})


class Idle(Exception):  # a decision, not an error
    """This connection has nothing to do."""


class CutOff(Exception):  # a decision, not an error
    """This connection is not worth keeping; the text says why."""


class Reading:
    """The reader of one connection."""

    def __init__(
        self,
        socket: ClientConnection,
        line: Line,
        login: Login,
        inbox: Listening,
        outbox: Publishing,
        pulse: Pulse,
        *,
        has_work: Callable[[], bool],
    ) -> None:
        self._socket = socket
        self._line = line
        self._login = login
        self._inbox = inbox
        self._outbox = outbox
        self._pulse = pulse
        self._has_work = has_work

    async def run(self) -> None:
        """Read until the connection ends.

        Raises:
            CutOff: the relay sends too much rubbish.
            Idle: it is not ours, and there is nothing to do.
            TimeoutError: it gives no sign of life.
        """
        counts = self._line.counts
        bad_before = counts.bad
        for number in itertools.count():
            frame = await self._next_frame()
            if frame is None:
                self._pulse.ask()
                continue
            self._pulse.heard()
            self._inbox.heard()
            try:
                await self._dispatch(wire.parse(frame))
            except ProtocolError as error:
                self._line.count_bad("malformed", str(error))
            except EventError as error:
                self._line.count_bad("forged", str(error))
            if counts.bad - bad_before > self._line.tuning.rubbish:
                raise CutOff("it sent too much rubbish")
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)  # a full buffer must not hold the loop

    async def _next_frame(self) -> str | bytes | None:
        """Return the next message; `None`: silence. A question left unanswered ends the connection.

        Raises:
            TimeoutError: the relay was asked for a sign of life and gave none.
        """
        tuning, asked = self._line.tuning, self._pulse.asked
        idle = tuning.idle if self._inbox.is_lasting else tuning.linger
        try:
            async with asyncio.timeout(tuning.patience if asked else idle):
                return await self._socket.recv()
        except TimeoutError:
            if asked:
                raise TimeoutError("the connection is open and nothing answers") from None
            if not self._has_work():
                raise Idle from None
            return None

    async def _dispatch(self, message: list[Any]) -> None:
        match message:
            case ["EVENT", str(name), value]:
                await self._inbox.told(name, value)
            case ["EOSE", str(name)]:
                self._on_end(name)
            case ["OK", str(event_id), bool(accepted), *rest]:
                self._on_ok(event_id, accepted, wire.words(rest[0] if rest else ""))
            case ["CLOSED", str(name), *rest]:
                self._on_end(name, wire.words(rest[0] if rest else ""))
            case ["AUTH", str(challenge)]:
                # Relays of ours know us by what we ask for, and may hide messages until we log in.
                willing = self._inbox.is_lasting or self._outbox.was_answered
                self._login.challenged(challenge, willing=willing)
            case ["NOTICE", *rest]:
                self._line.counts.notices += 1
                self._line.log.debug("relay %s: %s", self._line.url, wire.words(*rest[:1] or [""]))
            case [str(name), *_] if name not in _OTHERS:
                pass  # NIP-01 grows; what we did not ask for does no harm
            case _:
                raise ProtocolError("a message of the wrong shape")

    def _on_end(self, name: str, reason: str | None = None) -> None:
        """Take an EOSE or, with a reason, a CLOSED; either answers our question for life."""
        if name == PROBE:
            self._pulse.answered()
        elif reason is None:
            self._inbox.told_all(name)
        else:
            self._inbox.closed(name, reason)

    def _on_ok(self, event_id: str, accepted: bool, reason: str) -> None:  # as on the wire
        if self._login.is_about(event_id):
            self._login.answered(accepted, reason)
            self._inbox.logged_in()
            self._outbox.logged_in()
        else:
            self._outbox.answered(event_id, accepted, reason)
