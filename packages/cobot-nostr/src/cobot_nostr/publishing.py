"""Events on their way to one relay: each stays until the relay has answered it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cobot_nostr import wire
from cobot_nostr.wire import Answer

if TYPE_CHECKING:
    from cobot_nostr.event import Event
    from cobot_nostr.line import Line
    from cobot_nostr.login import Login

_MOST_PAUSE = 60.0


@dataclass(slots=True)
class _Publication:
    event: Event
    frame: str
    answer: asyncio.Future[Answer]
    attempts: int = 0
    said: str = ""


class Publishing:
    """The backlog of one relay, over any number of connections."""

    def __init__(self, line: Line, login: Login) -> None:
        self._line = line
        self._login = login
        self._waiting: OrderedDict[str, _Publication] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def was_answered(self) -> bool:
        """The relay has said something to an event that still waits."""
        return any(one.said for one in self._waiting.values())

    def publish(self, event: Event) -> asyncio.Future[Answer]:
        """Hand an event to the relay; the future tells its answer, whenever that comes.

        An event that is handed over again while it waits is sent again: an answer may be lost.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(event.id)
        if waiting is not None:
            if waiting.answer.done():
                waiting.answer = answer
            self._line.push(waiting.frame)
            return waiting.answer
        frame = wire.frame("EVENT", event.to_dict())
        refusal = self._line.limits.refuses(event, frame)
        if refusal:
            answer.set_result(Answer("refused", refusal))
            return answer
        if len(self._waiting) >= self._line.tuning.backlog:
            self._settle(next(iter(self._waiting)), Answer("later", "too much waits for it"))
        self._waiting[event.id] = _Publication(event, frame, answer)
        self._line.push(frame)
        return answer

    def said(self, event_id: str) -> str:
        """Return what the relay said last about an event that waits, or what is wrong."""
        waiting = self._waiting.get(event_id)
        return (waiting.said if waiting is not None else "") or self._line.problem or "no answer"

    def give_up(self, event_id: str) -> None:
        """Wait no longer for the relay's answer to an event."""
        self._settle(event_id, Answer("silent", "given up"))

    def connected(self) -> None:
        """Send everything that waits, in a new connection."""
        for waiting in self._waiting.values():
            self._line.push(waiting.frame)

    def answered(self, event_id: str, accepted: bool, reason: str) -> None:  # as on the wire
        """Take the relay's word on an event."""
        waiting = self._waiting.get(event_id)
        if waiting is None:
            return
        waiting.said = reason
        word = wire.prefix(reason)
        if accepted or word == "duplicate":
            self._line.failures = 0
            self._settle(event_id, Answer("ok", reason))
        elif word == "auth-required" and self._login.possible:
            self._login.log_in()
        elif word == "rate-limited":
            self._try_later(waiting)
        else:
            self._settle(event_id, Answer("later" if word == "error" else "refused", reason))

    def logged_in(self) -> None:
        """Send again what waited for our login, or settle it when that was refused."""
        for event_id, waiting in list(self._waiting.items()):
            if wire.prefix(waiting.said) != "auth-required":
                continue
            if self._login.done:
                self._line.push(waiting.frame)
            else:
                self._settle(event_id, Answer("refused", self._login.refused))

    def _settle(self, event_id: str, answer: Answer) -> None:
        waiting = self._waiting.pop(event_id, None)
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(answer)

    def _try_later(self, waiting: _Publication) -> None:
        """Let the caller know, and try again quietly in case others have taken it."""
        waiting.attempts += 1
        if not waiting.answer.done():
            waiting.answer.set_result(Answer("later", waiting.said))
        pause = min(_MOST_PAUSE, self._line.tuning.backoff * 2.0**waiting.attempts)

        def push() -> None:
            if waiting.event.id in self._waiting:
                self._line.push(waiting.frame)

        self._line.later(pause, push)
