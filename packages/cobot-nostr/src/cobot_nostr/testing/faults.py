"""Troubles to order: what goes wrong with which messages of the protocol, how often.

    server.faults.add(Refuse("rate-limited: slow down"), on="EVENT", times=2)
    server.faults.add(Forge(), on="deliver", relay=server.relays[1], times=None)
    server.faults.add(CutAfter(), on="EVENT", rate=0.05, times=None)     # one in twenty, for ever

`on` is what a client sends (`EVENT`, `REQ`, `AUTH`), `connect`, or `deliver`: one event on its
way to a subscriber.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import random

    from cobot_nostr.testing.changes import Changes


@dataclass(frozen=True, slots=True)
class Drop:
    """Lose it: an `EVENT` is not stored and not answered, a `deliver` does not happen."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Wait `seconds`, then go on as usual."""

    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer `OK false` to an `EVENT`, `CLOSED` to a `REQ`, with this reason."""

    reason: str = "rate-limited: slow down"


@dataclass(frozen=True, slots=True)
class Swallow:
    """Store an `EVENT` and do not answer."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Deliver twice."""


@dataclass(frozen=True, slots=True)
class Forge:
    """Deliver with a signature that is not the author's."""


@dataclass(frozen=True, slots=True)
class FakeEose:
    """Answer a `REQ` with EOSE and none of what is stored."""


@dataclass(frozen=True, slots=True)
class CutBefore:
    """Drop the connection; what came was not processed."""


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Process (or deliver), then drop the connection without an answer."""


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """From now on the connection is silent both ways, and stays open."""


Fault: TypeAlias = (
    Drop | Hang | Refuse | Swallow | Duplicate | Forge | FakeEose | CutBefore | CutAfter | HalfOpen
)

_POSSIBLE: dict[str, tuple[type[Fault], ...]] = {
    "connect": (Hang, CutBefore, HalfOpen),
    "EVENT": (Drop, Hang, Refuse, Swallow, CutBefore, CutAfter, HalfOpen),
    "REQ": (Drop, Hang, Refuse, FakeEose, CutBefore, CutAfter, HalfOpen),
    "AUTH": (Drop, Hang, Refuse, CutBefore, HalfOpen),
    "deliver": (Drop, Hang, Duplicate, Forge, CutBefore, CutAfter, HalfOpen),
}


@dataclass(slots=True, eq=False)
class Planted:
    """One fault in waiting.

    Attributes:
        fault: what happens.
        on: to which message.
        relay: only there (a relay's url).
        to: only what is addressed to this public key.
        times: how often at most; `None`: always.
        after: how many are still spared.
        rate: the chance for each.
        hits: how often it has happened.
    """

    fault: Fault
    on: str
    relay: str | None = None
    to: str | None = None
    times: int | None = 1
    after: int = 0
    rate: float = 1.0
    hits: int = 0

    def matches(self, on: str, relay: str, to: str | None) -> bool:
        """Tell whether it concerns this message at this relay."""
        spent = self.times is not None and self.hits >= self.times
        here = self.relay in (None, relay) and self.to in (None, to)
        return not spent and self.on == on and here


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
        on: str = "EVENT",
        relay: object = None,
        to: object = None,
        times: int | None = 1,
        after: int = 0,
        rate: float = 1.0,
    ) -> Planted:
        """Order a trouble.

        Args:
            fault: what happens.
            on: `EVENT`, `REQ`, `AUTH`, `connect` or `deliver`.
            relay: a relay (or its url); `None`: any.
            to: a person (or a public key): only events addressed to them by a `p` tag.
            times: how often; `None`: until `remove` or `clear`.
            after: how many go through first.
            rate: the chance for each, 0 to 1 (seeded: a run can be repeated).

        Raises:
            ValueError: this cannot go wrong in that way.
        """
        if not isinstance(fault, _POSSIBLE.get(on, ())):
            raise ValueError(  # the two do not fit each other
                f"{type(fault).__name__} cannot happen on {on!r}"
            )
        url = None if relay is None else str(getattr(relay, "url", relay))
        person = None if to is None else str(getattr(to, "public", to))
        planted = Planted(fault, on, url, person, times, after, rate)
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

    def draw(self, on: str, relay: str, to: str | None = None) -> Fault | None:
        """Return the trouble that this message meets, and count it."""
        with self.changes:
            for planted in self.planted:
                if not planted.matches(on, relay, to):
                    continue
                if planted.after > 0:
                    planted.after -= 1
                elif planted.rate >= 1 or self.dice.random() < planted.rate:
                    planted.hits += 1
                    self.changes.notify()
                    return planted.fault
        return None
