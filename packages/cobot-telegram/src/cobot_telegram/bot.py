"""python-telegram-bot's bot, with answers as they came."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import telegram

from cobot_telegram.parse import ALLOWED_UPDATES
from cobot_telegram.request import NoAnswer

if TYPE_CHECKING:
    from cobot_telegram.request import AiohttpRequest

log = logging.getLogger("cobot_telegram")

_POLL_MARGIN = 10.0
"""Seconds a long poll may be late before the connection counts as dead."""


class RawBot(telegram.Bot):
    """A bot that tells what Telegram answered as it came.

    The library makes objects of all that it is answered: one update that is malformed loses the
    others of its batch, and a message that has been sent but whose description cannot be read
    looks as if it had not. It also puts the token into the address of a file. What carries no
    files goes its own way, since to make a call's JSON takes the library as long as all the rest.

    Args:
        token: the bot's.
        api_url: the server's address.
        request: carries the calls.
        polling: carries the long polls.
    """

    __slots__ = ("_calls", "_polls")

    def __init__(
        self, token: str, api_url: str, request: AiohttpRequest, polling: AiohttpRequest
    ) -> None:
        super().__init__(
            token,
            base_url=f"{api_url}/bot",
            base_file_url=f"{api_url}/file/bot",
            request=request,
            get_updates_request=polling,
        )
        self._calls = request
        self._polls = polling

    async def call(self, method: str, parameters: dict[str, Any]) -> Any:
        """Carry out a method of the Bot API; parameters that are `None` are left out."""
        log.debug("calls %s", method)
        return await self._calls.call(f"{self.base_url}/{method}", parameters)

    async def upload(self, method: str, parameters: dict[str, Any]) -> Any:
        """Carry out a method with parameters that are, or hold, `InputFile`s."""
        return await self._post(method, parameters)

    async def raw_updates(self, offset: int | None, seconds: int) -> list[Any]:
        """Return updates from `offset` on, waiting up to `seconds`."""
        log.debug("calls getUpdates")
        found = await self._polls.call(
            f"{self.base_url}/getUpdates",
            {"offset": offset, "timeout": seconds, "allowed_updates": ALLOWED_UPDATES},
            seconds + _POLL_MARGIN,
        )
        if not isinstance(found, list):
            raise NoAnswer("the answer was no list of updates")
        return found

    def __repr__(self) -> str:
        return f"<bot {self._token.partition(':')[0]}>"


def message_ids(result: Any) -> list[int]:
    """Return the ids of the messages that a call made, as far as its answer tells them.

    A call that was answered with a result has been carried out, whatever the result looks like.
    """
    made = result if isinstance(result, list) else [result]
    ids = [one.get("message_id") for one in made if isinstance(one, dict)]
    return [number for number in ids if isinstance(number, int)]
