"""A relay over a real socket: NIP-01, 09, 11, 40 and 42, and the troubles a test orders."""

from __future__ import annotations

import asyncio
import hashlib
import http
import json
import socket
import time
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from cobot_nostr.event import Event, matches
from cobot_nostr.testing.changes import DEFAULT_TIMEOUT
from cobot_nostr.testing.connection import Connection
from cobot_nostr.testing.store import Store, has_expired

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_nostr.testing.changes import Changes
    from cobot_nostr.testing.faults import Faults

PATIENCE = 60.0
"""Seconds that another thread waits for what it asks of the one that serves."""


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
        self._connections: set[Connection] = set()
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
            close_timeout=1,
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

    def _drop_all(self) -> None:
        for connection in list(self._connections):
            connection.drop()

    def release(self) -> None:
        """Give the port back."""
        self._drop_all()
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    async def stop_async(self) -> None:
        """Drop all connections and listen no more."""
        server, self._server = self._server, None
        if server is not None:
            await _let_nobody_in(server)
            self._drop_all()
            server.close()
            await server.wait_closed()
            self._drop_all()  # also whom the system let in at the last moment
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
        asyncio.run_coroutine_threadsafe(work, self._changes.loop).result(PATIENCE)

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

    def wait_for_subscription(self, kind: int, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Block until a client is subscribed to events of this kind."""
        self._changes.wait(
            lambda: self._is_subscribed(kind), timeout, lambda: f"nobody subscribed to kind {kind}"
        )

    async def wait_for_subscription_async(
        self, kind: int, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
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
        connection = Connection(self, peer, self._faults)
        self._connections.add(connection)
        self.count("connect")
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._changes.notify()


async def _let_nobody_in(server: Server) -> None:
    """Accept no more, and finish with those accepted: asyncio leaks a client met while closing."""
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(3):
        await asyncio.sleep(0)


def _bind(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    option = getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR)
    made.setsockopt(socket.SOL_SOCKET, option, 1)
    made.bind(("127.0.0.1", port))
    return made


def _response(body: bytes, kind: str) -> Response:
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body))})
    return Response(http.HTTPStatus.OK, "OK", headers, body)
