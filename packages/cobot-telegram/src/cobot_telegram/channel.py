"""The channel: what the session calls."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from cobot_session.errors import ChannelError
from cobot_session.plugin import Limits, Plugin, PluginMeta
from cobot_telegram.albums import Albums
from cobot_telegram.config import TelegramConfig
from cobot_telegram.entities import convert
from cobot_telegram.parse import MalformedUpdate, Me, migration, parse
from cobot_telegram.parts import MAX_CAPTION, MAX_TEXT
from cobot_telegram.render import ALBUM, render

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from pydantic import BaseModel

    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage
    from cobot_session.status import Health
    from cobot_telegram.client import Client
    from cobot_telegram.entities import Entity
    from cobot_telegram.sources import Source, Update

_POLL_SECONDS = 25
_LONG = 20_000
"""Characters whose conversion would keep the channel's loop busy for long."""
_ASIDE_SECONDS = 10.0
_EDITS_REMEMBERED = 256


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
        self._rendered: OrderedDict[str, list[Entity]] = OrderedDict()

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
        source = Pushed(client, hook) if hook else Polling(client)
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
        if batch := albums.complete(time.monotonic(), self._me):
            return batch
        due = albums.due_in(time.monotonic())
        seconds = _POLL_SECONDS if due is None else min(_POLL_SECONDS, math.ceil(due))
        updates = await source.next(seconds)
        batch = self._messages(updates, albums)
        batch += albums.complete(time.monotonic(), self._me)
        source.accepted()
        return batch

    def _messages(self, updates: list[Update], albums: Albums) -> list[IncomingMessage]:
        """Return what updates say, in the order of their numbers, without what waits in albums."""
        batch = []
        for update in sorted(updates, key=_number):
            try:
                message = parse(update, self._me)
                if (move := migration(update)) is not None:
                    self._client.moved(*move)
            except MalformedUpdate as error:
                self.context.log.warning(
                    "skipped the malformed update %s: %s", update.get("update_id"), error
                )
                continue
            if message is None or albums.take(update):
                continue
            if message.kind == "callback":
                self._presses.append(message.id)
            batch.append(message)
        return batch

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
        parts = await asyncio.to_thread(render, message) if long else render(message)
        for part in parts:
            self._rendered[part.content] = part.metadata.get("entities", [])
            self._rendered.move_to_end(part.content)
        while len(self._rendered) > _EDITS_REMEMBERED:
            self._rendered.popitem(last=False)
        return parts

    async def session_send(self, message: OutgoingMessage) -> list[int]:
        """Send one part."""
        parts = [message] if message.metadata.get("rendered") else render(message)
        ids: list[int] = []
        for part in parts:
            ids += await self._client.send(part)
        return ids

    async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
        """Replace a message's text, or its caption. A text that is there already is success."""
        entities = self._rendered.get(content)
        if entities is None:
            content, entities = convert(content)
        await self._client.edit(channel_id, msg_id, content, entities)

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


def _number(update: Update) -> int:
    number = update.get("update_id")
    return number if isinstance(number, int) else 0
