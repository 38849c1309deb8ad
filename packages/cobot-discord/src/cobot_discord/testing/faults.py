"""Troubles to order: what goes wrong with which requests and events, how often.

    server.faults.add(RateLimit(0.3), on="create_message", chat=general)    # the next one: 429
    server.faults.add(ServerError(502), times=2)                            # the next two requests
    server.faults.add(CutAfter(), on="create_message", rate=0.05, times=None)   # one in twenty
    server.faults.add(Reorder(), on="MESSAGE_CREATE")                       # a gateway event

Requests are named as Discord's documentation names them, in lower case (`create_message`,
`get_channel_messages`, `cdn`); events by their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import random

    from cobot_discord.testing.changes import Changes


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Refuse a request with 429; nothing was processed.

    Attributes:
        retry_after: seconds.
        scope: `user`: this bucket; `shared`: the resource; `global`: the whole bot, whose other
            requests are refused, too, until then; `cloudflare`: no JSON, as from the proxy.
    """

    retry_after: float = 1.0
    scope: Literal["user", "shared", "global", "cloudflare"] = "user"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse a request for good, with an HTTP status and Discord's own code."""

    status: int = 403
    code: int = 50013
    message: str = "Missing Permissions"


@dataclass(frozen=True, slots=True)
class ServerError:
    """Answer a request with a 5xx; with `processed`, after it has been carried out."""

    status: int = 502
    processed: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Do nothing for `seconds`, then go on as usual (also when the caller has gone)."""

    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class CutBefore:
    """Drop the connection; the request was not processed, the event not delivered on it."""


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Carry the request out (or deliver the event), then drop the connection."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Deliver an event twice."""


@dataclass(frozen=True, slots=True)
class Reorder:
    """Deliver an event after the one that follows it (or 50 ms later, if none does)."""


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """From this event on the gateway connection is silent both ways, and stays open."""


Fault: TypeAlias = (
    RateLimit | Refuse | ServerError | Hang | CutBefore | CutAfter | Duplicate | Reorder | HalfOpen
)
REQUEST_FAULTS = (RateLimit, Refuse, ServerError, Hang, CutBefore, CutAfter)
EVENT_FAULTS = (CutBefore, CutAfter, Duplicate, Reorder, HalfOpen)


@dataclass(slots=True, eq=False)
class Planted:
    """One fault in waiting.

    Attributes:
        fault: what happens.
        on: name of the request or event, or `*` for any request.
        chat: only what concerns this chat id.
        times: how often at most; `None`: always.
        after: how many matching ones are still spared.
        rate: the chance, for each matching one.
        hits: how often it has happened.
    """

    fault: Fault
    on: str = "*"
    chat: str | None = None
    times: int | None = 1
    after: int = 0
    rate: float = 1.0
    hits: int = 0

    def matches(self, name: str, chat: str | None) -> bool:
        """Tell whether it concerns this request or event."""
        if self.times is not None and self.hits >= self.times:
            return False
        named = self.on == name or (self.on == "*" and isinstance(self.fault, REQUEST_FAULTS))
        return named and (self.chat is None or self.chat == chat)


@dataclass(slots=True)
class Faults:
    """All troubles in waiting, in the order they were added."""

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
            on: the request (`create_message`) or event (`MESSAGE_CREATE`); `*`: any request.
            chat: a chat (or its id): only what concerns it.
            times: how often; `None`: until `remove` or `clear`.
            after: how many matching ones go through first.
            rate: the chance for each matching one, 0 to 1 (seeded: a run can be repeated).

        Raises:
            TypeError: an event cannot fail in this way, or a request cannot.
        """
        kinds = EVENT_FAULTS if on.isupper() else REQUEST_FAULTS
        if not isinstance(fault, kinds):
            raise TypeError(f"{type(fault).__name__} cannot happen on {on}")
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

    def draw(self, name: str, chat: str | None) -> Fault | None:
        """Return the trouble that this request or event meets, and count it."""
        with self.changes:
            for planted in self.planted:
                if not planted.matches(name, chat):
                    continue
                if planted.after > 0:
                    planted.after -= 1
                elif planted.rate >= 1 or self.dice.random() < planted.rate:
                    planted.hits += 1
                    self.changes.notify()
                    return planted.fault
        return None
