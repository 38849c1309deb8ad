"""discord.py's HTTP client, pointed where we want and saying what happened in the session's words.

What a request met is told apart while it is under way: refused before it left (try again), without
an answer (nobody knows), rate limited (how long), refused for good.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
import yarl
from aiohttp import ClientTimeout
from discord.errors import DiscordException, HTTPException
from discord.gateway import DiscordClientWebSocketResponse
from discord.http import HTTPClient, Route

from cobot_discord.inflate import MOST
from cobot_discord.rates import Bucket, seconds_told
from cobot_session.attachments import bounded
from cobot_session.errors import (
    AuthError,
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    RateLimited,
    TemporaryError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
    from discord.file import File
    from discord.http import Ratelimit

    from cobot_discord.clock import Clock

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
JSON_SECONDS = 30.0
UPLOAD_SECONDS = 100.0
CLOSE_SECONDS = 2.0
_PIECE = 1 << 16
UNREACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""What aiohttp raises when a request did not leave."""
_GATEWAY_TROUBLE = frozenset({502, 504, 524})
"""Answers of a proxy that does not know what became of the request."""
_PROXY_PAUSE, _PAUSE = 60.0, 1.0
"""Seconds to wait where a 429 does not say how long: the proxy's, and Discord's own."""


class Rest(HTTPClient):
    """One client's requests, and the socket of its gateway.

    Args:
        loop: as discord.py gives it.
        api_url: where requests go.
        max_download: bytes that a download may have.
        clock: hears Discord's time from each answer.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, api_url: str, max_download: int, clock: Clock
    ) -> None:
        super().__init__(loop)
        self._clock = clock
        self._max_download = max_download
        self._api_url = api_url
        self._blocked_until = 0.0
        self._sockets: aiohttp.ClientSession | None = None
        self.downloads: aiohttp.ClientSession | None = None

    async def request(
        self,
        route: Route,
        *,
        files: Sequence[File] | None = None,
        form: Iterable[dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make a request.

        Raises:
            RateLimited, TemporaryError: it was not carried out.
            OutcomeUnknown: it left and no answer came.
            PermanentError: Discord refuses it for good.
            AuthError: Discord refuses the token.
        """
        route.url = self._api_url + route.url.removeprefix(route.BASE)
        seconds = UPLOAD_SECONDS if form else JSON_SECONDS
        timeout = ClientTimeout(total=seconds, connect=CONNECT_SECONDS)
        what = f"{route.method} {route.path}"
        try:
            return await super().request(
                route, files=files, form=form, timeout=timeout, middlewares=(self._watch,), **kwargs
            )
        except HTTPException as error:
            raise error_of(what, error) from None
        except (DiscordException, RuntimeError) as error:
            raise TemporaryError(f"{what}: {error}") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise OutcomeUnknown(f"{what}: no answer ({_name(error)})") from error

    def get_ratelimit(self, key: str) -> Ratelimit:
        """Return the bucket of a route."""
        found = self._buckets.get(key)
        if found is None:
            found = self._buckets[key] = Bucket()
            self._try_clear_expired_ratelimits()
        return found

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        """Open the gateway's socket, in a session whose sockets close without long waits."""
        if self._sockets is None:
            self._sockets = aiohttp.ClientSession(
                ws_response_class=DiscordClientWebSocketResponse,
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(self._hear,),
            )
        return await self._sockets.ws_connect(
            yarl.URL(url).update_query(compress="zlib-stream"),
            max_msg_size=MOST,
            autoclose=False,
            compress=compress,
            headers={"User-Agent": self.user_agent},
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )

    async def close(self) -> None:
        """Close every connection."""
        await super().close()
        for session in (self._sockets, self.downloads):
            if session is not None:
                await session.close()
        self._sockets = self.downloads = None

    async def download(self, url: str) -> bytes:
        """Return what is behind a link, without showing it the token.

        Raises:
            RefusedError: it is not there (any more).
            PermanentError: it is larger than it may be.
            TemporaryError: it could not be reached.
        """
        if self.downloads is None:
            self.downloads = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self.downloads.get(
                url, timeout=ClientTimeout(UPLOAD_SECONDS), allow_redirects=False
            ) as answer:
                if answer.status == 200:
                    return await bounded(answer.content.iter_chunked(_PIECE), self._max_download)
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TemporaryError(f"download: {_name(error)}") from error
        if status >= 500 or status == 429:
            raise TemporaryError(f"download: HTTP {status}")
        raise RefusedError(f"download: HTTP {status}", status, 0)

    async def _watch(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """See each attempt: what it met is known here, before the library repeats or waits."""
        now = asyncio.get_running_loop().time()
        if now < self._blocked_until:
            raise RateLimited(self._blocked_until - now, "channel", "waiting for a global limit")
        what = f"{request.method} {request.url.path}"
        try:
            answer = await self._hear(request, handler)
        except UNREACHED as error:
            raise TemporaryError(f"{what}: cannot connect ({_name(error)})") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise OutcomeUnknown(f"{what}: no answer ({_name(error)})") from error
        if answer.status == 429:
            raise await self._limited(answer)
        if answer.status >= 500:
            answer.release()
            kind = OutcomeUnknown if answer.status in _GATEWAY_TROUBLE else TemporaryError
            raise kind(f"{what}: Discord answers {answer.status}")
        return answer

    async def _hear(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Learn from an answer what time it is at Discord; a proxy's trouble tells its own."""
        answer = await handler(request)
        if answer.status < 500:
            self._clock.hear(answer.headers.get("Date"))
        return answer

    async def _limited(self, answer: ClientResponse) -> RateLimited:
        """Return what a 429 says; a global one holds all requests back that come later."""
        try:
            told, proxy = json.loads(await answer.text()), False
        except (ValueError, RecursionError, aiohttp.ClientError, TimeoutError):
            told, proxy = None, True  # the proxy's, not Discord's
        told = told if isinstance(told, dict) else {}
        words = (told.get("retry_after"), answer.headers.get("Retry-After"))
        meant = [one for one in map(seconds_told, words) if one is not None]
        seconds = max(0.05, [*meant, _PROXY_PAUSE if proxy else _PAUSE][0])
        everywhere = proxy or told.get("global") is True
        if everywhere:
            self._blocked_until = asyncio.get_running_loop().time() + seconds
        log.warning("rate limited for %g s%s", seconds, " (everything)" if everywhere else "")
        return RateLimited(seconds, "channel" if everywhere else "chat")


def error_of(what: str, error: HTTPException) -> ChannelError:
    """Return what an answer of 4xx means."""
    words = f"{what}: Discord answers {error.status} {error.text or 'without a reason'}"
    if error.code:
        words += f" (code {error.code})"
    if error.status == 401:
        return AuthError("Discord refuses the bot token (401): check `bot_token`")
    if error.status == 408 or error.status >= 500:
        return TemporaryError(words)
    return RefusedError(words, error.status, error.code)


class RefusedError(PermanentError):
    """Discord refuses a request for good; `status` and `code` say why."""

    def __init__(self, message: str, status: int, code: int) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


def _name(error: BaseException) -> str:
    """Return what went wrong without an address, which might hold a secret."""
    reason = getattr(error, "strerror", None) or getattr(error, "os_error", None)
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__
