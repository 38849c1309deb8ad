"""The gateway: sessions that outlive their connections, and orders to make trouble.

https://discord.com/developers/docs/events/gateway, version 10, JSON, plain or `zlib-stream`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from cobot_discord.testing import payloads
from cobot_discord.testing.changes import DEFAULT_TIMEOUT
from cobot_discord.testing.connection import Close, Connection, Cut
from cobot_discord.testing.faults import CutAfter, CutBefore, Duplicate, HalfOpen, Reorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_discord.testing.faults import Faults
    from cobot_discord.testing.model import Chat
    from cobot_discord.testing.payloads import Payload
    from cobot_discord.testing.world import World

PRIVILEGED = {"members": 1 << 1, "presences": 1 << 8, "message_content": 1 << 15}
DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME, REQUEST_MEMBERS = 0, 1, 2, 3, 4, 6, 8
RECONNECT, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 9, 10, 11
REORDER_PATIENCE = 0.05
"""Seconds an event that is to be overtaken waits for another one."""


@dataclass(eq=False, slots=True)
class GatewaySession:
    """What IDENTIFY began: it keeps every event for a RESUME."""

    id: str
    intents: int
    seq: int = 0
    log: list[tuple[int, str]] = field(default_factory=list)
    connection: Connection | None = None
    held: str | None = None

    def deliver(self, event: str, data: Payload) -> None:
        """Number an event, keep it, and put it on the connection, if there is one."""
        self.seq += 1
        text = json.dumps({"op": DISPATCH, "t": event, "s": self.seq, "d": data})
        self.log.append((self.seq, text))
        if self.connection:
            self.connection.put(text)


class Gateway:
    """Accepts connections, numbers events, and does what it is told to get wrong.

    Attributes:
        heartbeat_interval: seconds, as HELLO tells.
        acknowledging: answer heartbeats.
        strict: close a connection whose heartbeats stay away (1.5 intervals).
        privileged: the privileged intents that are switched on for the bot.
        accepting: let anyone connect.
        identified: how many IDENTIFYs were accepted; `resumed`: RESUMEs.
        presences: what the bot showed, in order.
    """

    def __init__(self, world: World, faults: Faults, token: str) -> None:
        self.world = world
        self.faults = faults
        self.token = token
        self.heartbeat_interval = 41.25
        self.acknowledging = True
        self.strict = True
        self.privileged = set(PRIVILEGED)
        self.accepting = True
        self.resume_url = ""
        self.identified = 0
        self.resumed = 0
        self.heartbeats = 0
        self.presences: list[dict[str, Any]] = []
        self.sessions: dict[str, GatewaySession] = {}
        self.connections: set[Connection] = set()
        self.closed_with: list[int] = []
        self._serving: asyncio.AbstractEventLoop | None = None
        world.emit = self._emit

    # Orders

    def reconnect(self) -> None:
        """Order the bot to reconnect (opcode 7)."""
        self._each(lambda connection: connection.put(_frame(RECONNECT, None)))

    def invalidate(self, *, resumable: bool = False) -> None:
        """Invalidate the session (opcode 9); unless `resumable`, its events are gone."""
        if not resumable:
            self.forget_sessions()
        self._each(lambda connection: connection.put(_frame(INVALID_SESSION, resumable)))

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
        self.world.changes.wait(lambda: claim(self) or None, timeout, self._story)

    async def wait_until_async(
        self, claim: Callable[[Gateway], bool], *, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """Do what `wait_until` does without blocking the event loop."""
        await self.world.changes.wait_async(lambda: claim(self) or None, timeout, self._story)

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
            connection.put(_frame(HELLO, {"heartbeat_interval": interval}))
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

    def _act(self, connection: Connection, frame: Any) -> None:
        op = frame.get("op") if isinstance(frame, dict) else None
        if op == HEARTBEAT:
            self._beat(connection)
        elif op == IDENTIFY:
            self._identify(connection, frame["d"])
        elif op == RESUME:
            self._resume(connection, frame["d"])
        else:
            self._act_in_session(connection, op, frame)

    def _beat(self, connection: Connection) -> None:
        self.heartbeats += 1
        if self.acknowledging:
            connection.put(_frame(HEARTBEAT_ACK, None))

    def _act_in_session(self, connection: Connection, op: int | None, frame: Any) -> None:
        session = self._session_on(connection)
        if session is None:
            connection.put(Close(4003))
        elif op == PRESENCE:
            self._present(frame["d"])
        elif op == REQUEST_MEMBERS:
            self._members(session, frame["d"])
        elif op != VOICE_STATE:  # which this server takes and ignores
            connection.put(Close(4001))

    def _session_on(self, connection: Connection) -> GatewaySession | None:
        return next((s for s in self.sessions.values() if s.connection is connection), None)

    def _identify(self, connection: Connection, data: Payload) -> None:
        refusal = self._refusal(connection, data)
        if refusal:
            connection.put(Close(refusal))
            return
        session = GatewaySession(self.world.new_id(), data["intents"], connection=connection)
        self.sessions[session.id] = session
        self.identified += 1
        if data.get("presence"):
            self._present(data["presence"])
        session.deliver("READY", self._ready(session))
        for guild in self.world.guilds.values():
            session.deliver("GUILD_CREATE", payloads.guild(guild))

    def _refusal(self, connection: Connection, data: Payload) -> int:
        if self._session_on(connection):
            return 4005
        if data.get("token") != self.token:
            return 4004
        if not isinstance(data.get("intents"), int):
            return 4013
        denied = [bit for name, bit in PRIVILEGED.items() if name not in self.privileged]
        return 4014 if any(data["intents"] & bit for bit in denied) else 0

    def _ready(self, session: GatewaySession) -> Payload:
        bot = self.world.bot
        return {
            "v": 10,
            "user": payloads.user(bot),
            "guilds": [{"id": each, "unavailable": True} for each in self.world.guilds],
            "private_channels": [],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.resume_url,
            "application": {"id": bot.id, "flags": 0},
        }

    def _resume(self, connection: Connection, data: Payload) -> None:
        session = self.sessions.get(data.get("session_id") or "")
        if data.get("token") != self.token:
            connection.put(Close(4004))
        elif session is None:
            connection.put(_frame(INVALID_SESSION, False))
        elif not 0 <= (data.get("seq") or 0) <= session.seq:
            connection.put(Close(4007))
        else:
            self.resumed += 1
            session.connection = connection
            for seq, text in session.log:
                if seq > (data.get("seq") or 0):
                    connection.put(text)
            session.deliver("RESUMED", {})

    def _present(self, presence: Payload) -> None:
        self.world.presence = presence
        self.presences.append(presence)

    def _members(self, session: GatewaySession, data: Payload) -> None:
        guild = self.world.guilds.get(str(data.get("guild_id")))
        if guild is None:
            return
        wanted = {str(each) for each in data.get("user_ids") or guild.members}
        found = [self.world.users[each] for each in guild.members if each in wanted]
        body = {"guild_id": guild.id, "chunk_index": 0, "chunk_count": 1, "not_found": []}
        body |= {"members": [payloads.member(guild, each, with_user=True) for each in found]}
        session.deliver("GUILD_MEMBERS_CHUNK", body | {"nonce": data.get("nonce")})

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

    def _story(self) -> str:
        return (
            f"the gateway saw {self.identified} IDENTIFY, {self.resumed} RESUME, "
            f"{self.heartbeats} heartbeats and has {len(self.connections)} connections"
        )


def _frame(op: int, data: Any) -> str:
    return json.dumps({"op": op, "d": data, "s": None, "t": None})
