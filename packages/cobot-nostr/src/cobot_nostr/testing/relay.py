"""A relay over a real socket: NIP-01, 09, 11, 40 and 42, and the troubles a test orders."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http
import json
import secrets
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from cobot_nostr.event import Event, EventError, matches, parse_event
from cobot_nostr.testing import faults as fault
from cobot_nostr.testing.store import Store, has_expired

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_nostr.testing.changes import Changes
    from cobot_nostr.testing.faults import Fault, Faults

_AUTH_KIND = 22242
_AUTH_AGE = 600
_CLIENT_MESSAGES = frozenset({"EVENT", "REQ", "CLOSE", "AUTH"})


class _Cut(Exception):  # it ends a connection, it is no error
    """Drop this connection now."""


class TestingRelay:
    """One relay.

    Attributes:
        url: where it listens; the same after a restart.
        auth_required: refuse to read and write without NIP-42.
        info: the NIP-11 document.
        files: what it serves over HTTP, by path.
        counts: messages received, by name, and connections (`connect`).
    """

    __test__ = False  # for pytest: a class named so is not a test

    def __init__(self, changes: Changes, faults: Faults, on_event: Callable[[Event], None]) -> None:
        self.url = ""
        self.auth_required = False
        self.info: dict[str, Any] = {
            "name": "cobot testing relay",
            "supported_nips": [1, 9, 11, 40, 42],
        }
        self.counts: dict[str, int] = {}
        self.files: dict[str, bytes] = {}
        self.store = Store()
        self._changes = changes
        self._faults = faults
        self._on_event = on_event
        self._connections: set[_Connection] = set()
        self._server: Server | None = None
        self._port = 0
        self._reserved: socket.socket | None = None

    @property
    def events(self) -> list[Event]:
        """What it stores, newest first."""
        with self._changes:
            return self.store.query([{"limit": len(self.store)}])

    @property
    def listens(self) -> bool:
        """It accepts connections."""
        return self._server is not None

    async def start_async(self) -> None:
        """Listen, on the port it had before."""
        self._server = await serve(
            self._serve,
            sock=self._bound(),
            process_request=self._answer_http,
            max_size=2**20,
            ping_interval=None,
            compression=None,
        )
        self._changes.notify()

    def _bound(self) -> socket.socket:
        """Return a socket at our port, which stays ours while nobody listens.

        Another socket is bound to it as long as the relay lives; otherwise a client that connects
        while the relay is away may be given the very port it asks for.
        """
        if self._reserved is None:
            self._reserved = _bind(0)
            self._port = self._reserved.getsockname()[1]
            self.url = f"ws://127.0.0.1:{self._port}"
        return _bind(self._port)

    def release(self) -> None:
        """Give the port back."""
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    async def stop_async(self) -> None:
        """Drop all connections and listen no more."""
        server, self._server = self._server, None
        if server is not None:
            for connection in list(self._connections):
                connection.drop()
            server.close()
            await server.wait_closed()
        self._changes.notify()

    async def restart_async(self, *, forget: bool = False) -> None:
        """Stop and start; with `forget`, without what was stored."""
        await self.stop_async()
        if forget:
            with self._changes:
                self.store = Store()
        await self.start_async()

    def start(self) -> None:
        """Do what `start_async` does, from any thread but the server's."""
        self._run(self.start_async())

    def stop(self) -> None:
        """Do what `stop_async` does, from any thread but the server's."""
        self._run(self.stop_async())

    def restart(self, *, forget: bool = False) -> None:
        """Do what `restart_async` does, from any thread but the server's."""
        self._run(self.restart_async(forget=forget))

    def _run(self, work: Any) -> None:
        if self._changes.loop is None:
            work.close()
            raise RuntimeError("the server is not running: enter it with `with` first")
        asyncio.run_coroutine_threadsafe(work, self._changes.loop).result(10)

    def drop_connections(self) -> None:
        """Cut every connection, without a closing handshake."""

        def cut() -> None:
            for connection in list(self._connections):
                connection.drop()

        self._soon(cut)

    def accept(self, event: Event) -> str:
        """Take an event as if a client had sent it; return why it is not kept, or empty."""
        with self._changes:
            if has_expired(event, time.time()):
                return "invalid: it has expired"
            refused = self.store.add(event)
            if not refused:
                self._on_event(event)
        if not refused:
            self._soon(lambda: self._tell(event))
            self._changes.notify()
        return refused

    def sends(self, frame: str) -> None:
        """Send a text frame of any content to every connection."""

        def push() -> None:
            for connection in self._connections:
                connection.push(frame)

        self._soon(push)

    def wait_for_subscription(self, kind: int, timeout: float = 10.0) -> None:
        """Block until a client is subscribed to events of this kind."""
        self._changes.wait(
            lambda: self._is_subscribed(kind), timeout, lambda: f"nobody subscribed to kind {kind}"
        )

    async def wait_for_subscription_async(self, kind: int, timeout: float = 10.0) -> None:
        """Do what `wait_for_subscription` does without blocking the loop."""
        await self._changes.wait_async(
            lambda: self._is_subscribed(kind), timeout, lambda: f"nobody subscribed to kind {kind}"
        )

    def _is_subscribed(self, kind: int) -> bool:
        return any(
            kind in one.get("kinds", ())
            for connection in self._connections
            for filters in connection.subscriptions.values()
            for one in filters
        )

    def count(self, name: str) -> None:
        """Count a message; wakes what waits for it."""
        with self._changes:
            self.counts[name] = self.counts.get(name, 0) + 1
        self._changes.notify()

    def _soon(self, act: Callable[[], object]) -> None:
        loop = self._changes.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(act)

    def _tell(self, event: Event) -> None:
        for connection in list(self._connections):
            for name, filters in connection.subscriptions.items():
                if matches(event, filters):
                    connection.deliver(name, event)

    def _answer_http(self, _: ServerConnection, request: Request) -> Response | None:
        if request.path in self.files:
            return _response(self.files[request.path], "application/octet-stream")
        if "application/nostr+json" in request.headers.get("Accept", ""):
            return _response(json.dumps(self.info).encode(), "application/nostr+json")
        return None

    def keeps(self, data: bytes) -> str:
        """Keep a file and return the address where it is found."""
        path = f"/{hashlib.sha256(data).hexdigest()}"
        self.files[path] = data
        return self.url.replace("ws:", "http:") + path

    async def _serve(self, peer: ServerConnection) -> None:
        connection = _Connection(self, peer, self._faults)
        self._connections.add(connection)
        self.count("connect")
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._changes.notify()


