"""Who was refused: visible, and not loud."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from cobot_session.gate.flood import Buckets

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping

    from cobot_session.messages import IncomingMessage

MOST_KNOWN = 256
"""Senders whose drops are counted one by one; the latest stay."""
MOST_SHOWN = 50
"""Of them, those that are kept for `cobot-session doctor`."""
_TELL_AGAIN_SECONDS = 3600.0
_MOST_LINES = 60
"""Lines an hour, however many strangers there are."""
_LONGEST = 200
"""Characters of an id that are kept: it is a stranger's."""


@dataclass(slots=True)
class Dropped:
    """One sender's refused messages; nothing of what they wrote.

    Attributes:
        reason: why.
        sender: the person's id; empty when the platform does not tell.
        chat: where it was last.
        count: how many.
        first: epoch seconds.
        last: epoch seconds.
    """

    reason: str
    sender: str
    chat: str
    count: int
    first: float
    last: float


class Drops:
    """Counts and tells what one channel's gate refuses. Thread-safe, in bounded memory.

    Args:
        log: the channel's logger.
        before: what an earlier session counted.
        clock: seconds; nobody sets it.
    """

    def __init__(
        self,
        log: logging.Logger,
        before: Iterable[Mapping[str, Any]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[tuple[str, str], Dropped] = OrderedDict()
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lines = Buckets(60 * _MOST_LINES / _TELL_AGAIN_SECONDS, _MOST_LINES)
        self._silent = False
        self._changed = False
        for one in before:
            drop = Dropped(**one)
            self._known[drop.reason, drop.sender or drop.chat] = drop

    def note(self, reason: str, message: IncomingMessage) -> None:
        """Count a refused message, and tell of its sender once an hour."""
        sender, chat = message.sender_id[:_LONGEST], message.channel_id[:_LONGEST]
        who = (reason, sender or chat)
        now = time.time()
        with self._lock:
            drop = self._known.setdefault(who, Dropped(reason, sender, chat, 0, now, now))
            drop.chat, drop.count, drop.last = chat, drop.count + 1, now
            _bound(self._known, who)
            self._changed = True
        self._tell(who, message, drop)

    def changed(self) -> list[dict[str, Any]] | None:
        """Return the latest, the last first, when there is something new since the last call."""
        with self._lock:
            if not self._changed:
                return None
            self._changed = False
            latest = [*self._known.values()][-MOST_SHOWN:]
            return [asdict(drop) for drop in reversed(latest)]

    def _tell(self, who: tuple[str, str], message: IncomingMessage, drop: Dropped) -> None:
        now = self._clock()
        if now - self._told.get(who, -_TELL_AGAIN_SECONDS) < _TELL_AGAIN_SECONDS:
            return
        self._told[who] = now
        _bound(self._told, who)
        if not self._lines.take("", now):
            if not self._silent:
                self._log.warning(
                    "more strangers write than are told one by one; they are counted in the status"
                )
            self._silent = True
            return
        self._silent = False
        access = f"plugins.{message.channel_type}.access"
        if drop.reason == "flood":
            self._log.warning(
                "dropped a %s of %r in %r, which came too fast; `%s.rates` bounds it",
                *(message.kind, drop.sender, drop.chat, access),
            )
        else:
            person = f"`users: [{drop.sender!r}]` for the person, or " if drop.sender else ""
            self._log.warning(
                "dropped a %s from a stranger. To let them in, add under `%s`:"
                " %s`chats: [%r]` for the whole chat",
                *(message.kind, access, person, drop.chat),
            )


def _bound(known: OrderedDict[tuple[str, str], Any], latest: tuple[str, str]) -> None:
    known.move_to_end(latest)
    if len(known) > MOST_KNOWN:
        known.popitem(last=False)
