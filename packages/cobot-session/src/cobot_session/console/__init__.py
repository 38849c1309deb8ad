"""The built-in channel: a person at the terminal that the session runs in."""

from cobot_session.console.channel import Console, ConsoleConfig

__all__ = ["Console", "ConsoleConfig"]
