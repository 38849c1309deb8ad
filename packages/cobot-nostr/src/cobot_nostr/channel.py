"""The Nostr channel: the session's hooks, each a few lines over the rooms beside this one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from cobot_nostr.config import NostrConfig
from cobot_session.errors import PermanentError, TemporaryError
from cobot_session.plugin import Limits, Plugin, PluginMeta

if TYPE_CHECKING:
    from cobot_nostr.chats import Chat
    from cobot_nostr.identity import Identity
    from cobot_nostr.tuning import Tuning
    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Sent
    from cobot_session.status import Health

VERSION = "0.1.0"
_WAIT_SECONDS = 20.0
_BATCH = 2000


class Nostr(Plugin):
    """Talks to people over Nostr relays.

    Attributes:
        tuning: times and bounds of the relay connections; tests shorten them.
    """

    meta = PluginMeta(id="nostr", version=VERSION, dependencies=("session",), contract=1)
    limits = Limits(text=20_000, unit="byte", files=0, idempotent=True, send_seconds=60.0)
    config_model = NostrConfig
    needs_block = True
    config: NostrConfig
    tuning: ClassVar[Tuning | None] = None

    def __init__(self) -> None:
        self._identity: Identity | None = None

    async def start(self) -> None:
        """Read the key, and begin to connect to the relays."""
        from cobot_nostr.identity import Identity  # everything heavy is behind this line

        self._identity = await Identity.open(self.config, self.context, self.tuning)

    async def stop(self) -> None:
        """Leave the relays."""
        identity, self._identity = self._identity, None
        if identity is not None:
            await identity.close()

    @property
    def _us(self) -> Identity:
        if self._identity is None:
            raise TemporaryError("the channel is not connected")
        return self._identity

    async def session_receive(self) -> list[IncomingMessage]:
        """Return what the relays have, in the order it was written."""
        return await self._us.receive(_WAIT_SECONDS, _BATCH)

    def session_render(self, message: OutgoingMessage) -> list[OutgoingMessage]:
        """Make and sign the events of a message (it computes, so it is not `async`)."""
        us = self._us
        us.keep_secret("content", message.content)
        us.keep_secret("reply_to", message.reply_to or "")
        us.keep_secret("subject", str(message.metadata.get("subject", "")))
        return us.renderer.render(message, self._chat(message.channel_id))

    async def session_send(self, message: OutgoingMessage) -> Sent:
        """Publish the events of one part; the detail tells each relay's answer."""
        from cobot_nostr.render import letters

        try:
            message_id, found = letters(message)
        except (ValueError, KeyError):
            (part, *_) = await asyncio.to_thread(self.session_render, message)
            message_id, found = letters(part)
        return await self._us.outbox.deliver(message_id, found)

    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> Sent | None:
        """React to a message (NIP-25); an empty emoji takes the reaction back."""
        chat, target = self._chat(channel_id), self._event(msg_id)
        self._us.keep_secret("emoji", emoji)
        if not emoji:
            return await self._us.deeds.take_back(chat, target)
        return await self._us.deeds.react(chat, target, emoji)

    async def session_delete(self, channel_id: str, msg_id: str) -> Sent:
        """Ask for the deletion of a message of ours (NIP-09): clients and relays may comply."""
        return await self._us.deeds.delete(self._chat(channel_id), self._event(msg_id))

    async def session_presence(self, status: str) -> None:
        """Publish a status (NIP-38)."""
        await self._us.publish_status(status)

    async def session_fetch(self, media: Media) -> bytes:
        """Download an attachment and decrypt it."""
        return await self._us.fetch(media)

    async def session_health(self) -> Health:
        """Tell how many relays are being read, and what is wrong with the others."""
        return self._us.health()

    def _chat(self, channel_id: str) -> Chat:
        from cobot_nostr import chats
        from cobot_nostr.nip19 import IdentifierError, is_nip05

        self._us.keep_secret("channel_id", channel_id)
        if is_nip05(channel_id):
            channel_id = self._us.resolved(channel_id)
        try:
            return chats.parse(channel_id)
        except IdentifierError as error:
            raise PermanentError(f"`channel_id`: {error}") from None

    def _event(self, msg_id: str) -> str:
        from cobot_nostr import nip19

        self._us.keep_secret("msg_id", msg_id)
        try:
            return nip19.event(msg_id)
        except nip19.IdentifierError as error:
            raise PermanentError(f"`msg_id`: {error}") from None
