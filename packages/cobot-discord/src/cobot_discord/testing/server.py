"""The server: one port for HTTP, gateway and downloads, in your event loop or in a thread."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import TYPE_CHECKING, Self

from aiohttp import web

from cobot_discord.testing.faults import Faults
from cobot_discord.testing.gateway import Gateway
from cobot_discord.testing.rest import Rest
from cobot_discord.testing.world import World

if TYPE_CHECKING:
    from cobot_discord.testing.model import Guild, User

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.local.server-token-of-a-test-bot"  # nosec B105 # noqa: S105  # opens nothing
START_SECONDS = 60.0


class DiscordServer:
    """A local Discord: REST, gateway and CDN over real sockets.

    `async with` runs it in the present event loop, `with` in a thread of its own. What is made
    with `guild` and `user` may be used from any thread.

    Args:
        token: what the bot must show: three parts with dots in between.
        bot_name: the name of the bot under test.
        seed: of everything that is left to chance.
        port: 0: any free one.

    Attributes:
        faults: troubles to order.
        gateway: the gateway, with orders of its own.
        rest: the requests that came, and the rate limits.
        world: users, guilds, chats, messages.
    """

    def __init__(
        self, token: str = TOKEN, bot_name: str = "robot", *, seed: int = 0, port: int = 0
    ) -> None:
        self.token = token
        self.world = World(bot_name)
        self.faults = Faults(self.world.changes, random.Random(seed))  # nosec B311 # noqa: S311  # repeatable
        self.gateway = Gateway(self.world, self.faults, token)
        self.rest = Rest(self.world, self.gateway, self.faults)
        self.port = port
        self._runner: web.AppRunner | None = None
        self._thread: threading.Thread | None = None
        self._halt: asyncio.Event | None = None

    @property
    def bot(self) -> User:
        """The bot under test."""
        return self.world.bot

    @property
    def api_url(self) -> str:
        """Where requests go."""
        return f"http://127.0.0.1:{self.port}/api/v10"

    @property
    def gateway_url(self) -> str:
        """Where the first connection goes; READY names another for a RESUME."""
        return f"ws://127.0.0.1:{self.port}/gateway"

    def guild(self, name: str) -> Guild:
        """Make a guild that the bot is a member of."""
        return self.world.guild(name)

    def user(self, name: str, *, bot: bool = False) -> User:
        """Make a user, or another bot."""
        return self.world.user(name, bot=bot)

    def limit(self, name: str, many: int, per: float) -> None:
        """Allow `many` requests of a name in `per` seconds, in one chat."""
        with self.world.changes:
            self.rest.rates.limits[name] = (many, per)

    def expire_links(self) -> None:
        """Let every download link given so far end, as Discord's do after a day."""
        with self.world.changes:
            self.world.cdn_age += 1

    def revoke_token(self) -> None:
        """Let the token be valid no longer."""
        with self.world.changes:
            self.gateway.token = self.rest.gateway.token = "revoked"  # nosec B105 # noqa: S105  # opens nothing

    async def start(self) -> None:
        """Begin to listen, in the running event loop."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_get("/resume", self.gateway.serve)
        self.rest.add_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.gateway.resume_url = f"ws://127.0.0.1:{self.port}/resume"
        self.world.cdn_root = f"http://127.0.0.1:{self.port}"
        self.world.changes.serving = asyncio.get_running_loop()

    async def stop(self) -> None:
        """Drop every connection and listen no more. What it holds stays: it can start again."""
        runner, self._runner = self._runner, None
        if runner:
            await self.gateway.close_all()
            await runner.cleanup()
        self.world.changes.serving = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        self.start_in_thread()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_thread()

    def start_in_thread(self) -> None:
        """Begin to listen, in a thread of its own."""
        up = threading.Event()
        failed: list[Exception] = []
        loops: list[asyncio.AbstractEventLoop] = []

        async def main() -> None:
            self._halt = asyncio.Event()
            loops.append(asyncio.get_running_loop())
            try:
                await self.start()
            except OSError as error:
                failed.append(error)
                return
            finally:
                up.set()
            await self._halt.wait()
            await self.stop()

        self._thread = threading.Thread(
            target=asyncio.run, args=(main(),), name="discord-server", daemon=True
        )
        self._thread.start()
        if not up.wait(START_SECONDS):
            raise TimeoutError("the server did not start")
        if failed:
            raise failed[0]
        self._loop = loops[0]

    def stop_thread(self) -> None:
        """End the thread that `start_in_thread` began."""
        thread, halt = self._thread, self._halt
        if thread and halt:
            self._loop.call_soon_threadsafe(halt.set)
            thread.join(START_SECONDS)
            self._thread = None
