"""What tests of agents and of channels need. It is imported by tests only."""

from cobot_session.testing.fake import FakeChannel

__all__ = ["FakeChannel"]
