"""What the gateway answers to what a bot sends, and the sessions that outlive its connections.

https://discord.com/developers/docs/events/gateway, version 10.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cobot_discord.testing import payloads
from cobot_discord.testing.connection import Close, Connection

if TYPE_CHECKING:
    from cobot_discord.testing.faults import Faults
    from cobot_discord.testing.payloads import Payload
    from cobot_discord.testing.world import World

PRIVILEGED = {"members": 1 << 1, "presences": 1 << 8, "message_content": 1 << 15}
DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME, REQUEST_MEMBERS = 0, 1, 2, 3, 4, 6, 8
RECONNECT, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 9, 10, 11


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


class Protocol:
    """Acts on frames.

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
            connection.put(frame_of(HEARTBEAT_ACK, None))

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
            connection.put(frame_of(INVALID_SESSION, False))
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


def frame_of(op: int, data: Any) -> str:
    """Return the text of a frame that is no event."""
    return json.dumps({"op": op, "d": data, "s": None, "t": None})
