"""Who may reach the agent, how fast, and where it may write."""

from cobot_session.gate.gate import Gate
from cobot_session.gate.rules import Rules, rules

__all__ = ["Gate", "Rules", "rules"]
