"""An answer, rendered as far as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobot_session.mailbox import result_of
from cobot_session.markdown import closed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobot_session.engine import Engine
    from cobot_session.messages import OutgoingMessage, Receipt


class Growing:
    """An answer that is not whole yet.

    Args:
        engine: where it is shown.
        message: the answer, its `content` left aside. Its id, that of the first part, is the same
            whenever this answer is shown.
    """

    def __init__(self, engine: Engine, message: OutgoingMessage) -> None:
        self.engine = engine
        self.message = message

    async def parts(self, text: str) -> Sequence[OutgoingMessage]:
        """Return the parts that can be shown of the text so far, its code blocks whole."""
        is_plain = self.message.metadata.get("format") == "text"
        content = text if is_plain else closed(text)
        if not content.strip():
            return ()
        return await result_of(self.engine.showing.rendered(self.message, content))

    async def receipt(self, part: OutgoingMessage) -> Receipt | None:
        """Return what became of a part that was stored before, `None`: none was."""
        chat = self.message.channel_type, self.message.channel_id
        return await result_of(self.engine.house.spool.receipt(part.id, chat))
