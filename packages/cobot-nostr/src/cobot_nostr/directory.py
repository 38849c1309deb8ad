"""What people publish about themselves: names (kind 0) and inbox relays (kind 10050), cached."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cobot_nostr import nip19
from cobot_nostr.addresses import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cobot_nostr.event import Event
    from cobot_nostr.pool import Pool

PROFILE, INBOX_RELAYS = 0, 10050

_NAME_PATIENCE = 1.0
_INBOX_PATIENCE = 4.0
_NAME_SECONDS, _INBOX_SECONDS, _NOTHING_SECONDS = 86_400.0, 3600.0, 300.0
_MOST_ENTRIES = 5000
_MOST_INBOX_RELAYS = 5
_MOST_NAME = 64
_ASKED_AT_ONCE = 100

V = TypeVar("V")


class _Cache(Generic[V]):
    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[float, V]] = OrderedDict()

    def get(self, key: str) -> V | None:
        entry = self._entries.get(key)
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    def stale(self, key: str) -> V | None:
        """Return an entry, also an old one."""
        entry = self._entries.get(key)
        return entry[1] if entry is not None else None

    def put(self, key: str, value: V, seconds: float) -> None:
        self._entries[key] = (time.monotonic() + seconds, value)
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST_ENTRIES:
            self._entries.popitem(last=False)


class Directory:
    """Looks people up at our relays."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._names: _Cache[str] = _Cache()
        self._inboxes: _Cache[tuple[str, ...]] = _Cache()
        self._asking: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    def name(self, public: str) -> str:
        """Return a person's name as far as it is known, else a short form of the key."""
        return self._names.stale(public) or _short(public)

    async def learn_names(self, people: Iterable[str]) -> None:
        """Look up names that are not known; takes a second at most."""
        wanted = [one for one in dict.fromkeys(people) if self._names.get(one) is None]
        wanted = wanted[:_ASKED_AT_ONCE]
        if not wanted or not self._pool.reading:
            return
        found = await self._pool.fetch([{"kinds": [PROFILE], "authors": wanted}], _NAME_PATIENCE)
        for public in wanted:
            newest = next((event for event in found if event.pubkey == public), None)
            name = _name_in(newest) if newest is not None else ""
            self._names.put(public, name, _NAME_SECONDS if name else _NOTHING_SECONDS)

    async def inbox(self, public: str) -> tuple[str, ...]:
        """Return the relays where a person wants private messages; empty: none are known."""
        known = self._inboxes.get(public)
        if known is not None:
            return known
        task = self._asking.get(public)
        if task is None:
            task = asyncio.create_task(self._look_up_inbox(public), name="inbox relays")
            self._asking[public] = task
            task.add_done_callback(lambda _: self._asking.pop(public, None))
        return await asyncio.shield(task)

    async def _look_up_inbox(self, public: str) -> tuple[str, ...]:
        filters = [{"kinds": [INBOX_RELAYS], "authors": [public]}]
        found = await self._pool.fetch(filters, _INBOX_PATIENCE)
        relays = relays_in(found[0]) if found else self._inboxes.stale(public) or ()
        self._inboxes.put(public, relays, _INBOX_SECONDS if relays else _NOTHING_SECONDS)
        return relays

    async def close(self) -> None:
        """End what is being looked up."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def relays_in(event: Event) -> tuple[str, ...]:
    """Return the relays that a kind 10050 lists, in one spelling, the first few."""
    spelled = (normalised(url) for url in event.values("relay"))
    return tuple(dict.fromkeys(url for url in spelled if url is not None))[:_MOST_INBOX_RELAYS]


def _name_in(event: Event) -> str:
    """Return the name in a kind 0, as one short printable line."""
    try:
        profile: Any = json.loads(event.content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(profile, dict):
        return ""
    given = profile.get("display_name") or profile.get("name")
    text = given if isinstance(given, str) else ""
    return "".join(char for char in text if char.isprintable()).strip()[:_MOST_NAME]


def _short(public: str) -> str:
    text = nip19.npub(public)
    return f"{text[:10]}…{text[-4:]}"
