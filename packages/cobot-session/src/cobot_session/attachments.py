"""What strangers say of attachments, made harmless: names, types, sizes, addresses.

For channels: `public_addresses` before anything that a message names is fetched, again for each
redirect, connecting to what it returned; `bounded` for what is read; `safe_filename` before a name
becomes a path. What a channel returns from `session_receive` is cleaned by the session.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cobot_session.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

MAX_NAME = 150
"""Bytes of UTF-8 that a file name may have: file systems take 255, and leave room for suffixes."""
MAX_URL = 8192
RESOLVE_SECONDS = 10.0

_MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_FORBIDDEN = frozenset('<>:"|?*')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
"""Names that are devices on Windows, with any suffix."""
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def safe_filename(name: str | None, default: str = "attachment") -> str:
    """Return a name that is one, wherever it is used: no path, nothing unseen, not too long.

    Args:
        name: as a stranger gave it, such as `../../.bashrc`.
        default: what stands for a name of which nothing is left.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name or ""))[-1]
    shown = "".join("_" if one in _FORBIDDEN else one for one in last if _is_shown(one))
    shown = shown.strip().strip(".").strip()
    if not shown:
        return default
    return _shortened(f"_{shown}" if _RESERVED.fullmatch(shown) else shown)


def safe_mime_type(text: str | None) -> str | None:
    """Return a MIME type without its parameters, in lower case; `None` when it is none."""
    kind = (text or "").partition(";")[0].strip().lower()
    return kind if _MIME.fullmatch(kind) else None


def safe_size(size: Any) -> int | None:
    """Return a number of bytes; `None` when it is none."""
    return size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None


def safe_url(url: str | None) -> str | None:
    """Return a web address; `None` for anything else, such as `file:` or `javascript:`."""
    if not url or len(url) > MAX_URL or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return url if parts.scheme in _PORTS and named else None


async def public_addresses(url: str, *, private: bool = False) -> list[str]:
    """Return the IP addresses behind a web address that a stranger named.

    Connect to one of these, not to the name: asked again, it may stand for another. A redirect
    names another address, which is asked for as well.

    Args:
        url: http or https.
        private: addresses that are not public will do, too.

    Raises:
        PermanentError: it is no web address, or one of its addresses is not public.
        TemporaryError: its name cannot be resolved now.
    """
    if safe_url(url) is None:
        raise PermanentError("only an address that begins with http:// or https:// is fetched")
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (TimeoutError, OSError, UnicodeError) as error:
        raise TemporaryError(f"the host {parts.hostname} cannot be found") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not private and not all(map(is_public, addresses)):
        raise PermanentError(
            f"the host {parts.hostname} has an address that is not public, and is not asked"
        )
    return addresses


def is_public(address: str) -> bool:
    """Tell whether an IP address, and every one that it holds within, is a public one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        held = [one for one in inner if one is not None]
        if held:
            return all(one.is_global and not one.is_multicast for one in held)
    return ip.is_global and not ip.is_multicast


async def bounded(pieces: AsyncIterable[bytes], most: int) -> bytes:
    """Return the pieces of a body as one, and stop reading one that is too long.

    Raises:
        PermanentError: it has more than `most` bytes.
    """
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > most:
            raise PermanentError(f"the attachment is larger than {most} bytes")
    return bytes(body)


def _is_shown(character: str) -> bool:
    """Tell whether one sees a character: no control, no turning of the writing's direction."""
    return unicodedata.category(character)[0] != "C" and character not in "\u2028\u2029"


def _shortened(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    tail = dot + suffix if stem and len((dot + suffix).encode()) <= MAX_NAME // 4 else ""
    head = name.removesuffix(tail).encode()[: MAX_NAME - len(tail.encode())]
    return head.decode(errors="ignore") + tail
