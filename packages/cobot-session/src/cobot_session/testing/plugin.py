"""The kit as a pytest plugin: its options, its report, and that no test gets lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.session import Session
from cobot_session.testing.contract import ChannelContract, contract_tests
from cobot_session.testing.fake import FakeChannel
from cobot_session.testing.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPORT = pytest.StashKey[Report]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the report."""
    group = parser.getgroup("cobot channels")
    group.addoption(
        "--channel-report", action="store_true", help="print what each channel can do and proved"
    )
    group.addoption(
        "--channel-report-json", metavar="FILE", type=Path, help="write the same as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin a report."""
    config.stash[_REPORT] = Report()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse a contract of which tests are missing, unless the command line chose some."""
    chosen = session.config.option
    if chosen.keyword or chosen.markexpr or any("::" in arg for arg in session.config.args):
        return
    found: dict[type, set[str]] = {}
    for item in session.items:
        owner = getattr(item, "cls", None)
        if owner is not None and issubclass(owner, ChannelContract):
            found.setdefault(owner, set()).add(item.name.partition("[")[0])
    for owner, tests in found.items():
        missing = [name for name in contract_tests() if name not in tests]
        if missing:
            raise pytest.UsageError(
                f"{owner.__name__} lacks tests of the contract: {', '.join(missing)}"
            )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note what a test of the contract proved."""
    outcome: Any = yield
    owner = getattr(item, "cls", None)
    if owner is None or not issubclass(owner, ChannelContract):
        return
    funcargs = getattr(item, "funcargs", {})
    item.config.stash[_REPORT].note(owner.__name__, item.name, outcome.get_result(), funcargs)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print and write the report that was asked for."""
    report = config.stash[_REPORT]
    path = config.getoption("--channel-report-json")
    if path is not None:
        path.write_text(json.dumps(report.facts(), indent=2) + "\n", encoding="utf-8")
    for line in report.gates():
        terminalreporter.write_line(line)
    if config.getoption("--channel-report"):
        for text in report.tables():
            terminalreporter.write_line("")
            terminalreporter.write_line(text)


@pytest.fixture
def fake_channel() -> FakeChannel:
    """A chat network in memory."""
    return FakeChannel()


@pytest.fixture
def session(fake_channel: FakeChannel, tmp_path: Path) -> Iterator[Session]:
    """A running session whose only channel is `fake`, speaking to `fake_channel`."""
    config = {
        "plugins": {
            "session": {"events": "all"},
            "workspace": {"path": str(tmp_path / "workspace")},
            "fake": {"access": {"open": True}, "default_chat": "chat"},
        }
    }
    with Session(config, plugins={"fake": fake_channel.plugin}) as running:
        yield running
