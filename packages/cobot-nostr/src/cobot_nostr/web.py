"""What is asked over HTTP: a relay's document (NIP-11), an address (NIP-05), an attachment.

Addresses come from strangers, so each is looked up first and must be public, nothing is read beyond
a bound, and no answer is waited for longer than a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx

from cobot_nostr.crypto import is_public_key
from cobot_session.attachments import bounded, public_addresses
from cobot_session.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    from logging import Logger

MAX_DOCUMENT = 256 * 1024
MAX_FILE = 50 * 1024 * 1024
_SECONDS = 10.0
_MOMENT = 1.0
"""Seconds that a question which nobody waits for any more may take to its end. Cancelled while it
connects, httpx can leave a socket open."""
_MOST_REDIRECTS = 3
_MOST_ADDRESSES = 3
_PERMANENT = range(400, 500)
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429})
_TROUBLES = (httpx.HTTPError, httpx.InvalidURL, OSError, PermanentError, TemporaryError)


class Web:
    """A small HTTP client.

    Args:
        log: where trouble is told.
        anywhere: ask addresses that are not public, too.
    """

    def __init__(self, log: Logger, *, anywhere: bool = False) -> None:
        self._log = log
        self._anywhere = anywhere
        self._client = httpx.AsyncClient(timeout=_SECONDS, headers={"User-Agent": "cobot-nostr"})
        self._asking: set[asyncio.Task[bytes | str]] = set()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._asking:
            _, late = await asyncio.wait(self._asking, timeout=_MOMENT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._client.aclose()

    async def relay_document(self, url: str) -> object:
        """Return the NIP-11 document of one of our relays, `None` when it has none."""
        scheme, _, rest = url.partition("://")
        address = f"{'https' if scheme == 'wss' else 'http'}://{rest}"
        headers = {"Accept": "application/nostr+json"}
        try:
            return json.loads(await self._read(address, MAX_DOCUMENT, headers=headers))
        except (*_TROUBLES, ValueError, RecursionError):
            return None

    async def public_key(self, address: str) -> str | None:
        """Return the public key behind `name@example.com` (NIP-05); `None`: it names none."""
        name, _, domain = address.strip().lower().rpartition("@")
        name = name or "_"
        url = f"https://{domain}/.well-known/nostr.json?name={name}"
        try:
            document = json.loads(await self._read_pinned(url, MAX_DOCUMENT))
            found = document["names"][name]
        except (*_TROUBLES, ValueError, RecursionError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) and is_public_key(found) else None

    async def file(self, url: str) -> bytes:
        """Return what an address holds, at most 50 MiB.

        Raises:
            TemporaryError: it cannot be had now.
            PermanentError: it will never be had.
        """
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                found = await self._read_pinned(url, MAX_FILE, follow=True)
                if isinstance(found, bytes):
                    return found
                url = urljoin(url, found)
        except (httpx.InvalidURL, UnicodeError):
            raise PermanentError("the attachment's address is not valid") from None
        except (httpx.HTTPError, OSError) as error:
            raise TemporaryError(f"the attachment: {type(error).__name__}") from None
        raise PermanentError("the attachment's address redirects too often")

    async def _read_pinned(self, url: str, most: int, *, follow: bool = False) -> bytes | str:
        """Read what a stranger named, from an address that was looked at before.

        Asked again, the name might stand for another one; so it is told to the server only, as
        `Host` and, over TLS, as the name in the certificate.
        """
        addresses = await public_addresses(url, private=self._anywhere)
        named = httpx.URL(url)
        for address in addresses[:_MOST_ADDRESSES]:
            with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._read(
                    named.copy_with(host=address, userinfo=b""),
                    most,
                    headers={"Host": named.netloc.decode("ascii")},
                    extensions={"sni_hostname": named.raw_host.decode("ascii")},
                    follow=follow,
                )
        raise TemporaryError(f"the host {named.host} cannot be reached")

    async def _read(
        self,
        url: httpx.URL | str,
        most: int,
        *,
        headers: dict[str, str],
        extensions: dict[str, Any] | None = None,
        follow: bool = False,
    ) -> bytes | str:
        """Return the body, or where to look instead; who is cancelled leaves it a moment to end."""
        asking = asyncio.create_task(self._ask(url, most, headers, extensions, follow))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(_MOMENT, asking.cancel)
            raise

    async def _ask(
        self,
        url: httpx.URL | str,
        most: int,
        headers: dict[str, str],
        extensions: dict[str, Any] | None,
        follow: bool,
    ) -> bytes | str:
        async with self._client.stream(
            "GET", url, headers=headers, extensions=extensions
        ) as answer:
            if follow and answer.status_code in _REDIRECT:
                return str(answer.headers.get("Location", ""))
            if answer.status_code != httpx.codes.OK:
                wrong = f"the server answered {answer.status_code}"
                if answer.status_code in _PERMANENT and answer.status_code not in _BUSY:
                    raise PermanentError(wrong)
                raise TemporaryError(wrong)
            return await bounded(answer.aiter_bytes(), most)
