"""The local Bot API server: a socket in front of the world."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from cobot_telegram.testing.gateway import Gateway, Request
from cobot_telegram.testing.params import MAX_BODY, Params
from cobot_telegram.testing.webhooks import WebhookSender

if TYPE_CHECKING:
    from ssl import SSLContext

    from cobot_telegram.testing.bots import BotAccount
    from cobot_telegram.testing.rates import Rates

__all__ = ["BotApiServer", "Request"]

_START_SECONDS = 60.0


class BotApiServer(Gateway):
    """A Bot API server on a socket of this machine.

    `async with` runs it in the current event loop, `with` in a thread of its own. What it knows
    outlives a stop: entered again, it goes on at the same port, as Telegram does after an outage.

    Args:
        host: address to listen on.
        port: 0: any free one.
        seed: of the dice for faults that happen at random.
        rates: limits that are kept all the time; without them only ordered floods happen.
        remember: how many of the latest calls `requests` keeps.
        prefix: path that the API lies below (`/telegram`), as behind somebody's front.
        ssl_context: of a server; with it the server speaks https.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        seed: int = 0,
        rates: Rates | None = None,
        remember: int = 100_000,
        prefix: str = "",
        ssl_context: SSLContext | None = None,
    ) -> None:
        super().__init__(seed, rates, remember)
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(f"a prefix begins with / and does not end with it: {prefix!r}")
        self.host = host
        self.port = port
        self.prefix = prefix
        self.ssl_context = ssl_context
        self._stack = contextlib.AsyncExitStack()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._running = False

    # -- where it is ----------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """The server's address, as `api_url` of a channel's settings takes it."""
        scheme = "http" if self.ssl_context is None else "https"
        return f"{scheme}://{self.host}:{self.port}{self.prefix}"

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls `base_url`."""
        return f"{self.api_url}/bot"

    @property
    def base_file_url(self) -> str:
        """What python-telegram-bot calls `base_file_url`."""
        return f"{self.api_url}/file/bot"

    @property
    def token(self) -> str:
        """The first bot's token."""
        return self.bot.token

    # -- its life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._claim()
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()
        self._running = False

    def __enter__(self) -> Self:
        self._claim()
        ready: Future[None] = Future()
        self._stop.clear()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="bot-api-server", daemon=True
        )
        self._thread.start()
        try:
            ready.result(_START_SECONDS)
        except BaseException:
            self._running = False
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.changes.notify()
        if self._thread is not None:
            self._thread.join(_START_SECONDS)
        self._running = False

    def _claim(self) -> None:
        if self._running:
            raise RuntimeError("this server is running already")
        self._running = True

    async def _serve(self, ready: Future[None]) -> None:
        try:
            await self._open()
        except OSError as error:
            ready.set_exception(error)
            return
        ready.set_result(None)
        try:
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await self.changes.wait_async(self._stop.is_set, timeout=60)
        finally:
            await self._close()

    async def _open(self) -> None:
        self._closing = asyncio.Event()
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", self.prefix + "/bot{token}/{method}", self.on_call)
        app.router.add_get(self.prefix + "/file/bot{token}/{path:.+}", self.on_download)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=False, shutdown_timeout=0.1
        )
        async with contextlib.AsyncExitStack() as stack:
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, self.host, self.port, ssl_context=self.ssl_context)
            await site.start()
            self.port = runner.addresses[0][1]
            self.changes.serving = asyncio.get_running_loop()
            stack.callback(setattr, self.changes, "serving", None)
            senders = asyncio.create_task(self._run_senders(), name="webhooks")
            stack.push_async_callback(_cancelled, senders)
            stack.callback(self._closing.set)
            self._stack = stack.pop_all()

    async def _close(self) -> None:
        await self._stack.aclose()

    async def _run_senders(self) -> None:
        known: set[int] = set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                for bot in self.bots[:]:
                    if bot.id not in known:
                        known.add(bot.id)
                        tasks.create_task(self._sender(bot).run())
                with contextlib.suppress(TimeoutError):
                    await self.changes.wait_async(lambda: len(self.bots) > len(known), timeout=60)

    def _sender(self, bot: BotAccount) -> WebhookSender:
        async def carry_out(method: str, values: dict[str, Any]) -> object:
            return await self.carry_out(method, bot, Params(values, {}))

        return WebhookSender(self, bot, carry_out)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
