"""The kit tells every broken channel by the right test, in words that name the defect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from broken_channels import BROKEN

from cobot_session.testing import contract_tests

CONFTEST = 'pytest_plugins = ["cobot_session.testing"]'
MODULE = """
import pytest
from broken_channels import BROKEN
from cobot_session import Limits
from cobot_session.testing import ChannelCase, ChannelContract, FakeChannel, FakeWire

class Base:
    @pytest.fixture
    def network(self):
        return FakeChannel(limits=Limits(text=200, files=1))

    @pytest.fixture
    def channel(self, network):
        broken = BROKEN[type(self).__name__.removeprefix("Test")]
        make = lambda: broken.plugin(network)
        bound = 8.0 if broken.test == "test_health_is_true" else 1.5
        return ChannelCase("fake", broken.options, plugin=make, boundary=bound)

    @pytest.fixture
    def wire(self, network):
        return FakeWire(network)
"""


def class_of(name: str) -> str:
    """Return the test class of a broken channel."""
    return f"\nclass Test{name}(Base, ChannelContract):\n    pass\n"


@pytest.fixture
def kit(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.syspathinsert(Path(__file__).parent)
    pytester.makeconftest(CONFTEST)
    return pytester


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the kit said of each broken channel: the text of the failure, empty for none."""
    folder = tmp_path_factory.mktemp("kit")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    module = MODULE + "".join(map(class_of, BROKEN))
    (folder / "test_all.py").write_text(module, encoding="utf-8")
    chosen = [f"test_all.py::Test{name}::{broken.test}" for name, broken in BROKEN.items()]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=out.xml"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.run(
        [*command, *chosen],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    cases = ElementTree.parse(folder / "out.xml").iter("testcase")  # noqa: S314 - pytest wrote it
    found = {
        case.get("classname", "").rpartition(".Test")[2]: "".join(
            str(child.get("message")) + str(child.text)
            for child in case
            if child.tag in {"failure", "error"}
        )
        for case in cases
    }
    assert found.keys() == BROKEN.keys(), run.stdout + run.stderr
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BROKEN)
def test_broken_channel_is_told(verdicts: dict[str, str], name: str) -> None:
    """The test that the defect belongs to fails, and its message names the defect."""
    assert verdicts[name], f"{BROKEN[name].test} passed"
    assert BROKEN[name].words in verdicts[name]


def test_every_test_of_the_contract_has_a_name_of_its_own() -> None:
    """Two tests of one name would hide each other."""
    assert len(set(contract_tests())) == len(contract_tests())


def test_test_of_the_contract_cannot_be_overridden(kit: pytest.Pytester) -> None:
    """An override without an `xfail` that gives its reason is refused."""
    kit.makepyfile(
        """
        from cobot_session.testing import ChannelContract

        class TestMine(ChannelContract):
            def test_order_is_kept(self):
                pass
        """
    )
    result = kit.runpytest_inprocess("-p", "no:cacheprovider")
    assert "TestMine.test_order_is_kept overrides a test of the contract" in result.stdout.str()


def test_test_of_the_contract_cannot_be_taken_out(kit: pytest.Pytester) -> None:
    """Deselecting in a conftest is told as an error, not passed over."""
    kit.makeconftest(
        """
        pytest_plugins = ["cobot_session.testing"]

        def pytest_collection_modifyitems(items):
            items[:] = [item for item in items if "order" not in item.name]
        """
    )
    kit.makepyfile(MODULE + class_of("OnlyPretendsToSend"))
    result = kit.runpytest_inprocess("-p", "no:cacheprovider")
    result.stderr.fnmatch_lines(
        ["*TestOnlyPretendsToSend lacks tests of the contract: test_order_is_kept*"]
    )


def test_known_failure_is_excused_with_its_reason(kit: pytest.Pytester) -> None:
    """An override marked `xfail` with a reason is accepted and stands in the report."""
    kit.makepyfile(
        MODULE
        + """
class TestTurnsTheOrderRound(Base, ChannelContract):
    @pytest.mark.xfail(reason="the platform has no order", strict=True)
    def test_order_is_kept(self, record, session, channel, person):
        super().test_order_is_kept(record, session, channel, person)
"""
    )
    result = kit.runpytest_inprocess(
        "-p", "no:cacheprovider", "-k", "order_is_kept", "--channel-report"
    )
    result.assert_outcomes(xfailed=1)
    result.stdout.fnmatch_lines(["*order is kept | ! the platform has no order |"])


def test_report_is_written_as_json(kit: pytest.Pytester) -> None:
    """The score is there for programs, too."""
    kit.makepyfile(MODULE + class_of("OnlyPretendsToSend"))
    kit.runpytest_inprocess("-p", "no:cacheprovider", "-k", "name", "--channel-report-json=r.json")
    text = (kit.path / "r.json").read_text(encoding="utf-8")
    assert '"test_name_is_the_plugins_id"' in text
    assert '"verdict": "proved"' in text
