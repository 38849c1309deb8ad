"""What tests of agents and of channels need; write `pytest_plugins = ["cobot_session.testing"]`.

Who writes an agent uses `FakeChannel`, or the fixtures `fake_channel` and `session`. Who writes a
channel derives `ChannelContract`, gives it a `ChannelCase` and, for the behavioural half, a `Wire`.
"""

from importlib.util import find_spec

from cobot_session.testing.case import Absent, ChannelCase, Refusal, Seen, Wire
from cobot_session.testing.fake import FakeChannel, FakePlugin, Post
from cobot_session.testing.fake_wire import FakeWire

if find_spec("pytest") is not None:
    from cobot_session.testing.contract import ChannelContract, contract_tests
    from cobot_session.testing.plugin import (
        fake_channel,
        pytest_addoption,
        pytest_collection_finish,
        pytest_configure,
        pytest_runtest_makereport,
        pytest_terminal_summary,
        session,
    )
else:

    def __getattr__(name: str) -> object:
        """Tell what the kit needs; the fakes need nothing."""
        if name in __all__:
            raise ImportError(
                f"`{name}` needs pytest: pip install 'cobot-session[testing]'", name=__name__
            )
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Absent",
    "ChannelCase",
    "ChannelContract",
    "FakeChannel",
    "FakePlugin",
    "FakeWire",
    "Post",
    "Refusal",
    "Seen",
    "Wire",
    "contract_tests",
    "fake_channel",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
    "session",
]
