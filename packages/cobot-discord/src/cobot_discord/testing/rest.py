"""The way of every HTTP request: token, troubles, rate limits, then what it asks for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from cobot_discord.testing.errors import ApiError, unauthorized
from cobot_discord.testing.faults import (
    CutAfter,
    CutBefore,
    Fault,
    Hang,
    RateLimit,
    Refuse,
    ServerError,
)
from cobot_discord.testing.model import File
from cobot_discord.testing.rates import Rates
from cobot_discord.testing.routes import ROUTES, Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cobot_discord.testing.faults import Faults
    from cobot_discord.testing.gateway import Gateway
    from cobot_discord.testing.routes import Answer
    from cobot_discord.testing.world import World

PROXY = {"Via": "1.1 google"}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server saw it; `status` 0: it was cut or hangs."""

    name: str
    path: str
    body: dict[str, Any]
    status: int = 0


class Rest:
    """Answers requests.

    Attributes:
        requests: all that came, in the order of their answers.
        rates: the rate limits.
        nonce_seconds: how long a nonce is remembered.
    """

    def __init__(self, world: World, gateway: Gateway, faults: Faults) -> None:
        self.world = world
        self.gateway = gateway
        self.faults = faults
        self.rates = Rates()
        self.requests: list[Request] = []
        self.nonce_seconds = 180.0

    def add_routes(self, app: web.Application) -> None:
        """Add every route, and the downloads."""
        for method, path, act in ROUTES:
            app.router.add_route(method, f"/api/v10{path}", self._way(act))
        app.router.add_get("/attachments/{channel}/{file}/{name}", self._download)
        app.router.add_route("*", "/api/{rest:.*}", self._lost)

    @property
    def invalid(self) -> int:
        """How many answers count towards the ban for invalid requests (401, 403, 429)."""
        with self.world.changes:
            return sum(request.status in {401, 403, 429} for request in self.requests)

    def named(self, name: str) -> list[Request]:
        """Return the requests of one name."""
        with self.world.changes:
            return [request for request in self.requests if request.name == name]

    def _way(
        self, act: Callable[[Call], Answer]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            name = act.__name__
            body, files = await _read(request)
            fault = self.faults.draw(name, request.match_info.get("channel"))
            try:
                answer = await self._answer(request, act, body, files, fault)
            except ApiError as error:
                text = json.dumps(error.body()).encode()
                answer = web.Response(status=error.status, body=text, headers=PROXY | JSON)
            cut = isinstance(fault, CutBefore | CutAfter)
            self._note(Request(name, request.path, body, 0 if cut else answer.status))
            if cut and request.transport:
                request.transport.abort()
            return answer

        return serve

    async def _answer(
        self,
        request: web.Request,
        act: Callable[[Call], Answer],
        body: dict[str, Any],
        files: list[File],
        fault: Fault | None,
    ) -> web.Response:
        if request.headers.get("Authorization") != f"Bot {self.gateway.token}":
            raise unauthorized()
        if self.rates.global_left:
            return _limited(self.rates.global_left, "global")
        if refusal := self._refusal(fault):
            return refusal
        if isinstance(fault, Hang):
            await asyncio.sleep(fault.seconds)
        name = act.__name__
        major = request.match_info.get("channel") or request.match_info.get("guild") or ""
        allowed, headers = self.rates.take(name, major)
        if not allowed:
            return _limited(self.rates.left(name, major), "user", headers)
        done = self._carry_out(act, request, body, files)
        if isinstance(fault, ServerError):
            return _broken(fault.status)
        if done is None:
            return web.Response(status=204, headers=headers | PROXY)
        return web.Response(body=done, headers=headers | PROXY | JSON)

    def _carry_out(
        self,
        act: Callable[[Call], Answer],
        request: web.Request,
        body: dict[str, Any],
        files: list[File],
    ) -> bytes | None:
        readable = "message_content" in self.gateway.privileged
        path, query = request.match_info, request.query
        with self.world.changes:
            call = Call(self.world, path, query, body, files, readable, self.nonce_seconds)
            answer = act(call)
            return None if answer is None else json.dumps(answer).encode()

    def _refusal(self, fault: Fault | None) -> web.Response | None:
        if isinstance(fault, RateLimit):
            return self._flood(fault)
        if isinstance(fault, Refuse):
            raise ApiError(fault.status, fault.code, fault.message)
        if isinstance(fault, ServerError) and not fault.processed:
            return _broken(fault.status)
        return _broken(500) if isinstance(fault, CutBefore) else None

    def _flood(self, fault: RateLimit) -> web.Response:
        if fault.scope == "cloudflare":
            headers = {"Retry-After": f"{fault.retry_after:g}"}
            return web.Response(status=429, text="error code: 1015", headers=headers)
        if fault.scope == "global":
            self.rates.block_all(fault.retry_after)
        return _limited(fault.retry_after, fault.scope)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.draw("cdn", request.match_info["channel"])
        if isinstance(fault, Hang):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, CutBefore | CutAfter) and request.transport:
            request.transport.abort()
        status = fault.status if isinstance(fault, ServerError) else 200
        with self.world.changes:
            found = self.world.files.get(request.match_info["file"])
            fresh = request.query.get("hm") == f"{self.world.cdn_age:x}"
        if found is None or not fresh:
            status = 404
        self._note(Request("cdn", request.path, {}, status))
        if status != 200 or found is None:
            return web.Response(status=status, text="This content is no longer available.")
        return web.Response(body=found.data, headers={"Content-Type": found.mime_type})

    async def _lost(self, request: web.Request) -> web.StreamResponse:
        self._note(Request("unknown", request.path, {}, 404))
        body = b'{"message": "404: Not Found", "code": 0}'
        return web.Response(status=404, body=body, headers=PROXY | JSON)

    def _note(self, request: Request) -> None:
        with self.world.changes:
            self.requests.append(request)
            self.world.changes.notify()


def _broken(status: int) -> web.Response:
    return web.Response(status=status, text="upstream error")


def _limited(seconds: float, scope: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"message": "You are being rate limited.", "retry_after": round(seconds, 3)}
    more = {"X-RateLimit-Scope": scope, "Retry-After": str(int(seconds + 1))}
    if scope == "global":
        more["X-RateLimit-Global"] = "true"
    return web.Response(
        status=429,
        body=json.dumps({**body, "global": scope == "global"}).encode(),
        headers=(headers or {}) | more | PROXY | JSON,
    )


async def _read(request: web.Request) -> tuple[dict[str, Any], list[File]]:
    if request.content_type == "multipart/form-data":
        return await _read_form(request)
    if not request.can_read_body:
        return {}, []
    try:
        body = await request.json()
    except ValueError:
        body = None
    return (body if isinstance(body, dict) else {}), []


async def _read_form(request: web.Request) -> tuple[dict[str, Any], list[File]]:
    body: dict[str, Any] = {}
    files: list[File] = []
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "payload_json":
            body = json.loads(await part.text())
        else:
            data = bytes(await part.read())
            kind = part.headers.get("Content-Type", "application/octet-stream")
            files.append(File(part.filename or "file", data, kind))
    return body, files
