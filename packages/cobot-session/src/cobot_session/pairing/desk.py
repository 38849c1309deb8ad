"""Where strangers get their codes: few, rarely, and only in a chat of their own."""

from __future__ import annotations

import time
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from cobot_session.lines import in_a_line
from cobot_session.messages import OutgoingMessage, new_id
from cobot_session.pairing.codes import CODE_SECONDS, digest, new_code, new_salt
from cobot_session.spool.access import ASKED_SECONDS, REFUSED_SECONDS, Book, Request

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    from cobot_session.messages import IncomingMessage
    from cobot_session.spool import Spool
    from cobot_session.spool.access import Paired

MOST_A_DAY = 3
"""Codes that one person gets in a day; one at a time."""
MOST_AN_HOUR = 20
"""Codes that a channel gives in an hour, however many strangers there are: so many are pending."""

_WORDS = (
    "I answer only people whom my owner has let in. Your pairing code is {code}; it is good for"
    " one hour. Give it to my owner, who runs this command:\n\n"
    "cobot-session pair approve {code}\n\n"
    "Nothing of what you wrote was kept: write again when you are let in."
)


class Desk:
    """Knows who is paired in one channel, and gives codes to strangers.

    Thread-safe.

    Args:
        channel_type: the channel.
        spool: where requests are kept; of a code, only its digest.
        say: sends a message at once, past the outbox, where its text would be kept.
        gives: strangers get codes.
        log: the channel's logger.
    """

    def __init__(
        self,
        channel_type: str,
        spool: Spool,
        say: Callable[[OutgoingMessage], Future[Any]],
        *,
        gives: bool,
        log: logging.Logger,
    ) -> None:
        self._channel_type = channel_type
        self._spool = spool
        self._say = say
        self._gives = gives
        self._log = log
        self._lock = Lock()
        self._paired: dict[str, Paired] = {}
        self._requests: dict[str, Request] = {}

    def take_up(self, book: Book) -> tuple[list[Paired], list[Paired]]:
        """Take up what the command line wrote; return who is paired now, and who no longer is."""
        stored = book.requests.get(self._channel_type, {})
        with self._lock:
            before, now = self._paired, dict(book.paired.get(self._channel_type, {}))
            self._paired = now
            later = {  # they wait to be stored
                user: one
                for user, one in self._requests.items()
                if user not in now and (user not in stored or one.at > stored[user].at)
            }
            self._requests = stored | later
        return (
            [one for user, one in now.items() if user not in before],
            [one for user, one in before.items() if user not in now],
        )

    def has_paired(self, user: str) -> bool:
        """Tell whether a person is paired."""
        return bool(user) and user in self._paired

    def offer(self, message: IncomingMessage) -> None:
        """Give a code to a stranger, unless it is not the place or the time."""
        if not (self._gives and message.direct and message.kind == "message" and message.sender_id):
            return
        with self._lock:
            request, code = self._new_request(message, time.time())
        if request is not None:
            self._spool.ask(request).add_done_callback(partial(self._give, request, code))

    def _new_request(self, message: IncomingMessage, now: float) -> tuple[Request | None, str]:
        """Return a new request and its code; none when the person, or the channel, had enough."""
        has_room = self._has_room(now)
        last = self._requests.get(message.sender_id)
        if (last is not None and not _may_ask_again(last, now)) or not has_room:
            return None, ""
        code, salt = new_code(), new_salt()
        counted = last if last is not None and now - last.first < ASKED_SECONDS else None
        request = Request(
            self._channel_type,
            message.sender_id,
            message.channel_id,
            salt,
            digest(code, salt),
            at=now,
            until=now + CODE_SECONDS,
            first=counted.first if counted else now,
            codes=counted.codes + 1 if counted else 1,
        )
        self._requests[request.user] = request
        return request, code

    def _has_room(self, now: float) -> bool:
        """Tell whether another code may be given; forgets requests that are past their time."""
        self._requests = {
            user: one
            for user, one in self._requests.items()
            if one.is_of(now) and now - one.at < (REFUSED_SECONDS if one.refused else ASKED_SECONDS)
        }
        recent = sum(now - one.at < CODE_SECONDS for one in self._requests.values())
        return recent < MOST_AN_HOUR

    def _give(self, request: Request, code: str, stored: Future[None]) -> None:
        """Tell a stranger their code, once it is stored."""
        if (error := stored.exception()) is not None:
            self._log.warning("a pairing code is not given, since it cannot be stored: %s", error)
            return
        answer = OutgoingMessage(
            self._channel_type,
            request.chat,
            _WORDS.format(code=code),
            metadata={"format": "text"},
            id=new_id(),
        )
        self._log.info("a stranger, %r, was given a pairing code", request.user)
        self._say(answer).add_done_callback(self._given)

    def _given(self, said: Future[Any]) -> None:
        if not said.cancelled() and (error := said.exception()) is not None:
            self._log.warning("a pairing code could not be told: %s", in_a_line(error))


def _may_ask_again(last: Request, now: float) -> bool:
    if last.refused:
        return now - last.at > REFUSED_SECONDS
    if now - last.at < CODE_SECONDS:
        return False
    return last.codes < MOST_A_DAY or now - last.first > ASKED_SECONDS
