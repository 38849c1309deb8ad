"""The local Bot API server: a socket in front of the world."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from cobot_telegram.testing import account, changing, sending
from cobot_telegram.testing.answers import answer, cut, dripped, server_error
from cobot_telegram.testing.call import METHODS, Call
from cobot_telegram.testing.errors import ApiError, too_many_requests
from cobot_telegram.testing.faults import (
    CutAfter,
    CutBefore,
    Drip,
    Duplicate,
    Fault,
    Flood,
    Hang,
    Reorder,
    ServerError,
)
from cobot_telegram.testing.params import MAX_BODY, Params, read_params
from cobot_telegram.testing.webhooks import WebhookSender
from cobot_telegram.testing.world import World

if TYPE_CHECKING:
    from cobot_telegram.testing.bots import BotAccount
    from cobot_telegram.testing.rates import Rates

METHOD_MODULES = (account, changing, sending)
"""Importing them fills the table of methods."""
_START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """One call that reached the server, for a test to look at.

    Attributes:
        method: the API method as called.
        bot: id of the bot.
        params: its parameters, without files.
        at: `time.monotonic()` when it came.
    """

    method: str
    bot: int
    params: dict[str, Any] = field(hash=False)
    at: float


class BotApiServer(World):
    """A Bot API server on a socket of this machine.

    `async with` runs it in the current event loop, `with` in a thread of its own. What it knows
    outlives a stop: entered again, it goes on at the same port, as Telegram does after an outage.

    Args:
        host: address to listen on.
        port: 0: any free one.
        seed: of the dice for faults that happen at random.
        rates: limits that are kept all the time; without them only ordered floods happen.
        remember: how many of the latest calls `requests` keeps.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        seed: int = 0,
        rates: Rates | None = None,
        remember: int = 100_000,
    ) -> None:
        super().__init__(seed)
        self.host = host
        self.port = port
        self.rates = rates
        self.requests: list[Request] = []
        self._remember = remember
        self._stubs: dict[str, Any] = {}
        self._closing = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._running = False

    # -- where it is ----------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """The server's address, as `api_url` of a channel's settings takes it."""
        return f"http://{self.host}:{self.port}"

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

    def calls(self, method: str) -> list[Request]:
        """Return the calls of one API method, oldest first."""
        with self.changes:
            return [r for r in self.requests if r.method.lower() == method.lower()]

    def stub(self, method: str, result: Any) -> None:
        """Let a method this server does not know answer `result`."""
        self._stubs[method.lower()] = result

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
        app.router.add_route("*", "/bot{token}/{method}", self._on_call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._on_download)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=False, shutdown_timeout=0.1
        )
        async with contextlib.AsyncExitStack() as stack:
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, self.host, self.port).start()
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
            return await self._carry_out(method, bot, Params(values, {}))

        return WebhookSender(self, bot, carry_out)

    # -- what it answers ------------------------------------------------------------------------

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        try:
            bot = self._bot_of(request.match_info["token"])
            params = await read_params(request)
        except ApiError as error:
            return answer(error.code, error.body())
        self._note(method, bot, params)
        fault = self.faults.draw(method, params.text("chat_id") or None)
        if isinstance(fault, CutBefore):
            return cut(request)
        if isinstance(fault, ServerError) and not fault.processed:
            return server_error(fault)
        if isinstance(fault, Hang):
            await self._hang(fault.seconds)
        status, body = await self._outcome(method, bot, params, fault)
        if isinstance(fault, CutAfter):
            return cut(request)
        if isinstance(fault, ServerError):
            return server_error(fault)
        if isinstance(fault, Drip):
            return await dripped(request, status, body, fault)
        return answer(status, body)

    async def _outcome(
        self, method: str, bot: BotAccount, params: Params, fault: Fault | None
    ) -> tuple[int, dict[str, Any]]:
        try:
            if isinstance(fault, Flood):
                raise too_many_requests(fault.retry_after)
            result = await self._carry_out(method, bot, params)
        except ApiError as error:
            return error.code, error.body()
        if isinstance(result, list) and isinstance(fault, Duplicate):
            result = [copy for item in result for copy in (item, item)]
        if isinstance(result, list) and isinstance(fault, Reorder):
            result = self.dice.sample(result, len(result))
        return 200, {"ok": True, "result": result}

    async def _carry_out(self, method: str, bot: BotAccount, params: Params) -> Any:
        name = method.lower()
        if name in self._stubs:
            return self._stubs[name]
        if name not in METHODS:
            raise ApiError(404, "Not Found")
        rates = self.rates if name.startswith("send") else None
        return await METHODS[name](Call(self, bot, params, rates))

    async def _on_download(self, request: web.Request) -> web.StreamResponse:
        try:
            self._bot_of(request.match_info["token"])
        except ApiError as error:
            return answer(error.code, error.body())
        file = self.files.at(request.match_info["path"])
        if file is None:
            return answer(404, ApiError(404, "Not Found").body())
        fault = self.faults.draw("file", None)
        if isinstance(fault, CutBefore):
            return cut(request)
        if isinstance(fault, ServerError):
            return server_error(fault)
        if isinstance(fault, Hang):
            await self._hang(fault.seconds)
        return web.Response(body=file.data, content_type="application/octet-stream")

    def _bot_of(self, token: str) -> BotAccount:
        for bot in self.bots:
            if bot.token == token:
                return bot
        number, colon, secret = token.partition(":")
        well_formed = bool(colon) and number.isdecimal() and bool(secret)
        raise ApiError(401, "Unauthorized") if well_formed else ApiError(404, "Not Found")

    def _note(self, method: str, bot: BotAccount, params: Params) -> None:
        with self.changes:
            self.requests.append(Request(method, bot.id, params.values, time.monotonic()))
            if len(self.requests) > self._remember:
                del self.requests[: -self._remember]
            self.changes.notify()

    async def _hang(self, seconds: float) -> None:
        """Wait; a server that stops lets go at once."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
