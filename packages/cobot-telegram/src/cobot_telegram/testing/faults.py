"""Troubles to order: what goes wrong with which calls, how often.

    server.faults.add(Flood(3), on="sendMessage", chat=ada.chat)      # the next one gets a 429
    server.faults.add(ServerError(502), times=2)                      # the next two calls, any
    server.faults.add(CutAfter(), rate=0.05, times=None)              # one call in twenty

A fault has no idea of Telegram; which of them a call meets is decided before it is processed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import random

    from cobot_telegram.testing.changes import Changes


@dataclass(frozen=True, slots=True)
class Flood:
    """Refuse with 429; `retry_after` in seconds. Nothing was processed."""

    retry_after: int = 1


@dataclass(frozen=True, slots=True)
class ServerError:
    """Refuse with an HTTP status and, where there is a body, an error of that number.

    Attributes:
        status: HTTP status.
        description: what the body says; `None`: a page of HTML, as a proxy in between sends it.
        processed: answer so although the call has been carried out.
    """

    status: int = 502
    description: str | None = None
    processed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with these bytes, as a proxy in between or an odd server does.

    Attributes:
        body: what the answer holds, JSON or not.
        status: HTTP status.
        processed: answer so although the call has been carried out.
    """

    body: bytes
    status: int = 200
    processed: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Do nothing for `seconds`, then go on as usual (also when the caller has gone)."""

    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class CutBefore:
    """Drop the connection; nothing was processed."""


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Carry the call out, then drop the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Deliver every update twice."""


@dataclass(frozen=True, slots=True)
class Reorder:
    """Deliver a batch of updates in another order."""


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the answer `size` bytes at a time, with `pause` seconds in between."""

    size: int = 8
    pause: float = 0.01


Fault: TypeAlias = (
    Flood | ServerError | Answer | Hang | CutBefore | CutAfter | Duplicate | Reorder | Drip
)


@dataclass(slots=True, eq=False)
class Planted:
    """One fault in waiting.

    Attributes:
        fault: what happens.
        on: the API method, or `*`.
        chat: only calls for this chat id.
        times: how often it still happens; `None`: always.
        after: how many matching calls are spared first.
        rate: the chance, for each matching call.
        hits: how often it has happened.
    """

    fault: Fault
    on: str = "*"
    chat: str | None = None
    times: int | None = 1
    after: int = 0
    rate: float = 1.0
    hits: int = 0

    def matches(self, method: str, chat: str | None) -> bool:
        """Tell whether it concerns this call."""
        if self.times is not None and self.hits >= self.times:
            return False
        named = self.on == "*" or self.on.lower() == method.lower()
        return named and (self.chat is None or self.chat == chat)


@dataclass(slots=True)
class Faults:
    """All troubles that wait for their call, in the order they were added."""

    changes: Changes
    dice: random.Random
    planted: list[Planted] = field(default_factory=list)

    def add(
        self,
        fault: Fault,
        *,
        on: str = "*",
        chat: object = None,
        times: int | None = 1,
        after: int = 0,
        rate: float = 1.0,
    ) -> Planted:
        """Order a trouble.

        Args:
            fault: what happens.
            on: the API method it happens to (`sendMessage`), `file` for a download, `webhook` for
                a delivery, `*` for any.
            chat: a chat (or its id): only calls for that chat.
            times: how often; `None`: until `remove` or `clear`.
            after: how many matching calls go through first.
            rate: the chance for each matching call, 0 to 1 (seeded: a run can be repeated).
        """
        chat_id = None if chat is None else str(getattr(chat, "id", chat))
        planted = Planted(fault, on, chat_id, times, after, rate)
        with self.changes:
            self.planted.append(planted)
        return planted

    def remove(self, planted: Planted) -> None:
        """Take one back."""
        with self.changes:
            self.planted.remove(planted)

    def clear(self) -> None:
        """Take all back."""
        with self.changes:
            self.planted.clear()

    def draw(self, method: str, chat: str | None) -> Fault | None:
        """Return the trouble this call meets, and count it."""
        with self.changes:
            for planted in self.planted:
                if not planted.matches(method, chat):
                    continue
                if planted.after > 0:
                    planted.after -= 1
                elif planted.rate >= 1 or self.dice.random() < planted.rate:
                    planted.hits += 1
                    self.changes.notify()
                    return planted.fault
        return None
