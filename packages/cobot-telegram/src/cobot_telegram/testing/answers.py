"""HTTP answers, whole and broken."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from cobot_telegram.testing.errors import ApiError

if TYPE_CHECKING:
    from cobot_telegram.testing.faults import Answer, Drip, ServerError


def answer(status: int, body: dict[str, Any]) -> web.Response:
    """Return an answer with a JSON body."""
    return web.Response(
        status=status,
        text=json.dumps(body),
        content_type="application/json",
    )


def server_error(fault: ServerError) -> web.Response:
    """Return the answer a `ServerError` orders."""
    if fault.description is None:
        page = f"<html><body><h1>{fault.status}</h1></body></html>"
        return web.Response(status=fault.status, text=page, content_type="text/html")
    return answer(fault.status, ApiError(fault.status, fault.description).body())


def given(fault: Answer) -> web.Response:
    """Return the answer an `Answer` orders."""
    kind = "application/json" if fault.body[:1] in (b"{", b"[") else "text/html"
    return web.Response(status=fault.status, body=fault.body, content_type=kind)


def cut(request: web.Request) -> web.Response:
    """Drop the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def dripped(
    request: web.Request, status: int, body: dict[str, Any], fault: Drip
) -> web.StreamResponse:
    """Send an answer in little pieces."""
    response = web.StreamResponse(status=status)
    response.content_type = "application/json"
    await response.prepare(request)
    data = json.dumps(body).encode()
    for start in range(0, len(data), fault.size):
        await response.write(data[start : start + fault.size])
        await asyncio.sleep(fault.pause)
    await response.write_eof()
    return response
