"""The channel: what the session calls."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from cobot_session.errors import ChannelError
from cobot_session.plugin import Limits, Plugin, PluginMeta
from cobot_telegram.addresses import is_private
from cobot_telegram.albums import Albums
from cobot_telegram.config import TelegramConfig
from cobot_telegram.entities import convert
from cobot_telegram.facts import Me
from cobot_telegram.parse import MalformedUpdate, migration, number_of, parse
from cobot_telegram.parts import MAX_CAPTION, MAX_TEXT
from cobot_telegram.render import ALBUM, render

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from pydantic import BaseModel

    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage
    from cobot_session.status import Health
    from cobot_telegram.client import Client
    from cobot_telegram.sources import Source

_WAIT_SECONDS = 28.0
"""A call of `session_receive` may take 30 s; a long poll is answered sooner."""
_LONG = 20_000
"""Characters whose conversion would keep the channel's loop busy for long."""
_ASIDE_SECONDS = 10.0
DRAFT_SECONDS = 30.0
"""https://core.telegram.org/bots/api#sendmessagedraft"""
_SHOWN = 200
"""Characters of what cannot be read that a log line repeats."""


class Telegram(Plugin):
    """Telegram, as one bot sees it. It has no presence: bots are always shown online."""

    meta: ClassVar[PluginMeta] = PluginMeta(
        id="telegram", version=version("cobot-telegram"), contract=1
    )
    limits: ClassVar[Limits] = Limits(
        text=MAX_TEXT,
        unit="utf16",
        caption=MAX_CAPTION,
        files=ALBUM,
        typing_seconds=5.0,
        edit_seconds=1.0,
        draft_seconds=DRAFT_SECONDS,
    )
    config_model: ClassVar[type[BaseModel] | None] = TelegramConfig
    config: TelegramConfig

    def __init__(self) -> None:
        self._me = Me()
        self._client_: Client | None = None
        self._source: Source | None = None
        self._albums: Albums | None = None
        self._presses: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life

    async def start(self) -> None:
        """Connect, say who the bot is, and begin to listen or ask."""
        from cobot_telegram.client import Client
        from cobot_telegram.sources import Polling, Pushed

        state = self.context.state
        field = f"plugins.{self.context.channel_type}.bot_token"
        self._albums = Albums(state, self.config.album_wait)
        client = self._client_ = Client(self.config, field, state)
        await asyncio.to_thread(convert, "")  # loads the converter
        self._me = await client.open()
        hook = self.config.webhook
        source = Pushed(client, hook, self.context.check_health) if hook else Polling(client)
        self._source = source
        await source.open()
        self.context.log.info("connected as @%s", self._me.username)

    async def stop(self) -> None:
        """Let go of everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if self._source is not None:
                await self._source.close()
        finally:
            if self._client_ is not None:
                await self._client_.close()

    # -- receiving

    async def session_receive(self) -> list[IncomingMessage]:
        """Return what is new; the next call confirms it to Telegram."""
        source, albums = self._opened()
        self._answer_presses()
        albums.wake(time.monotonic())
        batch = albums.complete(time.monotonic(), self._read)
        if not batch:
            due = albums.due_in(time.monotonic())
            updates = await source.next(_WAIT_SECONDS if due is None else min(_WAIT_SECONDS, due))
            batch = self._messages(updates, albums)
            batch += albums.complete(time.monotonic(), self._read)
            source.accepted()
        self._presses = [message.id for message in batch if message.kind == "callback"]
        return [self._as_known(message) for message in batch]

    def _messages(self, updates: list[Any], albums: Albums) -> list[IncomingMessage]:
        """Return what updates say, in the order of their numbers, without what waits in albums."""
        batch = []
        for update in sorted(updates, key=lambda one: number_of(one) or 0):
            message = self._read(update)
            if message is not None and not albums.take(update):
                batch.append(message)
        return batch

    def _read(self, update: Any) -> IncomingMessage | None:
        """Return what an update says; what cannot be read is logged with its number."""
        try:
            message = parse(update, self._me)
            if (move := migration(update)) is not None:
                self._follow(*move)
        except MalformedUpdate as error:
            number = update.get("update_id") if isinstance(update, dict) else update
            self.context.log.warning(
                "skipped the malformed update %s: %s", str(number)[:_SHOWN], str(error)[:_SHOWN]
            )
            return None
        return message

    def _follow(self, old: str, new: str) -> None:
        self._client.moved(old, new)
        self.context.log.warning(
            "the group %s has become the supergroup %s: write that id where the old one stands, "
            "in `groups`, `access` and `default_chat`",
            old,
            new,
        )

    def _as_known(self, message: IncomingMessage) -> IncomingMessage:
        """Let a group that has moved keep the space that it is configured by."""
        if message.space_id is not None:
            message.space_id = self._client.earlier(message.space_id)
        return message

    def _answer_presses(self) -> None:
        """Stop the hourglass on buttons whose presses are stored."""
        presses, self._presses = self._presses, []
        for press in presses:
            self._aside(self._client.answer_press(press))

    def _aside(self, call: Coroutine[Any, Any, None]) -> None:
        async def bounded() -> None:
            with suppress(ChannelError, TimeoutError):
                async with asyncio.timeout(_ASIDE_SECONDS):
                    await call

        task = asyncio.create_task(bounded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def session_fetch(self, media: Media) -> bytes:
        """Download an attachment, up to `max_download` bytes."""
        return await self._client.download(media)

    async def session_health(self) -> Health:
        """Tell whether updates arrive: nothing but the receive path counts."""
        return await self._opened()[0].health()

    # -- sending

    async def session_render(self, message: OutgoingMessage) -> list[OutgoingMessage]:
        """Return the parts of a message: text with entities, cut to size, and albums."""
        long = len(message.content) > _LONG
        return await asyncio.to_thread(render, message) if long else render(message)

    async def session_send(self, message: OutgoingMessage) -> list[int]:
        """Send one part."""
        parts = [message] if message.metadata.get("rendered") else render(message)
        ids: list[int] = []
        for part in parts:
            ids += await self._client.send(part)
        return ids

    async def session_edit(
        self, channel_id: str, msg_id: str, content: str, message: OutgoingMessage | None
    ) -> None:
        """Replace a message's text, or its caption. A text that is there already is success."""
        if message is not None and message.metadata.get("rendered"):
            entities = message.metadata.get("entities", [])
        else:
            content, entities = convert(content)
        await self._client.edit(channel_id, msg_id, content, entities)

    async def session_draft(self, message: OutgoingMessage) -> bool:
        """Show a draft where `streaming` asks for it; only private chats have them."""
        if self.config.streaming != "draft" or not is_private(message.channel_id):
            return False
        await self._client.draft(message)
        return True

    async def session_delete(self, channel_id: str, msg_id: str) -> None:
        """Delete a message; Telegram allows it for 48 hours."""
        await self._client.delete(channel_id, msg_id)

    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> None:
        """React with one of Telegram's fixed emoji; an empty one takes the reaction back."""
        await self._client.react(channel_id, msg_id, emoji)

    async def session_typing(self, channel_id: str) -> None:
        """Show that an answer is being written."""
        await self._client.typing(channel_id)

    def session_default_chat(self) -> str | None:
        """Return the first of the configured groups."""
        return self.config.groups[0].id if self.config.groups else None

    # -- parts of itself

    @property
    def _client(self) -> Client:
        if self._client_ is None:
            raise RuntimeError("the channel has not been started")
        return self._client_

    def _opened(self) -> tuple[Source, Albums]:
        if self._source is None or self._albums is None:
            raise RuntimeError("the channel has not been started")
        return self._source, self._albums
