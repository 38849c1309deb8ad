"""What is asked over HTTP: a relay's document (NIP-11), an address (NIP-05), an attachment.

Addresses come from strangers, so each is looked up first and must be public, nothing is read beyond
a bound, and no answer is waited for longer than a moment.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

from cobot_nostr.addresses import checked_address
from cobot_nostr.crypto import is_public_key
from cobot_session.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    from logging import Logger

MAX_DOCUMENT = 256 * 1024
MAX_FILE = 50 * 1024 * 1024
_SECONDS = 10.0
_MOST_REDIRECTS = 3
_PERMANENT = range(400, 500)
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429})


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

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def relay_document(self, url: str) -> object:
        """Return the NIP-11 document of one of our relays, `None` when it has none."""
        scheme, _, rest = url.partition("://")
        address = f"{'https' if scheme == 'wss' else 'http'}://{rest}"
        try:
            headers = {"Accept": "application/nostr+json"}
            return json.loads(await self._read(address, MAX_DOCUMENT, headers))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError):
            return None
        except (PermanentError, TemporaryError):
            return None

    async def public_key(self, address: str) -> str | None:
        """Return the public key behind `name@example.com` (NIP-05); `None`: it names none."""
        name, _, domain = address.strip().lower().rpartition("@")
        name = name or "_"
        url = f"https://{domain}/.well-known/nostr.json?name={name}"
        try:
            await self._check(url)
            document = json.loads(await self._read(url, MAX_DOCUMENT, {}))
            found = document["names"][name]
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError):
            return None
        except (PermanentError, TemporaryError, KeyError, TypeError):
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
                await self._check(url)
                found = await self._read(url, MAX_FILE, {}, follow=True)
                if isinstance(found, bytes):
                    return found
                url = urljoin(url, found)
        except httpx.InvalidURL:
            raise PermanentError("the attachment's address is not valid") from None
        except (httpx.HTTPError, OSError) as error:
            raise TemporaryError(f"the attachment: {type(error).__name__}") from None
        raise PermanentError("the attachment's address redirects too often")

    async def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise PermanentError("an attachment is fetched over https or http only")
        if not self._anywhere:
            await checked_address(url)

    async def _read(
        self, url: str, most: int, headers: dict[str, str], *, follow: bool = False
    ) -> bytes | str:
        """Return the body, or where to look instead."""
        async with self._client.stream("GET", url, headers=headers) as answer:
            if follow and answer.status_code in _REDIRECT:
                return str(answer.headers.get("Location", ""))
            if answer.status_code != httpx.codes.OK:
                wrong = f"the server answered {answer.status_code}"
                if answer.status_code in _PERMANENT and answer.status_code not in _BUSY:
                    raise PermanentError(wrong)
                raise TemporaryError(wrong)
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > most:
                    raise PermanentError(f"it is larger than {most} bytes")
            return bytes(body)
