"""A local Discord to test against: REST, gateway and downloads over real sockets.

    with DiscordServer() as server:
        general = server.guild("Home").channel("general")
        ann = server.user("ann")
        ...                                    # start a bot with server.api_url, server.gateway_url
        ann.says("hello", general)
        assert general.wait_for("hello").author is server.bot

Install it with `pip install cobot-discord[testing]`.
"""

from cobot_discord.testing.faults import (
    CutAfter,
    CutBefore,
    Duplicate,
    HalfOpen,
    Hang,
    RateLimit,
    Refuse,
    Reorder,
    ServerError,
)
from cobot_discord.testing.model import Chat, File, Guild, Message, Role, User
from cobot_discord.testing.server import TOKEN, DiscordServer

__all__ = [
    "TOKEN",
    "Chat",
    "CutAfter",
    "CutBefore",
    "DiscordServer",
    "Duplicate",
    "File",
    "Guild",
    "HalfOpen",
    "Hang",
    "Message",
    "RateLimit",
    "Refuse",
    "Reorder",
    "Role",
    "ServerError",
    "User",
]
