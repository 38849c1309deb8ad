"""HTTP for python-telegram-bot on aiohttp.

A call costs less than half the CPU of the library's own httpx backend; a refusal keeps Telegram's
exact words; and a connection that broke says whether the call may have arrived. No error holds an
address: the token is part of each.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import aiohttp
from telegram.error import NetworkError, TelegramError
from telegram.request import BaseRequest

from cobot_telegram.fields import id_of, if_readable

if TYPE_CHECKING:
    from telegram.request import RequestData

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 20.0
_UPLOAD_SECONDS = 110.0
"""Longest silence while a file goes up: the server answers only when it has all of it."""
_CONNECTIONS = 128
_MOST_ANSWER = 64 * 1024 * 1024
"""Bytes of one answer; a hundred updates are a few hundred kilobytes."""
_LONGEST_WAIT = 86_400.0
"""Seconds: a longer one that a refusal tells is taken for a day."""
_OK = range(200, 300)
_BAD_REQUEST = 400
_JSON = {"Content-Type": "application/json"}


class Refused(TelegramError):
    """The server answered, and not with a result.

    Args:
        code: HTTP status.
        description: Telegram's words; empty: it was not Telegram that answered.
        retry_after: seconds to wait, if told.
        migrate_to: id of the supergroup that the group has become, if told.
    """

    def __init__(
        self,
        code: int,
        description: str,
        retry_after: float | None = None,
        migrate_to: int | None = None,
    ) -> None:
        self.code = code
        self.description = description
        self.retry_after = retry_after
        self.migrate_to = migrate_to
        super().__init__(f"{code} {description}".strip())


class NotSent(NetworkError):
    """The call never left: no connection could be made."""


class NoAnswer(NetworkError):
    """The call left, or may have left, and no answer came."""


class AiohttpRequest(BaseRequest):
    """Carries calls over one pool of connections.

    Args:
        proxy: address of an http proxy.
    """

    __slots__ = ("_client", "_proxy")

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy
        self._client: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds to wait for an answer, unless a call says otherwise."""
        return _READ_SECONDS

    async def initialize(self) -> None:
        """Open the pool."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.USER_AGENT},
            )

    async def shutdown(self) -> None:
        """Close the pool."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Make one call and return status and body of a successful answer.

        Raises:
            Refused: the answer is no success.
            NotSent: no connection.
            NoAnswer: the connection broke, or nothing came in time.
        """
        seconds = read_timeout if isinstance(read_timeout, int | float) else _READ_SECONDS
        if request_data is not None and request_data.contains_files:
            seconds = max(seconds, _UPLOAD_SECONDS)
        body, headers = _encoded(request_data)
        return await self._answered(method, url, body, headers, seconds)

    async def call(
        self, url: str, parameters: dict[str, Any], seconds: float = _READ_SECONDS
    ) -> Any:
        """Make one call without files, and return its result.

        Args:
            url: the method's.
            parameters: as JSON takes them; those that are `None` are left out.
            seconds: to wait for the answer.

        Raises:
            Refused, NotSent, NoAnswer: as `do_request`.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        body = json.dumps(given).encode()
        _, answer = await self._answered("POST", url, body, _JSON, seconds)
        return self.parse_json_payload(answer)["result"]

    async def _answered(
        self, method: str, url: str, body: Any, headers: dict[str, str], seconds: float
    ) -> tuple[int, bytes]:
        status, answer = await self._exchange(method, url, body, headers, seconds)
        if status in _OK:
            return status, answer
        raise refused(status, answer)

    async def download(self, url: str, limit: int) -> bytes | None:
        """Return what is at an address; `None`: it has more than `limit` bytes.

        Raises:
            Refused, NotSent, NoAnswer: as for a call.
        """
        try:
            async with self._open("GET", url, None, {}, _UPLOAD_SECONDS) as answer:
                if answer.status not in _OK:
                    raise refused(answer.status, await _bounded(answer, _MOST_ANSWER) or b"")
                return await _bounded(answer, limit)
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
            raise _broken(error) from None

    async def _exchange(
        self, method: str, url: str, body: Any, headers: dict[str, str], seconds: float
    ) -> tuple[int, bytes]:
        try:
            async with self._open(method, url, body, headers, seconds) as answer:
                found = await _bounded(answer, _MOST_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
            raise _broken(error) from None
        if found is None:
            raise NoAnswer(f"the answer has more than {_MOST_ANSWER} bytes")
        return answer.status, found

    def _open(
        self, method: str, url: str, body: Any, headers: dict[str, str], seconds: float
    ) -> Any:
        if self._client is None:
            raise NotSent("the connection is closed")
        timeout = aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_SECONDS, sock_connect=_CONNECT_SECONDS, sock_read=seconds
        )
        return self._client.request(
            method,
            url,
            data=body,
            headers=headers,
            proxy=self._proxy,
            timeout=timeout,
            allow_redirects=False,
        )

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """Return the JSON of an answer; what is none came from somebody in between.

        Raises:
            Refused: it says so, whatever its status.
            NoAnswer: it is no answer of the Bot API.
        """
        try:
            found = json.loads(payload)
        except (ValueError, RecursionError):
            raise NoAnswer("the answer was no JSON") from None
        if isinstance(found, dict) and found.get("ok") is False:
            code = found.get("error_code")
            raise refused(code if isinstance(code, int) else _BAD_REQUEST, payload)
        if not isinstance(found, dict) or "result" not in found:
            raise NoAnswer("the answer was none of the Bot API")
        return found


def refused(status: int, answer: bytes) -> Refused:
    """Return what a refusal says; a page of a proxy in between says nothing but its status."""
    try:
        found = json.loads(answer)
        words = str(found.get("description") or "")
        parameters = found.get("parameters")
    except (ValueError, AttributeError, RecursionError):
        return Refused(status, "")
    told = parameters if isinstance(parameters, dict) else {}
    moved = if_readable(id_of, told.get("migrate_to_chat_id"))
    return Refused(status, words, _seconds(told.get("retry_after")), moved)


def _seconds(value: Any) -> float | None:
    """Return how long to wait, a day at most; `None`: nothing is told that can be meant."""
    try:
        seconds = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(seconds, _LONGEST_WAIT) if math.isfinite(seconds) and seconds >= 0 else None


def _encoded(request_data: RequestData | None) -> tuple[Any, dict[str, str]]:
    if request_data is None:
        return None, {}
    if not request_data.contains_files:
        body = json.dumps(request_data.parameters).encode()
        return body, _JSON
    form = aiohttp.FormData()
    for name, value in request_data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, mime_type) in request_data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=mime_type)
    return form, {}


async def _bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes | None:
    told = answer.content_length
    if told is not None and told > limit:
        return None
    if told is not None and "Content-Encoding" not in answer.headers:  # nothing to unpack
        return await answer.read()
    data = bytearray()
    async for chunk in answer.content.iter_any():
        data += chunk
        if len(data) > limit:
            return None
    return bytes(data)


def _broken(error: Exception) -> NetworkError:
    """Return an error without an address in it."""
    kind = type(error).__name__
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return NotSent(f"no connection to the proxy: look at `proxy` ({kind})")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return NotSent(f"the proxy answers {error.status}, and opens no way: look at `proxy`")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return NotSent(f"no connection to the server ({kind})")
    if isinstance(error, aiohttp.InvalidURL | UnicodeError):
        return NotSent(f"no way to the server ({kind})")
    if isinstance(error, TimeoutError):
        return NoAnswer("no answer came in time")
    return NoAnswer(f"the connection was lost ({kind})")
