"""The person on the other side of a `FakeChannel`; also the example of a wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Sits in a chat of a network in memory, by default in `chat`.

    Args:
        network: the other side.
        fields: what is true of all that this person says: `sender`, `chat` and the like.
    """

    def __init__(self, network: FakeChannel, **fields: Any) -> None:
        self._network = network
        self._fields = {"sender": "alice", "chat": "chat", **fields}
        self._last: IncomingMessage | None = None

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        self._last = self._does(text, reply_to=reply_to, files=files)
        return self._last.id

    def _does(self, text: str, **fields: Any) -> IncomingMessage:
        return self._network.says(text, **self._fields | fields)

    def seen(self) -> Sequence[Seen]:
        return [
            Seen(
                id=post.id,
                text=post.text,
                reply_to=post.message.reply_to,
                files=[str(one.path or one.filename) for one in post.message.media],
                reactions=post.reactions,
            )
            for post in list(self._network.posts.values())  # more may come meanwhile
            if post.message.channel_id == self._fields["chat"]
        ]

    def repeats(self) -> None:
        self._network.delivers(self._last)

    def edits(self, message_id: str, text: str) -> None:
        self._does(text, id=message_id, kind="edit")

    def deletes(self, message_id: str) -> None:
        self._does("", id=message_id, kind="deletion")

    def reacts(self, message_id: str, emoji: str) -> None:
        self._does(emoji, kind="reaction", reply_to=message_id)

    def presses(self, data: str) -> None:
        self._does(data, kind="callback")

    def forwards(self, text: str) -> None:
        self._does(text, metadata={"forwarded_from": {"id": "alice", "name": "Alice"}})

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

    def draft(self) -> str | None:
        return self._network.draft.get(self._fields["chat"])

    def presence(self) -> str | None:
        return self._network.presences[-1] if self._network.presences else None

    def cuts(self) -> None:
        self._network.cuts()

    def mends(self) -> None:
        self._network.mends()

    def person_id(self) -> str:
        return str(self._fields["sender"])

    def strangers(self) -> dict[str, Wire]:
        network, group = self._network, {"chat": "club", "direct": False}
        return {
            "stranger": FakeWire(network, sender="mallory", chat="mallory's"),
            "namesake": FakeWire(network, sender="al1ce", sender_name="Alice", chat="al1ce's"),
            "group": FakeWire(network, sender="mallory", **group),
            "neighbour": FakeWire(network, sender="mallory", direct=False),
            "elsewhere": FakeWire(network, sender="alice", **group),
            "nobody": FakeWire(network, sender="", sender_name="alice", chat="mallory's"),
            "same role elsewhere": FakeWire(
                network, sender="mallory", chat="den", direct=False, space_id="den", roles=["7"]
            ),
        }
