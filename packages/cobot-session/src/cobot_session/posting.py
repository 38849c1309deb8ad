"""One item on its way into the outbox, and who waits for its receipt."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import TYPE_CHECKING

from cobot_session import text
from cobot_session.errors import SpoolFull
from cobot_session.messages import Receipt

if TYPE_CHECKING:
    from cobot_session.house import House
    from cobot_session.outbox import Outbox
    from cobot_session.registry import PluginRecord
    from cobot_session.spool import Item


class Posting:
    """Stores one item, puts it into its lane, and answers with what is true in time.

    Args:
        house: the rest of the session.
        item: what to do.
        wait: seconds until the answer is what is true then; `None`: wait for the end.
    """

    __slots__ = ("_house", "_is_open", "_outbox", "_refusal", "_wait", "answer", "item")

    _outbox: Outbox

    def __init__(self, house: House, item: Item, wait: float | None) -> None:
        self.item = item
        self.answer: Future[Receipt] = Future()
        self._house = house
        self._wait = wait
        self._refusal = ""
        self._is_open = False

    def refuse(self, why: str) -> None:
        """Answer that it is not delivered and never will be; once it is answered, do nothing."""
        with contextlib.suppress(InvalidStateError):
            self.answer.set_result(Receipt(self.item.id, "failed", error=why))

    def refuse_in_time(self, why: str) -> None:
        """Refuse it if it is not answered when the wait is over."""
        if self._wait is not None:
            timer = self._house.timers.later(self._wait, partial(self.refuse, why))
            self.answer.add_done_callback(lambda _: timer.cancel())

    def post(self, outbox: Outbox, record: PluginRecord) -> None:
        """Store it, with its parts where no hook of the channel makes them.

        Args:
            outbox: of its channel.
            record: its channel.
        """
        self._outbox = outbox
        try:
            outbox.reserve()
        except SpoolFull as full:  # what is known already needs no room
            self._refusal = str(full)
            known = self._house.spool.receipt(self.item.id, self.item.chat)
            known.add_done_callback(self._looked_up)
            return
        try:
            render(self.item, record)
            stored = self._house.spool.enqueue(self.item, written=self._written)
        except Exception as error:  # noqa: BLE001 - the place must be given back whatever it was
            outbox.room.leave()
            self.refuse(f"the message cannot be stored: {error}")
            return
        stored.add_done_callback(self._stored)

    def _written(self, known: Receipt | None) -> None:
        """Let it be sent as soon as it lasts."""
        if known is None:
            self.item.lasts = False
            self.item.parts_stored = self.item.parts is not None
            self._outbox.add(self.item, reserved=True)
            self._is_open = True

    def _stored(self, stored: Future[Receipt | None]) -> None:
        """Answer, now that it lasts."""
        error = stored.exception()
        if self._is_open:
            if error is not None:
                self.item.error = f"it may not outlast a power cut: {error}"
            if self._outbox.wait_for(self.item.id, self.answer):
                self._bound()
                return
        else:
            self._outbox.room.leave()
        if error is not None:
            self.refuse(str(error))
            return
        self._refusal = f"the id {self.item.id!r} was used in another chat before"
        known = self._house.spool.receipt(self.item.id, self.item.chat)
        known.add_done_callback(self._looked_up)

    def _looked_up(self, found: Future[Receipt | None]) -> None:
        """Tell the receipt of a known id, once it is final; refuse one that is not known."""
        known = None if found.exception() else found.result()
        if known is None:
            self.refuse(self._refusal)
        elif self._outbox.wait_for(self.item.id, self.answer):
            self._bound()
        else:
            self.answer.set_result(known)

    def _bound(self) -> None:
        """Answer in `wait` seconds with what is true then, if that is not done before."""
        if self._wait is None:
            return
        if self._wait <= 0:
            self._time_is_up()
        else:
            timer = self._house.timers.later(self._wait, self._time_is_up)
            self.answer.add_done_callback(lambda _: timer.cancel())

    def _time_is_up(self) -> None:
        self._outbox.stop_waiting(self.item.id, self.answer)


def render(item: Item, record: PluginRecord) -> None:
    """Split what no hook of the channel renders, so that it is stored with its parts.

    Raises:
        ValueError: it cannot be split to the channel's limits.
    """
    if item.op == "send" and "session_render" not in record.hooks:
        item.parts = text.render(item.message, record.limits)
