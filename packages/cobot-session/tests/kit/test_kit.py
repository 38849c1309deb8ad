"""The kit tells every broken channel by the right test, in words that name the defect."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from broken_channels import BROKEN

from cobot_session.testing import contract_tests

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORT, LONG = 1.5, 15.0
"""Seconds that a broken channel is waited for, in a first and a second look."""
SIDE_BY_SIDE = 4
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
        bound = max(8.0, BOUND) if broken.test == "test_health_is_true" else BOUND
        return ChannelCase("fake", broken.options, plugin=make, boundary=bound)

    @pytest.fixture
    def wire(self, network):
        return FakeWire(network)
"""
WAITING = MODULE.replace("BOUND", f"{LONG}")


def class_of(name: str) -> str:
    """Return the test class of a broken channel."""
    return f"\nclass Test{name}(Base, ChannelContract):\n    pass\n"


@pytest.fixture
def kit(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.syspathinsert(Path(__file__).parent)
    pytester.makeconftest(CONFTEST)
    return pytester


def judged(folder: Path, names: Sequence[str], bound: float) -> dict[str, str]:
    """What the kit says of broken channels: the text of the failure, empty for none."""
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    module = MODULE.replace("BOUND", f"{bound}") + "".join(map(class_of, names))
    (folder / "test_all.py").write_text(module, encoding="utf-8")
    chosen = [f"test_all.py::Test{name}::{BROKEN[name].test}" for name in names]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=out.xml"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.run(
        [*command, *chosen],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
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
    assert found.keys() == set(names), run.stdout + run.stderr
    return found


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the kit said of each broken channel.

    Most of it is to wait for what does not come, so four processes do it side by side, and not for
    long; what cannot be told within that on a busy machine is looked at again with time enough.
    """
    folder, names = tmp_path_factory.mktemp("kit"), list(BROKEN)
    found: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        shares = [(folder / f"{n}", names[n::SIDE_BY_SIDE], SHORT) for n in range(SIDE_BY_SIDE)]
        for share in pool.map(judged, *zip(*shares, strict=True)):
            found |= share
    if untold := [name for name in names if BROKEN[name].words not in found[name]]:
        found |= judged(folder / "again", untold, LONG)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
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
    kit.makepyfile(WAITING + class_of("OnlyPretendsToSend"))
    result = kit.runpytest_inprocess("-p", "no:cacheprovider")
    result.stderr.fnmatch_lines(
        ["*TestOnlyPretendsToSend lacks tests of the contract: test_order_is_kept*"]
    )


def test_known_failure_is_excused_with_its_reason(kit: pytest.Pytester) -> None:
    """An override marked `xfail` with a reason is accepted and stands in the report."""
    kit.makepyfile(
        WAITING
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
    kit.makepyfile(WAITING + class_of("OnlyPretendsToSend"))
    kit.runpytest_inprocess(
        "-p", "no:cacheprovider", "-k", "name_is_the", "--channel-report-json=r.json"
    )
    text = (kit.path / "r.json").read_text(encoding="utf-8")
    assert '"test_name_is_the_plugins_id"' in text
    assert '"verdict": "proved"' in text


BARE = """
import pytest
from cobot_session import Limits, Plugin, PluginMeta
from cobot_session.testing import Absent, ChannelCase, ChannelContract, FakeChannel, FakeWire, Wire

class Bare(Wire):
    def __init__(self, person):
        self.person = person

    def says(self, text, *, reply_to=None, files=None):
        if files:
            raise Absent("no files")
        return self.person.says(text, reply_to=reply_to)

    def seen(self):
        return self.person.seen()

class TestBare(ChannelContract):
    @pytest.fixture
    def network(self):
        return FakeChannel(limits=Limits(text=200, files=1), shows_drafts=True)

    @pytest.fixture
    def channel(self, network):
        return ChannelCase("fake", plugin=network.plugin)

    @pytest.fixture
    def wire(self, network):
        return Bare(FakeWire(network))
"""
LACKING = {
    "repeats": "repeated delivery is one message",
    "edits": "edit arrives as one",
    "deletes": "deletion arrives as one",
    "reacts": "reaction arrives as one",
    "garbles": "garbage blocks nothing",
    "refuses": "temporary trouble is tried again",
    "is_typed_to": "typing is shown",
    "presence": "presence is shown",
    "draft": "draft gives way to the answer",
    "cuts": "health is true",
    "strangers": "no stranger reaches the agent",
}
UNTRIED = "the gate was NOT tried: give the wire `strangers()`"
OPEN = "the gate is open by the channel's own settings"
OF_ITS_OWN = """
from cobot_session.testing import FakePlugin
from pydantic import BaseModel

class Settings(BaseModel):
    public: bool = False

    def access(self):
        return {"open": self.public}

class OfItsOwn(FakePlugin):
    config_model = Settings
"""


def reported(kit: pytest.Pytester, module: str, *options: str) -> list[str]:
    """Return the lines of the kit's report of a module."""
    kit.makepyfile(module)
    run = kit.runpytest_inprocess("-p", "no:cacheprovider", "--channel-report", *options)
    return run.stdout.lines


def test_verb_that_the_wire_lacks_is_named(kit: pytest.Pytester) -> None:
    """Who reads why a test was skipped knows which verb to write, and what it is good for."""
    lines = reported(kit, BARE)
    told = {
        verb: f"- the wire has no `{verb}()`: with it the kit proves that {claim} |"
        for verb, claim in LACKING.items()
    }
    assert not [verb for verb, why in told.items() if not any(why in line for line in lines)]


def test_verb_that_says_absent_is_named(kit: pytest.Pytester) -> None:
    """A verb that does a thing in part is told from one that is not there."""
    lines = reported(kit, BARE, "-k", "attachment_arrives")
    assert (
        "| Receiving | attachment arrives and can be fetched | - the wire's `says()` raises"
        " `Absent('no files')` here: without that the kit proves that attachment arrives and can be"
        " fetched |"
    ) in lines


@pytest.mark.parametrize(
    "strangers",
    [
        pytest.param("", id="without the verb"),
        pytest.param("    def strangers(self): return {}", id="with nobody"),
    ],
)
def test_gate_that_nobody_tried_is_told_loudly(kit: pytest.Pytester, strangers: str) -> None:
    """A run in which no stranger did anything says so, in the summary and in the report."""
    module = BARE.replace("class TestBare", f"{strangers}\n\nclass TestBare")
    lines = reported(kit, module, "-k", "stranger or code")
    assert f"gate of fake (TestBare): {UNTRIED}" in lines
    assert f"At the gate: **{UNTRIED}**" in lines


@pytest.mark.parametrize(
    ("module", "chosen"),
    [
        pytest.param(BARE, "order_is_kept", id="not chosen"),
        pytest.param(
            BARE.replace("plugin=network.plugin", "plugin=Mouth")
            + """
class Mouth(Plugin):
    meta = PluginMeta(id="fake", version="1")

    def session_send(self, message):
        pass
""",
            "stranger or code",
            id="no way in",
        ),
    ],
)
def test_gate_that_nothing_was_to_try_is_not_told_of(
    kit: pytest.Pytester, module: str, chosen: str
) -> None:
    """Where no test of the gate was chosen, or nobody can write, there is nothing to be loud of."""
    lines = reported(kit, module, "-k", chosen)
    assert any("**fake" in line for line in lines)
    assert not [line for line in lines if "NOT tried" in line]


def of_its_own(options: dict[str, object]) -> str:
    """Return a module whose channel says by a key of its own whether everybody is let in."""
    given = f"{options}, plugin=lambda: OfItsOwn(network)"
    return BARE.replace("plugin=network.plugin", given) + OF_ITS_OWN


def test_gate_that_the_channel_opens_itself_is_told_quietly(kit: pytest.Pytester) -> None:
    """Where the channel's own settings let everybody in, nobody is asked for strangers."""
    lines = reported(kit, of_its_own({"public": True}), "-k", "stranger or code")
    assert f"gate of fake (TestBare): {OPEN}" in lines
    assert f"At the gate: {OPEN}" in lines
    assert f"| Gating | no stranger reaches the agent | - {OPEN} |" in lines
    assert not [line for line in lines if "NOT tried" in line or "strangers()" in line]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"public": False}, id="by nothing"),
        pytest.param({"access": {"open": True}}, id="by the access of a block"),
    ],
)
def test_gate_that_the_channel_does_not_open_is_told_loudly(
    kit: pytest.Pytester, options: dict[str, object]
) -> None:
    """What `access` of a block opens, its owner can close: such a gate is one to be tried."""
    lines = reported(kit, of_its_own(options), "-k", "stranger or code")
    assert f"gate of fake (TestBare): {UNTRIED}" in lines
    assert f"At the gate: **{UNTRIED}**" in lines


def test_strangers_that_an_open_gate_lets_in_are_told_all_the_same(kit: pytest.Pytester) -> None:
    """Own settings that let everybody in excuse nothing once the wire has strangers."""
    verbs = """
    def person_id(self):
        return self.person.person_id()

    def strangers(self):
        return self.person.strangers()

class TestBare"""
    module = of_its_own({"public": True}).replace("class TestBare", verbs.lstrip("\n"))
    lines = reported(kit, module, "-k", "no_stranger_reaches")
    assert any("strangers reached the agent" in line for line in lines)
    assert not [line for line in lines if OPEN in line]
