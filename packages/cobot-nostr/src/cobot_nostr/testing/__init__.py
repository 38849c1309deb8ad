"""A local Nostr network for tests: relays over real sockets, scripted people, ordered troubles.

with NostrServer(relays=2, bot=npub) as server:
ada = server.user("Ada")
ada.says("hello")
ada.chat.wait_for("hi Ada")
"""

from cobot_nostr.testing.chats import Chat, Message
from cobot_nostr.testing.faults import (
    CutAfter,
    CutBefore,
    Drop,
    Duplicate,
    FakeEose,
    Forge,
    HalfOpen,
    Hang,
    Refuse,
    Swallow,
)
from cobot_nostr.testing.people import User
from cobot_nostr.testing.relay import TestingRelay
from cobot_nostr.testing.server import NostrServer

__all__ = [
    "Chat",
    "CutAfter",
    "CutBefore",
    "Drop",
    "Duplicate",
    "FakeEose",
    "Forge",
    "HalfOpen",
    "Hang",
    "Message",
    "NostrServer",
    "Refuse",
    "Swallow",
    "TestingRelay",
    "User",
]
