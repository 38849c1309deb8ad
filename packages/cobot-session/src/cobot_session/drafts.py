"""A text that grows as a draft: shown by the platform for a while, and in no message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cobot_session.futures import done
from cobot_session.mailbox import result_of
from cobot_session.preview import NotHere

if TYPE_CHECKING:
    from concurrent.futures import Future

    from cobot_session.growing import Growing
    from cobot_session.messages import OutgoingMessage
    from cobot_session.plugin import Limits

_RENEW_AT = 0.8
"""Part of the time one draft shows after which it is renewed."""
_SETTLE_SECONDS = 5.0
"""What comes later is seen beside the answer until it fades; that is better than to hold it up."""


class Drafts:
    """Shows the latest part of a text that grows as a draft, and again before it fades.

    Nothing is stored and no message is made: the end is the first that is sent. An answer of which
    something was sent before, by an earlier try, is left to edits.

    Args:
        answer: what is shown. Its id names the draft.
        limits: of its channel.
    """

    name = "drafts"
    began = 0.0

    def __init__(self, answer: Growing, limits: Limits) -> None:
        self.under_way: Future[Any] = done(None)
        self.settle_seconds = min(_SETTLE_SECONDS, limits.send_seconds)
        self.fades_after: float | None = max(
            limits.edit_seconds, limits.draft_seconds * _RENEW_AT - limits.edit_seconds
        )
        self._answer = answer
        self._shown: OutgoingMessage | None = None
        self._is_new = False

    async def show(self, text: str, *, again: bool) -> bool:
        """Show the last part; false when it is shown.

        Raises:
            NotHere: there are no drafts in this chat, or a message of this answer is there.
            PermanentError: the channel refuses to show one.
        """
        parts = await self._answer.parts(text)
        if not parts:
            return False
        draft = replace(parts[-1], id=self._answer.message.id)
        if draft == self._shown and not again:
            return False
        await self._check_new()
        self.under_way = self._answer.engine.showing.draft(draft)
        if not await result_of(self.under_way):
            raise NotHere("there are no drafts in this chat")
        self._shown = draft
        return True

    async def _check_new(self) -> None:
        if not self._is_new and await self._answer.receipt(self._answer.message) is not None:
            raise NotHere("an earlier try has sent a message, which is edited")
        self._is_new = True
