"""What we listen for at our relays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobot_nostr.giftwrap import BACKDATED, GIFT_WRAP
from cobot_nostr.wire import Filters, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_nostr.config import NostrConfig

NOTE, OLD_DIRECT, DELETION, REACTION, GROUP_MESSAGE, CHANNEL_MESSAGE = 1, 4, 5, 7, 9, 42

DELETIONS = "deletions"
"""Name of the subscription whose filters change: who was heard may take it back."""


def subscriptions(
    public: str, config: NostrConfig, authors: Callable[[], list[str]]
) -> list[Subscription]:
    """Return what to ask every relay of ours for.

    Args:
        public: our key.
        config: the settings.
        authors: returns whose deletion requests matter now.
    """
    kinds = [REACTION, *_kinds(config)]

    def wraps(since: int) -> Filters:
        return [{"kinds": [GIFT_WRAP], "#p": [public], "since": since}]

    def public_events(since: int) -> Filters:
        filters: Filters = [
            {"kinds": kinds, "#p": [public], "since": since},
            {"kinds": [*kinds, DELETION], "authors": [public], "since": since},
        ]
        groups, channels = list(config.groups), list(config.channels)
        if groups:
            filters.append({"kinds": [GROUP_MESSAGE, REACTION], "#h": groups, "since": since})
        if channels:
            filters.append({"kinds": [CHANNEL_MESSAGE], "#e": channels, "since": since})
        return filters

    def deletions(since: int) -> Filters:
        return [{"kinds": [DELETION], "authors": authors() or [public], "since": since}]

    return [
        Subscription("wraps", wraps, BACKDATED),
        Subscription("public", public_events),
        Subscription(DELETIONS, deletions),
    ]


def _kinds(config: NostrConfig) -> list[int]:
    """Return the kinds of message that count when they name us."""
    kinds = [NOTE] if config.mentions else []
    kinds += [OLD_DIRECT] if config.old_direct_messages else []
    kinds += [GROUP_MESSAGE] if config.groups else []
    return kinds + ([CHANNEL_MESSAGE] if config.channels else [])
