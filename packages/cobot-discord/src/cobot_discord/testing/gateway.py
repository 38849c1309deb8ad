"""The gateway: connections, events on their way, and orders to make trouble.

https://discord.com/developers/docs/events/gateway, version 10, JSON, plain or `zlib-stream`.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from cobot_discord.testing import payloads
from cobot_discord.testing.changes import DEFAULT_TIMEOUT
from cobot_discord.testing.connection import Close, Connection, Cut
from cobot_discord.testing.faults import CutAfter, CutBefore, Duplicate, HalfOpen, Reorder
from cobot_discord.testing.protocol import (
    HELLO,
    INVALID_SESSION,
    RECONNECT,
    GatewaySession,
    Protocol,
    frame_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_discord.testing.faults import Faults
    from cobot_discord.testing.model import Chat
    from cobot_discord.testing.payloads import Payload
    from cobot_discord.testing.world import World

REORDER_PATIENCE = 0.05
"""Seconds an event that is to be overtaken waits for another one."""


class Gateway(Protocol):
    """Accepts connections, numbers events, and does what it is told to get wrong."""

    def __init__(self, world: World, faults: Faults, token: str) -> None:
        super().__init__(world, faults, token)
        self._serving: asyncio.AbstractEventLoop | None = None
        world.emit = self._emit

    # Orders

    def reconnect(self) -> None:
        """Order the bot to reconnect (opcode 7)."""
        self._each(lambda connection: connection.put(frame_of(RECONNECT, None)))

    def invalidate(self, *, resumable: bool = False) -> None:
        """Invalidate the session (opcode 9); unless `resumable`, its events are gone."""
        if not resumable:
            self.forget_sessions()
        self._each(lambda connection: connection.put(frame_of(INVALID_SESSION, resumable)))

    def close(self, code: int = 4000) -> None:
        """Close every connection with a close code."""
        self._each(lambda connection: connection.put(Close(code)))

    def cut(self) -> None:
        """Drop every connection without a word."""
        self._each(lambda connection: connection.put(Cut()))

    def freeze(self) -> None:
        """Make every connection half-open: nothing is read or written, it stays up."""
        self._each(lambda connection: connection.freeze())

    def forget_sessions(self) -> None:
        """Let no session be resumed: what happens between connections is gone."""
        with self.world.changes:
            for session in self.sessions.values():
                session.connection = None
            self.sessions.clear()

    def send_raw(self, text: str) -> None:
        """Send a frame as it stands, such as one that is no JSON."""
        self._each(lambda connection: connection.put(text))

    def dispatch(self, event: str, data: Any) -> None:
        """Send any event, well-formed or not, to every session."""
        with self.world.changes:
            for session in self.sessions.values():
                session.deliver(event, data)

    def refuse(self) -> None:
        """Drop every connection and accept none until `accept`."""
        with self.world.changes:
            self.accepting = False
        self.cut()

    def accept(self) -> None:
        """Accept connections again."""
        with self.world.changes:
            self.accepting = True

    def wait_until(
        self, claim: Callable[[Gateway], bool], *, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """Block until a claim about this gateway is true."""
        self.world.changes.wait(lambda: claim(self) or None, timeout, self.story)

    async def wait_until_async(
        self, claim: Callable[[Gateway], bool], *, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """Do what `wait_until` does without blocking the event loop."""
        await self.world.changes.wait_async(lambda: claim(self) or None, timeout, self.story)

    @property
    def online(self) -> bool:
        """Whether a session has a connection."""
        with self.world.changes:
            return any(session.connection for session in self.sessions.values())

    # Connections

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket connection to its end."""
        self._serving = asyncio.get_running_loop()
        if not self.accepting:
            return web.Response(status=503, text="no gateway here")
        connection = Connection(request, self._received)
        with self.world.changes:
            self.connections.add(connection)
            interval = int(self.heartbeat_interval * 1000)
            connection.put(frame_of(HELLO, {"heartbeat_interval": interval}))
        patience = self.heartbeat_interval * 1.5 if self.strict else None
        try:
            return await connection.run(patience)
        finally:
            with self.world.changes:
                self._left(connection)

    async def close_all(self) -> None:
        """End every connection, as a server does that goes down."""
        with self.world.changes:
            connections = list(self.connections)
        for connection in connections:
            connection.abort()

    def _left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if connection.ws.close_code:
            self.closed_with.append(connection.ws.close_code)
        for session in self.sessions.values():
            if session.connection is connection:
                session.connection = None
        self.world.changes.notify()

    def _received(self, connection: Connection, frame: Any) -> None:
        with self.world.changes:
            self._act(connection, frame)
            self.world.changes.notify()

    # Events

    def _emit(
        self, event: str, chat: Chat | None, intent: int, body: Callable[[bool], Payload]
    ) -> None:
        if chat is not None and "view" in chat.forbidden:
            return
        for session in self.sessions.values():
            if session.intents & intent:
                readable = bool(session.intents & payloads.MESSAGE_CONTENT)
                self._pass(session, event, chat.id if chat else None, body(readable))

    def _pass(self, session: GatewaySession, event: str, chat: str | None, data: Payload) -> None:
        fault = self.faults.draw(event, chat)
        connection = session.connection
        if isinstance(fault, HalfOpen) and connection:
            connection.freeze()
        elif isinstance(fault, CutBefore) and connection:
            connection.put(Cut())
            session.connection = None
        elif isinstance(fault, Reorder) and session.held is None and self._serving:
            session.held = json.dumps([event, data])
            self._serving.call_soon_threadsafe(self._release_later, session)
            return
        session.deliver(event, data)
        if isinstance(fault, Duplicate):
            session.deliver(event, data)
        if isinstance(fault, CutAfter) and connection:
            connection.put(Cut())
            session.connection = None
        self._release(session)

    def _release_later(self, session: GatewaySession) -> None:
        asyncio.get_running_loop().call_later(REORDER_PATIENCE, self._release, session)

    def _release(self, session: GatewaySession) -> None:
        with self.world.changes:
            held, session.held = session.held, None
            if held:
                session.deliver(*json.loads(held))

    def _each(self, order: Callable[[Connection], None]) -> None:
        with self.world.changes:
            for connection in self.connections:
                order(connection)

    def story(self) -> str:
        """Return what happened so far, in words."""
        return (
            f"the gateway saw {self.identified} IDENTIFY, {self.resumed} RESUME, "
            f"{self.heartbeats} heartbeats and has {len(self.connections)} connections"
        )
