"""The one way in: everything that comes passes here before it is stored or told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_session.gate.drops import Drops
    from cobot_session.gate.flood import Flood
    from cobot_session.gate.reach import Reach
    from cobot_session.gate.rules import Rules
    from cobot_session.messages import IncomingMessage
    from cobot_session.pairing import Desk
    from cobot_session.spool.access import Book

STRANGER = "stranger"
FLOOD = "flood"


class Gate:
    """Denies by default; matches stable ids only, never names.

    Args:
        allowed: what opens it.
        desk: who is paired; gives codes to strangers, where that is wanted.
        flood: how fast people may write; `None`: as they like.
        drops: told of who is refused.
        reach: where the agent may write.
    """

    def __init__(
        self, allowed: Rules, *, desk: Desk, flood: Flood | None, drops: Drops, reach: Reach
    ) -> None:
        self.desk = desk
        self.drops = drops
        self.reach = reach
        self._allowed = allowed
        self._flood = flood

    def take_up(self, book: Book) -> None:
        """Let in, and no longer let in, whom the command line says."""
        new, gone = self.desk.take_up(book)
        for one in gone:
            self.reach.forget(one.chat)
            self.reach.forget(one.user)
        self.reach.hear(one.chat or one.user for one in new)

    def refusal(self, message: IncomingMessage) -> str | None:
        """Return why a message may not pass; `None`: it may."""
        known = self._allowed.admit(message) or self.desk.has_paired(message.sender_id)
        if self._flood is not None and self._flood.too_fast(message, admitted=known):
            reason = FLOOD
        elif known:
            return None
        else:
            reason = STRANGER
            self.desk.offer(message)
        self.drops.note(reason, message)
        return reason
