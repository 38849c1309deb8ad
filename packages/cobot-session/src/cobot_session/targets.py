"""Which messages on the platform an item of a lane is about."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from cobot_session.errors import PermanentError
from cobot_session.text import part_id

if TYPE_CHECKING:
    from cobot_session.mailbox import Mailbox
    from cobot_session.spool import Item, Spool


class Targets:
    """Looks up what became of the messages that others name.

    Args:
        spool: where receipts are.
        mailbox: of the loop this runs on.
    """

    def __init__(self, spool: Spool, mailbox: Mailbox) -> None:
        self._spool = spool
        self._mailbox = mailbox

    async def of(self, item: Item) -> list[str]:
        """Return the platform's ids of the message that an item is about.

        Raises:
            PermanentError: it is about one that is not there.
        """
        if item.target is None:
            return []
        if item.op == "answer":
            return await self._previews(item.target, item)
        receipt = await self._mailbox.wait(self._spool.receipt(item.target, item.chat))
        if receipt is None:
            return [item.target]
        if not receipt.message_ids:
            raise PermanentError(
                f"message {item.target} is {receipt.status} and has no id on the platform,"
                f" so there is nothing to {item.op}"
            )
        return list(receipt.message_ids)

    async def _previews(self, first: str, item: Item) -> list[str]:
        """Return the platform's ids of what stands there of an answer, in order."""
        found: list[str] = []
        for number in itertools.count():
            id_ = part_id(first, number)
            receipt = await self._mailbox.wait(self._spool.receipt(id_, item.chat))
            if receipt is None:
                return list(dict.fromkeys(found))
            found += receipt.message_ids
        raise AssertionError("the numbers have come to an end")
