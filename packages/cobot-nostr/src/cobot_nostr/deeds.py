"""Reacting, taking back and deleting: small events about other events (NIP-25, NIP-09)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cobot_nostr.event import Rumor, make_rumor
from cobot_nostr.render import Letter
from cobot_session.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from cobot_nostr.chats import Chat
    from cobot_nostr.crypto import Key
    from cobot_nostr.ledger import Ledger
    from cobot_nostr.outbox import Outbox
    from cobot_nostr.pool import Pool
    from cobot_nostr.render import Renderer
    from cobot_session.messages import Sent

DELETION, REACTION = 5, 7
_KINDS = {"private": 14, "nip04": 4, "notes": 1, "channel": 42, "group": 9}
_STATE = "reactions"
_KEPT = 300
_PATIENCE = 3.0


class Deeds:
    """What is done about messages, each deed one event that is the same at every retry."""

    def __init__(
        self,
        key: Key,
        renderer: Renderer,
        outbox: Outbox,
        pool: Pool,
        ledger: Ledger,
        state: MutableMapping[str, Any],
    ) -> None:
        self._key = key
        self._renderer = renderer
        self._outbox = outbox
        self._pool = pool
        self._ledger = ledger
        self._state = state

    async def react(self, chat: Chat, target: str, emoji: str) -> Sent:
        """React to a message, instead of what we reacted before."""
        kept: dict[str, Any] = self._state.get(_STATE, {})
        mine = kept.get(target)
        if mine is not None and mine["emoji"] != emoji:
            await self._delete(chat, mine["id"], REACTION)
            mine = None
        rumor = self._reaction(chat, target, emoji, mine["at"] if mine else int(time.time()))
        kept.pop(target, None)
        kept[target] = {"emoji": emoji, "id": rumor.id, "at": rumor.created_at}
        self._state[_STATE] = dict(list(kept.items())[-_KEPT:])
        return await self._publish(chat, rumor)

    async def take_back(self, chat: Chat, target: str) -> Sent | None:
        """Ask for the deletion of our reaction; `None`: there is none, which is as good."""
        kept: dict[str, Any] = self._state.get(_STATE, {})
        mine = kept.get(target)
        found = [mine["id"]] if mine is not None else await self._published(chat, target)
        sent = None
        for reaction in found:
            sent = await self._delete(chat, reaction, REACTION)
        if mine is not None:
            del kept[target]
            self._state[_STATE] = kept
        return sent

    async def _published(self, chat: Chat, target: str) -> list[str]:
        """Return our reactions to a public message that the relays know of."""
        if chat.is_private:
            return []
        filters = [{"kinds": [REACTION], "authors": [self._key.public], "#e": [target]}]
        return [event.id for event in await self._pool.fetch(filters, _PATIENCE)]

    async def delete(self, chat: Chat, target: str) -> Sent:
        """Ask for the deletion of a message of ours.

        Raises:
            PermanentError: it is somebody else's.
        """
        known = self._ledger.known(target)
        if known is not None and known["author"] != self._key.public:
            raise PermanentError("on Nostr only its author can ask for a message's deletion")
        return await self._delete(chat, target, _KINDS[chat.place])

    async def _delete(self, chat: Chat, target: str, kind: int) -> Sent:
        tags = [["e", target], ["k", str(kind)], *self._place(chat)]
        rumor = make_rumor(self._key.public, int(time.time()), DELETION, tags, "")
        return await self._publish(chat, rumor)

    def _reaction(self, chat: Chat, target: str, emoji: str, at: int) -> Rumor:
        known = self._ledger.known(target)
        author = known["author"] if known is not None else "".join(chat.people[:1])
        kind = known["kind"] if known is not None else _KINDS[chat.place]
        tags = [["e", target], *([["p", author]] if author else []), ["k", str(kind)]]
        return make_rumor(self._key.public, at, REACTION, [*tags, *self._place(chat)], emoji)

    def _place(self, chat: Chat) -> list[list[str]]:
        return [["h", chat.id]] if chat.place == "group" else []

    async def _publish(self, chat: Chat, rumor: Rumor) -> Sent:
        if chat.place == "private":
            letters = self._renderer.sealed(rumor, chat)
        else:
            letters = [Letter(self._renderer.public(rumor), None)]
        return await self._outbox.deliver(rumor.id, letters)
