"""The contract's first part: the distribution."""

from __future__ import annotations

import json
import subprocess  # nosec B404 # starts this Python
import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import importlib_metadata
import pytest
from packaging.requirements import Requirement

from cobot_session.hooks import bind
from cobot_session.hookspecs import CONTRACT
from cobot_session.registry import Installed, PluginRecord, installed
from cobot_session.testing.parts import Part

if TYPE_CHECKING:
    from cobot_session.testing.case import ChannelCase

_LOOK = """
import json, sys
sockets = []
sys.addaudithook(lambda event, _: sockets.append(event) if event.startswith("socket.") else None)
before = set(sys.modules)
import importlib
importlib.import_module(sys.argv[1])
print(json.dumps([sorted(set(sys.modules) - before), sockets]))
"""


class Packaging(Part):
    """What pip and a session's start see of the channel."""

    @pytest.fixture
    def entry(self, channel: ChannelCase) -> Installed:
        """The channel's entry point."""
        if channel.plugin is not None:
            pytest.skip("given in code, not installed")
        found = [one for one in installed() if one.name == channel.name]
        assert found, (
            f"nothing installed claims the name {channel.name!r}. Write in pyproject.toml:"
            f' [project.entry-points."cobot.plugins"] {channel.name} = "your_package:YourClass",'
            " and install the distribution"
        )
        return found[0]

    def test_name_is_claimed_once(self, channel: ChannelCase, entry: Installed) -> None:
        """Fails when two distributions claim the name: rename yours, or uninstall the other."""
        claims = [str(one) for one in installed() if one.name == entry.name]
        assert len(claims) == 1, f"{channel.name!r} is claimed by {' and '.join(claims)}"

    def test_session_can_load_it(self, record: PluginRecord) -> None:
        """Fails when a session would set the plugin aside: the text has its reason and remedy."""
        assert record.state == "ready"

    def test_name_is_the_plugins_id(self, channel: ChannelCase, record: PluginRecord) -> None:
        """Fails when `meta.id` differs from the entry point's name: make them equal."""
        assert record.meta is not None
        assert record.meta.id == channel.name

    def test_hooks_are_known(self, record: PluginRecord) -> None:
        """Fails when a hook is misspelt or takes unknown arguments: compare with hookspecs."""
        assert record.factory is not None
        bind(record.factory())

    def test_it_is_written_for_this_contract(self, record: PluginRecord) -> None:
        """Fails when it was written for another version of the contract: see the changelog."""
        assert record.meta is not None
        assert record.meta.contract == CONTRACT

    def test_each_object_is_fresh(self, record: PluginRecord) -> None:
        """Fails when the factory returns one object twice: a restart would get the broken one."""
        assert record.factory is not None
        assert record.factory() is not record.factory(), "the factory returns the same object"

    def test_package_is_typed(self, entry: Installed) -> None:
        """Fails without `py.typed`: put the empty file beside `__init__.py`."""
        package = entry.value.partition(":")[0].partition(".")[0]
        assert (files(package) / "py.typed").is_file(), f"{package} has no py.typed"

    def test_it_depends_on_cobot_session_with_bounds(self, entry: Installed) -> None:
        """Fails without bounds: write `cobot-session>=0.1,<0.2` under `dependencies`."""
        if entry.distribution == "cobot-session":
            pytest.skip("it comes with cobot-session itself")
        wanted = [one for one in _requirements(entry.distribution) if one.name == "cobot-session"]
        assert wanted, "the distribution does not depend on cobot-session"
        operators = {one.operator for one in wanted[0].specifier}
        assert operators & {">=", "~=", "=="}, f"no lower bound in {wanted[0]}"
        assert operators & {"<", "<=", "~=", "=="}, f"no upper bound in {wanted[0]}"

    def test_import_opens_no_socket(self, entry: Installed) -> None:
        """Fails when importing the module connects or listens: do that in `start`."""
        _, sockets = _imported(entry)
        assert not sockets, f"importing {entry.value} did {', '.join(sorted(set(sockets)))}"

    def test_import_is_light(self, entry: Installed) -> None:
        """Fails when the client library is imported with the module: import it in `start`."""
        modules, _ = _imported(entry)
        heavy = _client_packages(entry) & {name.partition(".")[0] for name in modules}
        assert not heavy, f"importing {entry.value} imports {', '.join(sorted(heavy))}"


def _requirements(distribution: str) -> list[Requirement]:
    return [Requirement(line) for line in importlib_metadata.requires(distribution) or ()]


def _client_packages(entry: Installed) -> set[str]:
    """Return the import packages that the channel needs and the session does not."""
    ours = {one.name for one in _requirements("cobot-session")} | {"cobot-session"}
    own = {
        one.name.lower()
        for one in _requirements(entry.distribution)
        if one.name not in ours and one.marker is None
    }
    owners = importlib_metadata.packages_distributions()
    return {
        package
        for package, distributions in owners.items()
        if own & {name.lower() for name in distributions}
    }


def _imported(entry: Installed) -> tuple[list[str], list[str]]:
    """Import the plugin's module in a process of its own; return new modules and socket events."""
    module = entry.value.partition(":")[0]
    done = subprocess.run(  # nosec B603 # noqa: S603 - our own interpreter, a module name from metadata
        [sys.executable, "-c", _LOOK, module],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"importing {module} fails:\n{done.stderr}"
    looked: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return looked[0], looked[1]
