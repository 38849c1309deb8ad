"""A text that grows by edits: its parts are sent when there is something in them, then edited."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cobot_session.errors import PermanentError
from cobot_session.futures import done
from cobot_session.mailbox import result_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from cobot_session.growing import Growing
    from cobot_session.messages import OutgoingMessage
    from cobot_session.plugin import Limits


@dataclass(slots=True)
class _Shown:
    """One part that people see: which message, and what it says; `None`: nobody knows."""

    msg_id: str
    part: OutgoingMessage | None


class Edits:
    """Opens the parts of a text that grows, and edits them.

    A part is opened by a stored send, so that who shows the same answer again goes on in the same
    messages; an edit is stored nowhere.

    Args:
        answer: what is shown.
        limits: of its channel.
    """

    name = "edits"
    fades_after: float | None = None

    def __init__(self, answer: Growing, limits: Limits) -> None:
        self.under_way: Future[Any] = done(None)
        self.settle_seconds = limits.send_seconds
        self.began = 0.0
        self.has_opened = False
        """A message of this answer may be there."""
        self._answer = answer
        self._shown: list[_Shown] = []

    async def show(self, text: str, *, again: bool) -> bool:
        """Open or edit the first part that is not as it should be; false when all are.

        Raises:
            PermanentError: it cannot be opened, or not be edited.
        """
        for number, part in enumerate(await self._answer.parts(text)):
            if number == len(self._shown):
                await self._open(part)
                return True
            if self._shown[number].part != part:
                await self._edit(self._shown[number], part)
                return True
        return False

    async def _open(self, part: OutgoingMessage) -> None:
        earlier = await self._answer.receipt(part)
        self.has_opened = True
        receipt = await result_of(self._answer.engine.dispatch.preview(part))
        if not receipt.message_ids:
            raise PermanentError(receipt.error or "what was sent has no id to edit it by")
        if earlier is None:
            self._shown.append(_Shown(receipt.message_ids[-1], part))
        else:  # of an earlier try; all of its parts, where it was sent whole
            self._shown += [_Shown(id_, None) for id_ in receipt.message_ids]

    async def _edit(self, shown: _Shown, part: OutgoingMessage) -> None:
        self.began = asyncio.get_running_loop().time()
        self.under_way = self._answer.engine.showing.preview(shown.msg_id, part)
        await result_of(self.under_way)
        shown.part = part
