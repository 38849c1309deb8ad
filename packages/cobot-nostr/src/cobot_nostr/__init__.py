"""The Nostr channel of cobot-session.

`Nostr` is the channel and `NostrConfig` its settings; `cobot_nostr.testing` has relays for tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cobot_nostr.channel import Nostr
    from cobot_nostr.config import NostrConfig

__all__ = ["Nostr", "NostrConfig"]

_MODULES = {"Nostr": "cobot_nostr.channel", "NostrConfig": "cobot_nostr.config"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
