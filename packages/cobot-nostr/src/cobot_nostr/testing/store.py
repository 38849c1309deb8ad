"""What a relay remembers: NIP-01 replacement, NIP-09 deletion requests, NIP-40 expiry."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cobot_nostr.event import matches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cobot_nostr.event import Event

DELETION = 5


def is_replaceable(kind: int) -> bool:
    """Tell whether only the newest event of this kind and author is kept."""
    return kind in {0, 3} or 10000 <= kind < 20000


def is_addressable(kind: int) -> bool:
    """Tell whether only the newest event of this kind, author and `d` tag is kept."""
    return 30000 <= kind < 40000


def is_ephemeral(kind: int) -> bool:
    """Tell whether events of this kind are passed on and not kept."""
    return 20000 <= kind < 30000


def address(event: Event) -> str | None:
    """Return what an event replaces, as in an `a` tag; `None`: nothing."""
    if is_addressable(event.kind):
        return f"{event.kind}:{event.pubkey}:{event.value('d') or ''}"
    if is_replaceable(event.kind):
        return f"{event.kind}:{event.pubkey}:"
    return None


def has_expired(event: Event, now: float) -> bool:
    """Tell whether its `expiration` (NIP-40) is over."""
    text = event.value("expiration") or ""
    return text.isdecimal() and int(text) <= now


class Store:
    """Events, newest first when asked for."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        self._addresses: dict[str, str] = {}
        self._deleted: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._events)

    def get(self, event_id: str) -> Event | None:
        """Return one event."""
        return self._events.get(event_id)

    def add(self, event: Event) -> str:
        """Keep an event; return empty when it is new, else the reason why it is not kept."""
        if event.id in self._events:
            return "duplicate: already have this event"
        if self._deleted.get(event.id) == event.pubkey:
            return "blocked: its author asked for its deletion"
        place = address(event)
        if place is not None and not self._replaces(place, event):
            return "duplicate: a newer one is here"
        if not is_ephemeral(event.kind):
            self._events[event.id] = event
        if event.kind == DELETION:
            self._delete(event)
        return ""

    def _replaces(self, place: str, event: Event) -> bool:
        old = self._events.get(self._addresses.get(place, ""))
        if old is not None and (old.created_at, event.id) > (event.created_at, old.id):
            return False
        if old is not None:
            del self._events[old.id]
        self._addresses[place] = event.id
        return True

    def _delete(self, request: Event) -> None:
        for target in request.values("e"):
            self._deleted[target] = request.pubkey
            self._forget(target, request)
        for place in request.values("a"):
            self._forget(self._addresses.get(place, ""), request)

    def _forget(self, event_id: str, request: Event) -> None:
        event = self._events.get(event_id)
        if event is not None and event.pubkey == request.pubkey and event.kind != DELETION:
            del self._events[event_id]

    def query(self, filters: Sequence[Mapping[str, Any]]) -> list[Event]:
        """Return what the filters ask for, newest first, each event once."""
        now = time.time()
        live = [event for event in self._events.values() if not has_expired(event, now)]
        live.sort(key=lambda event: (-event.created_at, event.id))
        found: dict[str, Event] = {}
        for one in filters:
            hits = [event for event in live if matches(event, [one])]
            found.update((event.id, event) for event in hits[: one.get("limit", 500)])
        return sorted(found.values(), key=lambda event: (-event.created_at, event.id))
