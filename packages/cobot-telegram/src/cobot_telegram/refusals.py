"""What Telegram, or the network, refused, in the session's terms."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telegram.error import TelegramError

from cobot_session.errors import (
    AuthError,
    ChannelError,
    OutcomeUnknown,
    PermanentError,
    RateLimited,
    TemporaryError,
)
from cobot_telegram.request import NoAnswer, NotSent, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cobot_telegram.pace import Pace

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_CONFLICT, _TOO_LARGE, _TOO_MANY, _SERVER = 409, 413, 429, 500
_WORDLESS = frozenset({_TOO_LARGE, _TOO_MANY})
"""What Telegram's own front says without the words of the Bot API."""
_DEFAULT_WAIT = 5.0
"""Seconds to wait after a 429 that names none."""


@dataclass(frozen=True, slots=True)
class Translator:
    """Says in our exceptions what a call ran into.

    Attributes:
        token_field: where the token stands, such as `plugins.telegram.bot_token`.
        pace: told of every 429; it knows whose limit it was.
        api_url: the server's address.
    """

    token_field: str
    pace: Pace
    api_url: str

    @contextlib.contextmanager
    def call(self, chat: object = None, *, unsure: bool = False) -> Iterator[None]:
        """Translate what is raised inside.

        Args:
            chat: the chat the call is for.
            unsure: doing it twice would show; a lost answer means that the outcome is unknown.
        """
        try:
            yield
        except Refused as refusal:
            raise self._refusal(refusal, chat) from None
        except NoAnswer as error:
            kind = OutcomeUnknown if unsure else TemporaryError
            raise kind(str(error)) from None
        except NotSent as error:
            raise TemporaryError(str(error)) from None
        except TelegramError as error:
            raise TemporaryError(f"{type(error).__name__}: {error}") from None

    def _refusal(self, refusal: Refused, chat: object) -> ChannelError:
        said = refusal.description or ("too large to be sent" if refusal.code == _TOO_LARGE else "")
        words = f"Telegram says: {refusal.code} {said}".rstrip()
        if not refusal.description and refusal.code not in _WORDLESS:
            return TemporaryError(
                f"something answered {refusal.code} in Telegram's place, and not in its words: "
                "look at `api_url` and `proxy`"
            )
        match refusal.code:
            case code if code == _UNAUTHORIZED or (code == _NOT_FOUND and chat is None):
                return AuthError(
                    f"{words}. The token in `{self.token_field}` is refused: "
                    "ask @BotFather for the bot's present one"
                )
            case code if code == _CONFLICT:
                return TemporaryError(self._conflict(refusal))
            case code if code == _TOO_MANY:
                wait = _DEFAULT_WAIT if refusal.retry_after is None else refusal.retry_after
                return RateLimited(wait, self.pace.refused(chat), words)
            case code if code >= _SERVER:
                return TemporaryError(words)
        return PermanentError(words)

    def _conflict(self, refusal: Refused) -> str:
        if "webhook" in refusal.description.lower():
            return (
                "a webhook is set for this bot, so Telegram refuses to be asked for updates. "
                "Either something else serves this bot by webhook: stop it, or give this one a bot "
                "of its own; or it was left behind: with the token in the variable TOKEN, run "
                f'`curl -X POST "{self.api_url}/bot$TOKEN/deleteWebhook"` once'
            )
        return (
            "another program is asking for this bot's updates with the same token: stop it, or "
            "give each its own bot from @BotFather (one bot has one poller)"
        )
