"""What the halves of the contract share: fixtures, and skips that say why."""

from __future__ import annotations

import gc
import os
import warnings
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import pytest

from cobot_session.messages import IncomingMessage, OutgoingMessage, Receipt
from cobot_session.session import Session
from cobot_session.testing.case import Absent, ChannelCase, Seen, Wire
from cobot_session.testing.rig import Rig, record_of
from cobot_session.testing.table import GateTable
from cobot_session.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cobot_session.registry import PluginRecord

P = ParamSpec("P")
T = TypeVar("T")


class Part:
    """Base of the parts that make `ChannelContract`."""

    @pytest.fixture
    def channel(self) -> ChannelCase:
        """The channel under test; every author overrides this."""
        raise NotImplementedError("override the fixture `channel`: return a `ChannelCase`")

    @pytest.fixture
    def wire(self) -> Wire | None:
        """The person on the other side; `None` skips the behavioural half."""
        return None

    @pytest.fixture
    def record(self, channel: ChannelCase, tmp_path: Path) -> PluginRecord:
        """The channel as a session knows it."""
        return record_of(channel, tmp_path / "workspace")

    @pytest.fixture
    def person(self, wire: Wire | None) -> Wire:
        """The wire, where a test cannot do without."""
        if wire is None:
            pytest.skip("no `wire` fixture: nobody is on the other side")
        return wire

    @pytest.fixture
    def session(self, channel: ChannelCase, person: Wire, tmp_path: Path) -> Iterator[Session]:
        """A session that runs the channel and no other."""
        config = channel.config(tmp_path / "workspace", stall_after=40.0)
        with Session(config, plugins=channel.given) as session:
            online(session, channel)
            yield session

    @pytest.fixture
    def gate_table(self) -> GateTable:
        """Takes what strangers tried, for the report."""
        return GateTable()

    @pytest.fixture
    def make_rig(
        self, channel: ChannelCase, person: Wire, tmp_path: Path
    ) -> Iterator[Callable[[], Rig]]:
        """Makes fresh channel objects that share one workspace and one state."""
        values: dict[str, Any] = {}
        folder = tmp_path / "workspace" / "plugins" / channel.name
        folder.mkdir(parents=True)
        yield lambda: Rig(channel, folder, values)
        with warnings.catch_warnings():  # a killed channel closed nothing; that is no leak of its
            warnings.simplefilter("ignore")
            gc.collect()


def online(session: Session, case: ChannelCase) -> None:
    """Wait until the channel is online."""
    until(
        lambda: session.status()[case.name].state == "online",
        case.boundary,
        f"`{case.name}` came online; its status is {session.status()[case.name]}."
        " `start` has to return and `session_receive` must not raise",
    )


def need(record: PluginRecord, *hooks: str) -> None:
    """Skip what a channel without these hooks cannot do."""
    for hook in hooks:
        if hook not in record.hooks:
            pytest.skip(f"the channel has no {hook}")


def offered(verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Let the wire do something; skip when it cannot, and name the verb."""
    try:
        return verb(*args, **kwargs)
    except Absent as absent:
        name = getattr(verb, "__name__", "")
        if getattr(verb, "__func__", None) is getattr(Wire, name, verb):
            unproved(f"the wire has no `{name}()`: with it")
        unproved(f"the wire's `{name}()` raises `{absent!r}` here: without that")


def unproved(lacking: str) -> NoReturn:
    """Skip the running test for want of something, and tell what would be proved."""
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
    pytest.skip(f"{lacking} the kit proves that {claim_of(test)}")


def claim_of(test: str) -> str:
    """Return what a test proves, in the words of its name."""
    return test.removeprefix("test_").replace("_", " ")


def received(session: Session, case: ChannelCase, count: int = 1) -> list[IncomingMessage]:
    """Return the next messages, acknowledged one poll later."""
    messages: list[IncomingMessage] = []

    def enough() -> bool:
        messages.extend(session.poll_all_channels(wait=0.2))
        return len(messages) >= count

    until(
        enough,
        case.boundary,
        f"{count} message(s) arrived; there came {[one.content for one in messages]}",
    )
    return messages


def sends(session: Session, case: ChannelCase, text: str, **fields: Any) -> Receipt:
    """Send to the case's chat and wait for the end."""
    message = OutgoingMessage(case.name, case.chat, text, **fields)
    return session.send(message, timeout=case.boundary)


def sees(wire: Wire, case: ChannelCase, probe: Callable[[Seen], Any], what: str) -> Seen:
    """Return the first message on the other side of which the probe is true."""

    def found() -> Seen | None:
        return next((one for one in wire.seen() if probe(one)), None)

    seen = until(found, case.boundary, f"the person saw {what}; they see {list(wire.seen())}")
    assert seen is not None
    return seen
