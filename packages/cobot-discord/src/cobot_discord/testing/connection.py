"""One websocket connection to the gateway: frames out in order, frames in, and ways to break."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import WSMsgType, web

from cobot_discord.testing.changes import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection with this code."""

    code: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Drop the connection."""


Item: TypeAlias = str | Close | Cut


class Connection:
    """One client's connection.

    Attributes:
        path: where it came in (`/gateway` or `/resume`).
        compressed: it asked for `zlib-stream`.
    """

    def __init__(self, request: web.Request, received: Callable[[Connection, Any], None]) -> None:
        self.path = request.path
        self.compressed = request.query.get("compress") == "zlib-stream"
        self.ws = web.WebSocketResponse(max_msg_size=0, timeout=0.2)
        self._request = request
        self._received = received
        self._queue: deque[Item] = deque()
        self._alarm = Alarm()
        self._frozen = False
        self._beaten = time.monotonic()
        self._deflate = zlib.compressobj()

    def put(self, item: Item) -> None:
        """Queue a frame, or the end. Any thread may call it."""
        self._queue.append(item)
        self._alarm.ring()

    def freeze(self) -> None:
        """Read and write nothing more; the connection stays up."""
        self._frozen = True

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._request.transport:
            self._request.transport.abort()

    async def run(self, patience: float | None) -> web.StreamResponse:
        """Serve until either side ends it; `patience`: seconds between two heartbeats."""
        try:
            await self.ws.prepare(self._request)
        except ConnectionError:
            return web.Response()  # whoever asked has gone
        writer = asyncio.create_task(self._write())
        try:
            await self._read(patience)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return self.ws

    async def _read(self, patience: float | None) -> None:
        while True:
            left = None if patience is None else self._beaten + patience - time.monotonic()
            try:
                message = await self.ws.receive(None if left is None else max(left, 0.001))
            except TimeoutError:
                patience = None
                if not self._frozen:
                    self.put(Close(4009))
                continue
            if message.type is not WSMsgType.TEXT:
                return
            if not self._frozen:
                self._take(message.data)

    def _take(self, text: Any) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            self.put(Close(4002))
            return
        if isinstance(frame, dict) and frame.get("op") == 1:
            self._beaten = time.monotonic()
        self._received(self, frame)

    async def _write(self) -> None:
        while True:
            self._alarm.clear()
            while self._queue and not self._frozen:
                item = self._queue.popleft()
                if isinstance(item, Close):
                    await self.ws.close(code=item.code)
                    return
                if isinstance(item, Cut):
                    self.abort()
                    return
                await self._send(item)
            await self._alarm.wait()

    async def _send(self, text: str) -> None:
        if self.compressed:
            body = self._deflate.compress(text.encode())
            await self.ws.send_bytes(body + self._deflate.flush(zlib.Z_SYNC_FLUSH))
        else:
            await self.ws.send_str(text)
