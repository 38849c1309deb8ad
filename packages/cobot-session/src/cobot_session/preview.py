"""A text shown while it is being written, at the pace that its channel allows."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from cobot_session.errors import PermanentError, RateLimited
from cobot_session.lines import in_a_line
from cobot_session.mailbox import result_of
from cobot_session.retry import pause_after

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

log = logging.getLogger("cobot_session.stream")

_MOST_BACKOFF = 60.0


class NotHere(PermanentError):
    """A way does not show this answer, and nothing is wrong with it."""


class Way(Protocol):
    """One way of showing a text that grows, such as by edits.

    Attributes:
        name: what it is called in the log.
        under_way: the call that could still overtake the end of the text.
        settle_seconds: how long the end of the text waits for that call.
        began: loop time at which the last call began that the end of the text, one more of its
            kind, has to keep its distance from; 0: there is none.
        fades_after: seconds after which what is shown is to be shown again; `None`: it stays.
    """

    name: str
    under_way: Future[Any]
    settle_seconds: float
    began: float
    fades_after: float | None

    async def show(self, text: str, *, again: bool) -> bool:
        """Make one call, if what is shown is not what it should be; false: it is.

        Args:
            text: the whole so far.
            again: show also what has not changed.

        Raises:
            PermanentError: the text cannot be shown in this way.
        """


class Preview:
    """Shows a text that grows, in the first way that can: one call, then `pause` seconds of rest.

    Nothing that is shown is stored, and only the latest text is shown.

    Args:
        ways: the best first. One that refuses for good leaves the text to the next.
        pause: least seconds between two calls.
    """

    def __init__(self, ways: Sequence[Way], pause: float) -> None:
        self._ways = ways
        self._pause = pause
        self._text = ""
        self._grown = asyncio.Event()
        self._failures = 0
        self._due = 0.0
        self._rested_from = 0.0
        self.way: Way | None = None
        """The one that is being used, or was last."""

    @property
    def next_call(self) -> float:
        """Loop time before which the end of the text should not be shown; 0: at any time."""
        if self.way is None or not self.way.began:
            return 0.0
        return self._due

    def show(self, text: str) -> None:
        """Let the text so far be shown as soon as may be."""
        self._text = text
        self._grown.set()

    async def run(self) -> None:
        """Show what there is to show, until cancelled or until nothing can be shown any more."""
        for way in self._ways:
            self.way = way
            try:
                await self._show_by(way)
            except PermanentError as error:
                level = logging.DEBUG if isinstance(error, NotHere) else logging.INFO
                words = way.name, in_a_line(error)
                log.log(level, "an answer is not shown by %s while it grows: %s", *words)
                self._grown.set()

    async def settle(self) -> None:
        """Wait until no call is under way that could overtake what comes after it."""
        if self.way is None:
            return
        ended = asyncio.ensure_future(result_of(self.way.under_way))
        await asyncio.wait([ended], timeout=self.way.settle_seconds)
        if not ended.done():
            ended.cancel()
        elif not ended.cancelled() and (error := ended.exception()):
            log.info("the last that was shown of an answer was not: %s", in_a_line(error))
        if self.way.began > self._rested_from:  # it was under way until now
            self._rest(0.0)

    async def _show_by(self, way: Way) -> None:
        """Show in one way until it refuses for good."""
        while True:
            again = not await self._grows_within(way.fades_after)
            await asyncio.sleep(self._due - asyncio.get_running_loop().time())
            self._grown.clear()
            try:
                called = await way.show(self._text, again=again)
            except PermanentError:
                raise
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and it is tried again
                self._failures += not isinstance(error, RateLimited)
                log.info("a growing answer is not shown for now: %s", in_a_line(error))
                self._rest(pause_after(error, self._failures, _MOST_BACKOFF))
                self._grown.set()
            else:
                self._failures = 0
                if called:
                    self._rest(0.0)
                    self._grown.set()

    async def _grows_within(self, seconds: float | None) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._grown.wait()
        except TimeoutError:
            return False
        return True

    def _rest(self, seconds: float) -> None:
        self._due = asyncio.get_running_loop().time() + max(seconds, self._pause)
        if self.way is not None:
            self._rested_from = self.way.began