class _Connection:
    def __init__(self, relay: TestingRelay, peer: ServerConnection, faults: Faults) -> None:
        self.subscriptions: dict[str, list[dict[str, Any]]] = {}
        self._relay = relay
        self._peer = peer
        self._faults = faults
        self._outbox: asyncio.Queue[str | Fault] = asyncio.Queue()
        self._challenge = secrets.token_hex(8)
        self._authenticated: set[str] = set()
        self._silent = False

    def drop(self) -> None:
        if self._peer.transport is not None:
            self._peer.transport.abort()

    def push(self, frame: str | Fault) -> None:
        self._outbox.put_nowait(frame)

    def send(self, *message: object) -> None:
        self.push(json.dumps(message, ensure_ascii=False))

    async def run(self) -> None:
        writer = asyncio.create_task(self._write())
        try:
            await self._meet("connect")
            self.send("AUTH", self._challenge)
            async for frame in self._peer:
                await self._take(frame)
        except _Cut:
            self.drop()
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await writer

    async def _write(self) -> None:
        while True:
            frame = await self._outbox.get()
            if isinstance(frame, fault.Hang):
                await asyncio.sleep(frame.seconds)
            elif not isinstance(frame, str):
                self.drop()
            elif not self._silent:
                await self._peer.send(frame)

    async def _meet(self, on: str, to: str | None = None) -> Fault | None:
        """Return the trouble that is left to deal with; delays and cuts are dealt with here."""
        found = self._faults.draw(on, self._relay.url, to)
        match found:
            case fault.Hang(seconds):
                await asyncio.sleep(seconds)
                return None
            case fault.CutBefore():
                raise _Cut
            case fault.HalfOpen():
                self._silent = True
        return found

    async def _take(self, frame: str | bytes) -> None:
        if self._silent:
            return
        try:
            message = json.loads(frame)
            name, rest = message[0], message[1:]
        except (ValueError, TypeError, IndexError, KeyError, RecursionError):
            self.send("NOTICE", "error: not a message")
            return
        if name not in _CLIENT_MESSAGES:
            self.send("NOTICE", "error: unknown message")
            return
        self._relay.count(name)
        met = None if name == "CLOSE" else await self._meet(name, _addressee(rest))
        if not isinstance(met, fault.Drop | fault.HalfOpen):
            getattr(self, f"_on_{name.lower()}")(rest, met)
        if isinstance(met, fault.CutAfter):
            raise _Cut

    def _on_event(self, rest: list[Any], met: Fault | None) -> None:
        given = rest[0] if rest and isinstance(rest[0], dict) else {}
        try:
            event = parse_event(given)
        except EventError as error:
            self.send("OK", given.get("id", ""), False, f"invalid: {error}")
            return
        if isinstance(met, fault.Refuse):
            self.send("OK", event.id, False, met.reason)
        elif self._must_authenticate():
            self.send("OK", event.id, False, "auth-required: only for those I know")
        else:
            refused = self._relay.accept(event)
            if not isinstance(met, fault.Swallow | fault.CutAfter):
                self.send("OK", event.id, refused.startswith("duplicate") or not refused, refused)

    def _on_req(self, rest: list[Any], met: Fault | None) -> None:
        name, filters = str(rest[0]) if rest else "", rest[1:]
        if not filters or not all(isinstance(one, dict) for one in filters):
            self.send("CLOSED", name, "invalid: a REQ has filters")
        elif isinstance(met, fault.Refuse):
            self.send("CLOSED", name, met.reason)
        elif self._must_authenticate():
            self.send("CLOSED", name, "auth-required: only for those I know")
        else:
            self.subscriptions[name] = filters
            if not isinstance(met, fault.FakeEose):
                for event in self._relay.store.query(filters):
                    self.deliver(name, event)
            self.send("EOSE", name)
            self._relay._changes.notify()

    def _on_close(self, rest: list[Any], _: Fault | None) -> None:
        self.subscriptions.pop(str(rest[0]) if rest else "", None)

    def _on_auth(self, rest: list[Any], met: Fault | None) -> None:
        try:
            event = parse_event(rest[0] if rest else None)
        except EventError as error:
            self.send("NOTICE", f"invalid: {error}")
            return
        reason = met.reason if isinstance(met, fault.Refuse) else self._wrong_auth(event)
        if not reason:
            self._authenticated.add(event.pubkey)
        self.send("OK", event.id, not reason, reason)

    def _wrong_auth(self, event: Event) -> str:
        right = (
            event.kind == _AUTH_KIND
            and event.value("challenge") == self._challenge
            and (event.value("relay") or "").rstrip("/") == self._relay.url
            and abs(time.time() - event.created_at) <= _AUTH_AGE
        )
        return "" if right else "restricted: this is no answer to my challenge"

    def _must_authenticate(self) -> bool:
        return self._relay.auth_required and not self._authenticated

    def deliver(self, name: str, event: Event) -> None:
        met = self._faults.draw("deliver", self._relay.url, event.value("p"))
        if isinstance(met, fault.Drop):
            return
        if isinstance(met, fault.HalfOpen):
            self._silent = True
        if isinstance(met, fault.Hang | fault.CutBefore):
            self.push(met)
        if isinstance(met, fault.Forge):
            event = replace(event, sig=event.sig[-2:] + event.sig[:-2])
        for _ in range(2 if isinstance(met, fault.Duplicate) else 1):
            self.send("EVENT", name, event.to_dict())
        if isinstance(met, fault.CutAfter):
            self.push(met)


def _bind(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    option = getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR)
    made.setsockopt(socket.SOL_SOCKET, option, 1)
    made.bind(("127.0.0.1", port))
    return made


def _addressee(rest: list[Any]) -> str | None:
    """Return the public key in the first `p` tag of an event, if there is one."""
    tags = rest[0].get("tags") if rest and isinstance(rest[0], dict) else None
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, list) and tag[:1] == ["p"] and len(tag) > 1:
            return str(tag[1])
    return None


def _response(body: bytes, kind: str) -> Response:
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body))})
    return Response(http.HTTPStatus.OK, "OK", headers, body)
