"""What we publish about ourselves: inbox relays (kind 10050), profile (kind 0), status (30315)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from cobot_nostr.directory import INBOX_RELAYS, PROFILE, relays_in
from cobot_nostr.event import make_event

if TYPE_CHECKING:
    from cobot_nostr.config import NostrConfig
    from cobot_nostr.crypto import Key
    from cobot_nostr.event import Event
    from cobot_nostr.pool import Pool

STATUS = 30315
_PATIENCE = 5.0
_STATUS_SECONDS = 24 * 3600


async def announce(pool: Pool, key: Key, config: NostrConfig) -> None:
    """Bring our inbox relays and our profile up to date at all relays."""
    await pool.until(lambda: pool.reading)
    filters = [{"kinds": [PROFILE, INBOX_RELAYS], "authors": [key.public]}]
    stored = await pool.fetch(filters, _PATIENCE)
    events = [_inbox(key, config, stored), _profile(key, config, stored)]
    for event in events:
        if event is not None:
            await pool.publish(event, patience=_PATIENCE)


def _newest(stored: list[Event], kind: int) -> Event | None:
    return next((event for event in stored if event.kind == kind), None)


def _inbox(key: Key, config: NostrConfig, stored: list[Event]) -> Event | None:
    """Return our list of inbox relays: the one that is known where it is right, else a new one."""
    if not config.publish_inbox:
        return None
    wanted = tuple(config.inbox_relays or config.relays)
    known = _newest(stored, INBOX_RELAYS)
    if known is not None and relays_in(known) == wanted[:5]:
        return known
    return make_event(key, _later(known), INBOX_RELAYS, [("relay", url) for url in wanted], "")


def _profile(key: Key, config: NostrConfig, stored: list[Event]) -> Event | None:
    """Return our profile with what is configured; what others have put there stays."""
    given = {"name": config.name, "about": config.about, "picture": config.picture}
    wanted = {field: value for field, value in given.items() if value is not None}
    if not wanted:
        return None
    known = _newest(stored, PROFILE)
    profile = _object(known.content) if known is not None else {}
    if known is not None and profile | wanted == profile:
        return known
    text = json.dumps(profile | wanted | {"bot": True}, ensure_ascii=False)
    return make_event(key, _later(known), PROFILE, (), text)


def _later(known: Event | None) -> int:
    """Return a time at which an event replaces the one that is known."""
    return max(int(time.time()), known.created_at + 1 if known is not None else 0)


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def status_event(key: Key, status: str, now: int) -> Event:
    """Return our general status (NIP-38); it expires, so that a dead bot does not stay online."""
    tags = [("d", "general"), ("expiration", str(now + _STATUS_SECONDS))]
    return make_event(key, now, STATUS, tags, status)
