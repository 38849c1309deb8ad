"""One client at a testing relay: what it asks is answered, or goes wrong as ordered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed

from cobot_nostr.event import Event, EventError, parse_event
from cobot_nostr.testing import faults as fault

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

    from cobot_nostr.testing.faults import Fault, Faults
    from cobot_nostr.testing.relay import TestingRelay

_AUTH_KIND = 22242
_AUTH_AGE = 600
_CLIENT_MESSAGES = frozenset({"EVENT", "REQ", "CLOSE", "AUTH"})


class _Cut(Exception):  # it ends a connection, it is no error
    """Drop this connection now."""


class Connection:
    """One client of a relay."""

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
        """Cut it, without a closing handshake."""
        if self._peer.transport is not None:
            self._peer.transport.abort()

    def push(self, frame: str | Fault) -> None:
        """Send a frame after those before it; a fault happens when its turn comes."""
        self._outbox.put_nowait(frame)

    def send(self, *message: object) -> None:
        """Send a message."""
        self.push(json.dumps(message, ensure_ascii=False))

    async def run(self) -> None:
        """Serve the client until it is gone."""
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
        """Send an event to one of the client's subscriptions."""
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


def _addressee(rest: list[Any]) -> str | None:
    """Return the public key in the first `p` tag of an event, if there is one."""
    tags = rest[0].get("tags") if rest and isinstance(rest[0], dict) else None
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, list) and tag[:1] == ["p"] and len(tag) > 1:
            return str(tag[1])
    return None
