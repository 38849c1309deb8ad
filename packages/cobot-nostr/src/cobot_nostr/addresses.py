"""Which relays a stranger may make us connect to.

A person's list of inbox relays (kind 10050) is written by that person, so it could name a host
inside our own network. Such a relay must have a public address, and the address that was checked
is the one that is connected to.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from cobot_session.attachments import is_public

_PORTS = {"wss": 443, "ws": 80}
_MAX_URL = 300


def normalised(url: str) -> str | None:
    """Return a relay's url in one spelling, or `None`: it is not one."""
    if len(url) > _MAX_URL or not url.isascii() or any(c.isspace() for c in url):
        return None
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in _PORTS or not host or parts.username or parts.password:
        return None
    scheme = parts.scheme.lower()
    shown = f"[{host}]" if ":" in host else host
    place = shown if port in (None, _PORTS[scheme]) else f"{shown}:{port}"
    return urlunsplit((scheme, place, parts.path.rstrip("/"), parts.query, ""))


async def checked_address(url: str) -> dict[str, Any]:
    """Return `host` and `port` of a public address of that relay.

    Raises:
        OSError: its name has no address, or one that is not public.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    addresses = [entry[4][0] for entry in found]
    if not addresses or not all(is_public(str(one)) for one in addresses):
        raise OSError("an address named by a stranger must be a public address")
    return {"host": addresses[0], "port": port}
