"""What goes over a relay's socket, and what may be believed of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_nostr.event import Event

Filters: TypeAlias = list[dict[str, Any]]
Verdict: TypeAlias = Literal["ok", "refused", "later", "silent"]
Bad: TypeAlias = Literal["malformed", "forged", "foreign"]

MAX_FRAME = 4 * 1024 * 1024
"""Bytes of one message that are read; a relay that sends more is cut off."""

_MOST = 5
"""Reasons that are told of one relay."""


class ProtocolError(ValueError):
    """A relay sent what is no message of NIP-01; the text never quotes it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one relay said to an event.

    Attributes:
        verdict: `ok`: it has the event. `refused`: it will not take it. `later`: it cannot now.
            `silent`: it has not answered (yet).
        reason: its words, or ours.
    """

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Something to listen for at every relay, for as long as it is connected.

    Attributes:
        name: the subscription id.
        filters: makes the filters from the Unix time to start at.
        reach: seconds to reach back beyond what was read, as events may be dated back.
    """

    name: str
    filters: Callable[[int], Filters]
    reach: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that a relay delivered, verified and asked for.

    Attributes:
        event: the event.
        relay: the url of the relay.
        at: Unix time of its arrival.
        order: grows with every arrival, over all relays.
    """

    event: Event
    relay: str
    at: int
    order: int = 0


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """What a relay's NIP-11 document says it allows; `None`: it does not say."""

    max_message_length: int | None = None
    max_content_length: int | None = None
    max_event_tags: int | None = None
    max_limit: int | None = None
    min_pow_difficulty: int | None = None
    oldest: int | None = None

    @classmethod
    def of(cls, document: object) -> RelayLimits:
        """Return the limits a NIP-11 document states; what is no positive number is left out."""
        limitation = document.get("limitation") if isinstance(document, dict) else None
        given = limitation if isinstance(limitation, dict) else {}

        def number(name: str) -> int | None:
            value = given.get(name)
            return value if type(value) is int and value > 0 else None

        return cls(
            max_message_length=number("max_message_length"),
            max_content_length=number("max_content_length"),
            max_event_tags=number("max_event_tags"),
            max_limit=number("max_limit"),
            min_pow_difficulty=number("min_pow_difficulty"),
            oldest=number("created_at_lower_limit"),
        )

    def refuses(self, event: Event, frame: str) -> str:
        """Return why the relay would refuse an event, or empty."""
        if self.max_message_length is not None and len(frame.encode()) > self.max_message_length:
            return f"the relay takes messages of at most {self.max_message_length} bytes"
        if self.max_content_length is not None and len(event.content) > self.max_content_length:
            return f"the relay takes at most {self.max_content_length} characters of content"
        if self.max_event_tags is not None and len(event.tags) > self.max_event_tags:
            return f"the relay takes at most {self.max_event_tags} tags"
        return ""


@dataclass(slots=True)
class Counts:
    """What one relay sent since the channel started, and what was wrong with it.

    Attributes:
        malformed: no message of NIP-01.
        forged: no event, or one that its author did not sign as it stands.
        foreign: nothing that we asked for.
        bad_by: these three by reason.
        unusable_by: events in order whose content is of no use, by reason; who wrote them is to
            blame and not the relay.
    """

    events: int = 0
    duplicates: int = 0
    malformed: int = 0
    forged: int = 0
    foreign: int = 0
    notices: int = 0
    connects: int = 0
    bad_by: Counter[str] = field(default_factory=Counter)
    unusable_by: Counter[str] = field(default_factory=Counter)

    @property
    def bad(self) -> int:
        """Messages that no honest relay sends."""
        return self.malformed + self.forged + self.foreign

    def add_bad(self, kind: Bad, reason: str) -> None:
        """Count a message that no honest relay sends; the reason is one of ours, never its."""
        setattr(self, kind, getattr(self, kind) + 1)
        self.bad_by[reason] += 1

    def told(self) -> str:
        """Return in words what was wrong, the most frequent reasons first; empty: nothing."""
        both = {"bad messages": self.bad_by, "unusable events": self.unusable_by}
        return "; ".join(
            f"{by.total()} {what} ({', '.join(f'{n}x {why}' for why, n in by.most_common(_MOST))})"
            for what, by in both.items()
            if by
        )


@dataclass(slots=True)
class Page:
    """One answer to a REQ while it comes in.

    Attributes:
        filters: what was asked.
        seen: stored events that came.
        oldest: the smallest `created_at` among them.
        sent_at: Unix time when it was asked.
        done: EOSE came.
    """

    filters: Filters
    sent_at: int
    seen: int = 0
    oldest: int = 2**53
    done: bool = False

    def count(self, created_at: int) -> None:
        """Count a stored event; what comes after EOSE is not stored but new."""
        if not self.done:
            self.seen += 1
            self.oldest = min(self.oldest, created_at)


def frame(*message: object) -> str:
    """Return a message to a relay as text."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def parse(text: str | bytes) -> list[Any]:
    """Return a relay's message: a list that begins with its name.

    Raises:
        ProtocolError: it is not one.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("not JSON") from None
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        raise ProtocolError("not a list that begins with a name")
    return message


def prefix(reason: str) -> str:
    """Return the machine-readable word before the colon of a reason (NIP-01)."""
    word, colon, _ = reason.partition(":")
    return word if colon and word.isascii() and word.replace("-", "").isalpha() else ""


def words(value: object) -> str:
    """Return a relay's reason as one short line fit for a log."""
    text = value if isinstance(value, str) else ""
    return "".join(char if char.isprintable() else " " for char in text[:200])
