"""A text shown while it is being written, at the pace that its channel allows."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cobot_session.errors import PermanentError, RateLimited
from cobot_session.futures import done
from cobot_session.mailbox import result_of
from cobot_session.markdown import closed
from cobot_session.retry import pause_after

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from cobot_session.engine import Engine
    from cobot_session.messages import OutgoingMessage
    from cobot_session.plugin import Limits

log = logging.getLogger("cobot_session.stream")

_MOST_BACKOFF = 60.0


@dataclass(slots=True)
class _Shown:
    """One part that people see: which message, and what it says; `None`: nobody knows."""

    msg_id: str
    part: OutgoingMessage | None


class Preview:
    """Opens the parts of a text that grows, and edits them: one call, then `edit_seconds` of rest.

    A part is opened by a stored send, so that who shows the same answer again goes on in the same
    messages; an edit is stored nowhere, and only the latest text is shown.

    Args:
        engine: where it is shown.
        message: the answer, its `content` left aside. Its id, that of the first part, is the same
            whenever this answer is shown.
        limits: of its channel.
    """

    def __init__(self, engine: Engine, message: OutgoingMessage, limits: Limits) -> None:
        self._engine = engine
        self._message = message
        self._limits = limits
        self._text = ""
        self._grown = asyncio.Event()
        self._shown: list[_Shown] = []
        self._editing: Future[Any] = done(None)
        self._failures = 0
        self._due = 0.0
        self._is_open = True
        """Something can still be shown."""
        self.next_edit = 0.0
        """Loop time before which no message should be edited again; 0: none has been."""

    def show(self, text: str) -> None:
        """Let the text so far be shown as soon as may be."""
        self._text = text
        self._grown.set()

    async def run(self) -> None:
        """Show what there is to show, until cancelled or until nothing can be shown any more."""
        while self._is_open:
            await self._grown.wait()
            await asyncio.sleep(self._due - asyncio.get_running_loop().time())
            self._grown.clear()
            try:
                called = await self._call()
            except PermanentError as error:
                log.info("an answer is not shown while it grows: %s", error)
                return
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and it is tried again
                self._failures += not isinstance(error, RateLimited)
                log.info("a growing answer is not shown for now: %s", error)
                self._rest(pause_after(error, self._failures, _MOST_BACKOFF))
                self._grown.set()
            else:
                self._failures = 0
                if called:
                    self._rest(0.0)
                    self._grown.set()

    async def settle(self) -> None:
        """Wait until no edit is under way that could overtake what comes after it."""
        ended = asyncio.ensure_future(result_of(self._editing))
        await asyncio.wait([ended], timeout=self._limits.send_seconds)
        if not ended.done():
            ended.cancel()
        elif not ended.cancelled() and (error := ended.exception()):
            log.info("the last that was shown of an answer was not: %s", error)

    def _rest(self, seconds: float) -> None:
        pause = max(seconds, self._limits.edit_seconds)
        self._due = asyncio.get_running_loop().time() + pause
        if self.next_edit:
            self.next_edit = self._due

    async def _call(self) -> bool:
        """Open or edit the first part that is not as it should be; false when all are."""
        for number, part in enumerate(await self._parts()):
            if number == len(self._shown):
                await self._open(part)
                return True
            if self._shown[number].part != part:
                await self._edit(self._shown[number], part)
                return True
        return False

    async def _parts(self) -> Sequence[OutgoingMessage]:
        is_plain = self._message.metadata.get("format") == "text"
        content = self._text if is_plain else closed(self._text)
        if not content.strip():
            return ()
        return await result_of(self._engine.rendered(self._message, content))

    async def _open(self, part: OutgoingMessage) -> None:
        chat = self._message.channel_type, self._message.channel_id
        earlier = await result_of(self._engine.house.spool.receipt(part.id, chat))
        receipt = await result_of(self._engine.dispatch.preview(part))
        if receipt.message_ids:
            shown = part if earlier is None else None
            self._shown.append(_Shown(receipt.message_ids[-1], shown))
        else:
            self._is_open = False

    async def _edit(self, shown: _Shown, part: OutgoingMessage) -> None:
        self.next_edit = asyncio.get_running_loop().time() + self._limits.edit_seconds
        self._editing = self._engine.preview(shown.msg_id, part)
        await result_of(self._editing)
        shown.part = part
