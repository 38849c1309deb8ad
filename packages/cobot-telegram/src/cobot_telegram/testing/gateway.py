"""What a call over the socket is answered, faults and all."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from cobot_telegram.testing import account, changing, drafts, sending
from cobot_telegram.testing.answers import answer, cut, dripped, given, server_error
from cobot_telegram.testing.call import METHODS, Call
from cobot_telegram.testing.errors import ApiError, too_many_requests
from cobot_telegram.testing.faults import (
    Answer,
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
from cobot_telegram.testing.params import Params, read_params
from cobot_telegram.testing.world import World

if TYPE_CHECKING:
    from cobot_telegram.testing.bots import BotAccount
    from cobot_telegram.testing.rates import Rates

METHOD_MODULES = (account, changing, drafts, sending)
"""Importing them fills the table of methods."""


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


class Gateway(World):
    """Carries out calls and remembers them.

    Args:
        seed: of the dice for faults that happen at random.
        rates: limits that are kept all the time; without them only ordered floods happen.
        remember: how many of the latest calls `requests` keeps.
    """

    def __init__(self, seed: int, rates: Rates | None, remember: int) -> None:
        super().__init__(seed)
        self.rates = rates
        self.requests: list[Request] = []
        self._remember = remember
        self._stubs: dict[str, Any] = {}
        self._closing = asyncio.Event()

    def calls(self, method: str) -> list[Request]:
        """Return the calls of one API method, oldest first."""
        with self.changes:
            return [r for r in self.requests if r.method.lower() == method.lower()]

    def stub(self, method: str, result: Any) -> None:
        """Let a method this server does not know answer `result`."""
        self._stubs[method.lower()] = result

    async def on_call(self, request: web.Request) -> web.StreamResponse:
        """Answer the call of a method."""
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
        if isinstance(fault, ServerError | Answer) and not fault.processed:
            return _broken(fault)
        if isinstance(fault, Hang):
            await self._hang(fault.seconds)
        status, body = await self._outcome(method, bot, params, fault)
        if isinstance(fault, CutAfter):
            return cut(request)
        if isinstance(fault, ServerError | Answer):
            return _broken(fault)
        if isinstance(fault, Drip):
            return await dripped(request, status, body, fault)
        return answer(status, body)

    async def on_download(self, request: web.Request) -> web.StreamResponse:
        """Answer with a file."""
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
        if isinstance(fault, ServerError | Answer):
            return _broken(fault)
        if isinstance(fault, Hang):
            await self._hang(fault.seconds)
        return web.Response(body=file.data, content_type="application/octet-stream")

    async def _outcome(
        self, method: str, bot: BotAccount, params: Params, fault: Fault | None
    ) -> tuple[int, dict[str, Any]]:
        try:
            if isinstance(fault, Flood):
                raise too_many_requests(fault.retry_after)
            result = await self.carry_out(method, bot, params)
        except ApiError as error:
            return error.code, error.body()
        if isinstance(result, list) and isinstance(fault, Duplicate):
            result = [copy for item in result for copy in (item, item)]
        if isinstance(result, list) and isinstance(fault, Reorder):
            result = self.dice.sample(result, len(result))
        return 200, {"ok": True, "result": result}

    async def carry_out(self, method: str, bot: BotAccount, params: Params) -> Any:
        """Do what a method does, and return its result.

        Raises:
            ApiError: it is refused, or there is no such method.
        """
        name = method.lower()
        if name in self._stubs:
            return self._stubs[name]
        if name not in METHODS:
            raise ApiError(404, "Not Found")
        rates = self.rates if name.startswith("send") else None
        return await METHODS[name](Call(self, bot, params, rates))

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


def _broken(fault: ServerError | Answer) -> web.Response:
    return given(fault) if isinstance(fault, Answer) else server_error(fault)
