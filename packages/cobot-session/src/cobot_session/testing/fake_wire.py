"""The person on the other side of a `FakeChannel`; also the example of a wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobot_session.errors import (
    AuthError,
    OutcomeUnknown,
    PermanentError,
    RateLimited,
    TemporaryError,
)
from cobot_session.testing.case import Refusal, Seen, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cobot_session.messages import IncomingMessage
    from cobot_session.testing.fake import FakeChannel


class FakeWire(Wire):
    """Sits in the chat `chat` of a network in memory."""

    def __init__(self, network: FakeChannel) -> None:
        self._network = network
        self._last: IncomingMessage | None = None

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        self._last = self._network.says(text, reply_to=reply_to, files=files)
        return self._last.id

    def seen(self) -> Sequence[Seen]:
        return [
            Seen(
                id=post.id,
                text=post.text,
                reply_to=post.message.reply_to,
                files=[str(one.path or one.filename) for one in post.message.media],
                reactions=post.reactions,
            )
            for post in self._network.posts.values()
        ]

    def repeats(self) -> None:
        self._network.delivers(self._last)

    def edits(self, message_id: str, text: str) -> None:
        self._network.says(text, id=message_id, kind="edit")

    def deletes(self, message_id: str) -> None:
        self._network.says("", id=message_id, kind="deletion")

    def reacts(self, message_id: str, emoji: str) -> None:
        self._network.says(emoji, kind="reaction", reply_to=message_id)

    def garbles(self) -> None:
        self._network.delivers(object())

    def refuses(self, how: Refusal, retry_after: float = 1.0) -> None:
        failures: dict[Refusal, Exception] = {
            "temporary": TemporaryError("busy"),
            "permanent": PermanentError("blocked"),
            "rate_limited": RateLimited(retry_after),
            "unknown": OutcomeUnknown("no answer"),
            "auth": AuthError("revoked"),
        }
        self._network.failures.append(failures[how])

    def is_typed_to(self) -> bool:
        return bool(self._network.typings)

    def presence(self) -> str | None:
        return self._network.presences[-1] if self._network.presences else None

    def cuts(self) -> None:
        self._network.cuts()

    def mends(self) -> None:
        self._network.mends()
