"""The Discord channel: what the session calls, and who does it."""

from __future__ import annotations

import asyncio
import warnings
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from cobot_discord import payload
from cobot_discord.authors import Authors
from cobot_discord.clock import Clock
from cobot_discord.config import DiscordSettings
from cobot_discord.gaps import Gaps
from cobot_discord.inflow import Item
from cobot_discord.parse import Parser
from cobot_discord.places import MALFORMED, Places, snowflake
from cobot_discord.unsettled import Unsettled
from cobot_discord.waiting import Waiting
from cobot_session.errors import OutcomeUnknown, TemporaryError
from cobot_session.plugin import Limits, Plugin, PluginMeta
from cobot_session.status import Health

if TYPE_CHECKING:
    from types import ModuleType

    from cobot_discord.api import Api
    from cobot_discord.client import Gateway
    from cobot_discord.gaps import Event
    from cobot_discord.places import Payload
    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage

READY_SECONDS = 45.0
WAIT_SECONDS = 25.0
STOP_SECONDS = 4.0
BATCH = 200


class Discord(Plugin):
    """Guild channels, threads, forum posts, voice chats and direct messages of one bot."""

    meta = PluginMeta(id="discord", version=version("cobot-discord"), contract=1)
    limits = Limits(
        text=2000,
        unit="utf16",
        files=10,
        idempotent=True,
        typing_seconds=10.0,
        edit_seconds=1.0,
        send_seconds=110.0,
    )
    config_model: ClassVar[type[DiscordSettings]] = DiscordSettings
    needs_block = True
    config: DiscordSettings

    _gateway: Gateway | None = None
    _api: Api | None = None
    _life: asyncio.Task[None] | None = None

    # Life

    async def start(self) -> None:
        """Log in and connect.

        Raises:
            AuthError: Discord refuses the token or an intent; the text says what to do.
            TemporaryError: Discord cannot be reached.
        """
        self._warn()
        client, api = await asyncio.to_thread(_library)
        self._places = Places()
        self._authors = Authors(self._places)
        self._clock = Clock()
        self._unsettled = Unsettled(self._clock, self.context.state)
        self._parser = Parser(self._places, self.config)
        self._gaps = Gaps(
            self.context.state,
            self._places,
            self.config,
            self._deliver,
            self._clock,
            self.context.log,
        )
        self._gateway = client.Gateway(
            self.config, self._take, self.context.check_health, self._clock
        )
        self._api = api.Api(self._gateway.rest)
        self._life = asyncio.create_task(self._live(self._gateway, self._api), name="discord")
        self._waiting = Waiting(self._gateway, self._life, self._gaps.inflow)
        await self._waiting.until_online(READY_SECONDS)

    async def stop(self) -> None:
        """Leave Discord; what came and was not received is read again next time."""
        if self._life is None or self._gateway is None:
            return
        self._gateway.leaving = True
        self._life.cancel()
        _, late = await asyncio.wait([self._life], timeout=STOP_SECONDS)
        if late:
            self.context.log.warning("the connection did not close within %g s", STOP_SECONDS)

    async def _live(self, gateway: Gateway, api: Api) -> None:
        """Stay connected and fill gaps, until one of them cannot go on."""
        tasks = [
            asyncio.create_task(gateway.start(self.config.bot_token.get_secret_value())),
            asyncio.create_task(self._gaps.run(api)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await gateway.close()

    def _warn(self) -> None:
        asked = self.config.asked()
        if self.config.respond == "all" and "message_content" not in asked:
            self.context.log.warning(
                "`intents` leaves out message_content: in guilds only messages that mention the bot"
                " arrive. Add it, or say `respond: mentioned`"
            )

    # In

    async def session_receive(self) -> list[IncomingMessage]:
        """Return what came; the marks of it are stored with it.

        Raises:
            AuthError: Discord refuses us.
            TemporaryError: the connection has ended.
        """
        await self._waiting.until_news(WAIT_SECONDS)
        batch = self._gaps.inflow.drain(BATCH)
        self._gaps.drained()
        return batch

    def _take(self, event: Event) -> None:
        """Take a gateway event in, in the order of their coming."""
        name, data, stamp = event
        self._places.learn(name, data)
        if name == "MESSAGE_DELETE_BULK":
            for gone in data["ids"]:
                self._gaps.take(("MESSAGE_DELETE", {**data, "id": gone}, stamp))
        elif name.startswith("MESSAGE_"):
            self._gaps.take(event)
        elif name == "READY":
            self._gaps.begin()
        elif name in {"GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE"} or self._is_about_us(name, data):
            self._gaps.permitted(snowflake(data["guild_id"]))
        elif name in {"GUILD_CREATE", "CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE"}:
            self._look(name, snowflake(data["id"]), data)

    def _is_about_us(self, name: str, data: Payload) -> bool:
        """Tell of a change of the bot's own roles, which comes with no intent for members, too."""
        return name == "GUILD_MEMBER_UPDATE" and str(data["user"]["id"]) == self._places.me

    def _look(self, name: str, place_id: str, data: Payload) -> None:
        """Look after what is told of a guild, a channel or a thread."""
        match name:
            case "GUILD_CREATE" if not data.get("unavailable"):
                self._gaps.guild(place_id)
            case "CHANNEL_CREATE":
                self._gaps.created(place_id)
            case "THREAD_CREATE" if data.get("newly_created"):
                self._gaps.created(place_id)
            case "CHANNEL_UPDATE":
                self._gaps.changed(place_id)

    def _deliver(self, name: str, data: Payload, stamp: str) -> None:
        """Queue an event that nothing is missing before; one that cannot be read is left out."""
        try:
            message = self._parsed(name, data, stamp)
            mark = int(snowflake(data["id"])) if name == "MESSAGE_CREATE" else 0
            if mark:
                self._authors.note(data, message)
            if message is not None or mark:
                self._gaps.inflow.offer(Item(self._parser.place(data), mark, message))
        except MALFORMED as error:
            self.context.log.warning(
                "left out a %s that cannot be read: %s", name, type(error).__name__
            )

    def _parsed(self, name: str, data: Payload, stamp: str) -> IncomingMessage | None:
        match name:
            case "MESSAGE_CREATE":
                return self._parser.message(data)
            case "MESSAGE_UPDATE":
                return self._parser.edit(data)
            case "MESSAGE_DELETE":
                return self._parser.deletion(data, self._authors.of(data))
        return self._parser.reaction(data, stamp, added=name == "MESSAGE_REACTION_ADD")

    async def session_health(self) -> Health:
        """Tell whether the gateway answers our heartbeats."""
        gateway = self._gateway
        if gateway is None:
            return Health(ok=False, detail="not started")
        latency = gateway.latency if gateway.latency != float("inf") else None
        if gateway.is_alive and self._life is not None and not self._life.done():
            return Health(ok=True, detail="connected", latency=latency)
        detail = gateway.trouble or "the gateway does not answer heartbeats"
        return Health(ok=False, detail=detail, latency=latency)

    # Out

    def session_render(self, message: OutgoingMessage) -> list[OutgoingMessage]:
        """Return the text in Discord's dialect, in parts of at most 2000 UTF-16 units."""
        from cobot_discord import render  # what it needs loads with the first message

        return render.parts(message, self.limits)

    async def session_send(self, message: OutgoingMessage) -> str:
        """Send one part; the same `message.id` again within minutes sends nothing new."""
        body = payload.body(message)
        uploads = [await payload.upload(media) for media in message.media]
        began = self._clock.moment()
        if self._unsettled.is_doubtful(message.id):
            history = await self._there.latest(message.channel_id)
            if there := self._unsettled.find(message, history, self._places.me):
                self._unsettled.settle(message.id)
                return there
        try:
            made = await self._there.send(message.channel_id, body, uploads)
        except OutcomeUnknown:
            self._unsettled.note(message.id, began)
            raise
        self._unsettled.settle(message.id)
        return made

    async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
        """Replace the text of one of the bot's messages; it pings nobody."""
        body = {"content": content, "allowed_mentions": payload.NOBODY}
        await self._there.edit(channel_id, msg_id, body)

    async def session_delete(self, channel_id: str, msg_id: str) -> None:
        """Delete a message."""
        await self._there.delete(channel_id, msg_id)

    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> None:
        """Add a reaction (`👍`, or `name:id` of a custom emoji); empty: take all of ours back."""
        if emoji:
            await self._there.react(channel_id, msg_id, emoji)
        else:
            await self._there.unreact(channel_id, msg_id)

    async def session_typing(self, channel_id: str) -> None:
        """Show the bot typing, for ten seconds."""
        await self._there.typing(channel_id)

    async def session_presence(self, status: str) -> None:
        """Show online, away (idle), busy (do not disturb) or offline (invisible)."""
        if self._gateway is not None:
            await self._gateway.show(status)

    async def session_fetch(self, media: Media) -> bytes:
        """Download an attachment; a link that has ended is replaced by a fresh one."""
        return await self._there.fetch(media, urlsplit(self.config.api_url).hostname or "")

    def session_default_chat(self) -> str | None:
        """Return the first channel that the settings name."""
        named = [channel for guild in self.config.guilds for channel in guild.channels]
        return named[0] if named else None

    @property
    def _there(self) -> Api:
        if self._api is None:
            raise TemporaryError("not started")
        return self._api


def _library() -> tuple[ModuleType, ModuleType]:
    """Import what needs discord.py, which takes a while: at the start, and not before."""
    with warnings.catch_warnings():
        # its voice support, which is not used, warns on some versions of Python
        warnings.simplefilter("ignore", DeprecationWarning)
        return import_module("cobot_discord.client"), import_module("cobot_discord.api")
