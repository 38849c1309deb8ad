"""The gateway connection: discord.py's protocol, kept up by us.

`Client.connect` of discord.py dies of a malformed event, of a first connection that fails and of
some that are cut; this one tells its owner what happened and goes on. Events are handed over raw,
in order, as they come.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
import zlib
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import yarl
from discord.errors import ConnectionClosed
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from cobot_discord.config import PRIVILEGED
from cobot_discord.heartbeat import LATE, Heartbeat
from cobot_discord.inflate import Inflater, TooLarge
from cobot_discord.places import MALFORMED
from cobot_discord.rest import Rest
from cobot_discord.wellformed import wellformed
from cobot_session.errors import AuthError, ChannelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord.state import ConnectionState

    from cobot_discord.clock import Clock
    from cobot_discord.config import DiscordSettings
    from cobot_discord.gaps import Event
    from cobot_discord.places import Payload

log = logging.getLogger(__name__)

READY_SECONDS = 60.0
LOST_SECONDS = 0.5
"""A connection that is resumed so soon was not lost: Discord orders that now and then."""
MOST_PAUSE = 60.0
GOODBYE = 1000
"""The close code that ends the session: the bot is shown as offline at once."""
RESUME_TRIES = 3
EVENTS = (
    *("READY", "RESUMED", "GUILD_CREATE", "GUILD_DELETE", "GUILD_MEMBER_UPDATE"),
    *("GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE"),
    *("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"),
    *("THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "THREAD_LIST_SYNC"),
    *("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK"),
    *("MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"),
)
_STATUS = {
    "away": discord.Status.idle,
    "busy": discord.Status.dnd,
    "offline": discord.Status.invisible,
}
_FATAL = {
    4004: "Discord refuses the bot token (4004): check `bot_token`",
    4010: "Discord refuses the shard (4010)",
    4011: "the bot is in too many guilds for one connection (4011)",
    4012: "Discord refuses this version of the gateway (4012)",
    4013: "Discord knows no such intents (4013): check `intents`",
}


class Socket(DiscordWebSocket):
    """One connection. A frame that cannot be read is left out; its heart is ours."""

    heart: Heartbeat | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._inflater = Inflater()

    async def received_message(self, msg: Any, /) -> None:
        """Take a frame in."""
        text = self._decompressed(msg) if isinstance(msg, bytes) else msg
        if text is None:
            return
        try:
            if self.heart is None and (heart := self._heart_of(text)):
                self.heart = self._keep_alive = heart  # type: ignore[assignment]  # it fits its use
                await heart.begin()
                return
            await super().received_message(text)
        except MALFORMED as error:
            log.warning("left out a gateway frame that cannot be read: %s", type(error).__name__)

    async def end(self, code: int) -> None:
        """Leave nothing behind: neither the heart nor the socket."""
        if self.heart is not None:
            self.heart.stop()
        if self.open:
            await self.close(code)

    def _decompressed(self, frame: bytes) -> str | None:
        try:
            return self._inflater.text(frame)
        except (zlib.error, UnicodeDecodeError):
            raise ReconnectWebSocket(self.shard_id) from None  # the stream cannot be read on
        except TooLarge:
            log.warning("the gateway sent more at once than is read; a new session begins")
            raise ReconnectWebSocket(self.shard_id, resume=False) from None  # it would come again

    def _heart_of(self, text: str) -> Heartbeat | None:
        """Return the heart that a greeting asks for; `None`: it is another frame."""
        frame = json.loads(text)
        if frame.get("op") != self.HELLO:
            return None
        interval = float(frame["d"]["heartbeat_interval"]) / 1000
        return Heartbeat(
            interval,
            lambda: {"op": self.HEARTBEAT, "d": self.sequence},
            self.send_heartbeat,
            lambda: self.close(LATE),
        )


class Gateway(discord.Client):
    """A client that stays connected until it is closed or Discord refuses it.

    Args:
        settings: of the channel.
        on_event: gets each event of `EVENTS`: name, payload, and what tells it from others.
        on_turn: told when the connection is there again, and when it has been gone for a moment.
        clock: hears Discord's time.
    """

    def __init__(
        self,
        settings: DiscordSettings,
        on_event: Callable[[Event], None],
        on_turn: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._on_turn = on_turn
        self._gone: asyncio.TimerHandle | None = None
        self._on_event = on_event
        self._patience: asyncio.Timeout | None = None
        self._identified: float | None = None
        self._address = yarl.URL(settings.gateway_url)
        self._socket: Socket | None = None
        self._was_up = False
        self.trouble = "not connected yet"
        self.leaving = False
        self.online = asyncio.Event()
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # there is no voice
        self._shown = discord.CustomActivity(settings.activity) if settings.activity else None
        super().__init__(
            intents=discord.Intents(**dict.fromkeys(settings.asked(), True)),
            allowed_mentions=discord.AllowedMentions.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            activity=self._shown,
        )

    def _get_state(self, **options: Any) -> ConnectionState[Any]:
        """Use our HTTP client, and hand every event to our owner instead of the library's cache."""
        settings = self.settings
        self.rest = self.http = Rest(
            self.loop, settings.api_url, settings.max_download, self._clock
        )
        state = super()._get_state(**options)
        state.parsers = {name: self._parser(name) for name in EVENTS}
        # the library would tell its voice clients, of which there are none; a method is replaced
        state._update_references = self._take_socket  # type: ignore[assignment,method-assign]
        return state

    def _take_socket(self, socket: Socket) -> None:
        """Know a connection from its first moment: what fails half-way is closed, too."""
        self._socket = socket

    def _parser(self, name: str) -> Callable[[Any], None]:
        def parse(data: Payload) -> None:
            if name in {"READY", "RESUMED"}:
                self._up()
            socket = self._socket
            stamp = f"{socket.session_id}:{socket.sequence}" if socket else ""
            self._on_event((name, wellformed(data), stamp))

        return parse

    @property
    def latency(self) -> float:
        """Seconds of the last heartbeat's round trip; infinite before there was one."""
        heart = self._socket.heart if self._socket else None
        return heart.latency if heart else float("inf")

    @property
    def is_alive(self) -> bool:
        """A session is up and its heartbeats are answered."""
        heart = self._socket.heart if self._socket else None
        return self.online.is_set() and heart is not None and heart.is_answered

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Keep the distance between two IDENTIFYs that Discord asks for."""
        if self._identified is not None:
            since = time.monotonic() - self._identified
            await asyncio.sleep(self.settings.identify_seconds - since)
        self._identified = time.monotonic()

    async def connect(self, *, reconnect: bool = True) -> None:
        """Stay connected for ever.

        Raises:
            AuthError: Discord closes the gateway to us; the text says why and what to do.
        """
        failures = 0
        resume = False
        while not self.is_closed():
            try:
                await self._connection_once(resume=resume and failures < RESUME_TRIES)
            except ReconnectWebSocket as order:
                resume = order.resume
                self._down("the connection was lost" if resume else "the session was lost")
            except ConnectionClosed as closed:
                self._refuse(closed.code)
                self._down(f"closed with {closed.code}")
            except (TimeoutError, OSError, aiohttp.ClientError, ChannelError) as error:
                self._down(f"cannot connect: {type(error).__name__}")
            failures = 0 if self._was_up else failures + 1
            self._was_up = False
            if failures and not self.is_closed():
                await asyncio.sleep(_pause(failures))

    async def _connection_once(self, *, resume: bool) -> None:
        """Hold one connection to its end, which is always an exception."""
        before = self._socket if resume else None
        if before is not None and before.session_id is None:
            before = None
        try:
            async with asyncio.timeout(READY_SECONDS) as self._patience:
                self.ws = await Socket.from_client(
                    self,
                    gateway=before.gateway if before else self._address,
                    session=before.session_id if before else None,
                    sequence=before.sequence if before else None,
                    resume=before is not None,
                    compress=False,  # by discord.py, whose way has no bound: `Rest` asks for ours
                )
                while True:
                    await self.ws.poll_event()
        finally:
            self._patience = None
            self._offline("the connection was lost")  # before the socket has closed
            if self._socket is not None and self._socket is not before:
                await self._socket.end(GOODBYE if self.leaving else LATE)

    async def show(self, presence: str) -> None:
        """Show `online`, `away`, `busy` or `offline`: now, and with every later session."""
        status = self.status = _STATUS.get(presence, discord.Status.online)
        if self.online.is_set():
            await self.change_presence(activity=self._shown, status=status)

    def _up(self) -> None:
        self._was_up = True
        self.trouble = ""
        self.online.set()
        self._turned()
        if self._patience is not None:
            self._patience.reschedule(None)

    def _offline(self, trouble: str) -> None:
        if self.online.is_set():
            self._turned(LOST_SECONDS)
        self.online.clear()
        self.trouble = trouble

    def _turned(self, seconds: float = 0.0) -> None:
        """Tell of a turn; a connection that is resumed within a moment was not lost."""
        if self._gone is not None:
            self._gone.cancel()
        self._gone = self.loop.call_later(seconds, self._on_turn)

    def _down(self, trouble: str) -> None:
        self._offline(trouble)
        log.info("%s; reconnecting", trouble)

    def _refuse(self, code: int) -> None:
        """Raise when a close code means that trying again is no use."""
        if code == 4014:
            asked = self.settings.asked()
            names = " and ".join(title for name, title in PRIVILEGED.items() if name in asked)
            raise AuthError(
                f"Discord refuses a privileged intent (4014): switch on {names} on the page"
                " Bot of https://discord.com/developers/applications, or ask for less with"
                " `respond: mentioned` or `intents`"
            )
        if code in _FATAL:
            raise AuthError(_FATAL[code])


def _pause(failures: int) -> float:
    full = min(MOST_PAUSE, 0.5 * 2.0 ** min(failures - 1, 10))
    return full * random.uniform(0.5, 1.0)  # nosec B311 # noqa: S311 - jitter is no secret
