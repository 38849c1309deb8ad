"""What is tested is what people install."""

import os
from importlib.metadata import requires, version
from pathlib import Path

import cobot_telegram


def test_the_distribution_has_a_version() -> None:
    """The distribution is installed under its own name, with a release number."""
    assert version("cobot-telegram").count(".") == 2


def test_the_core_is_required_within_bounds() -> None:
    """Installing the channel brings a core of the contract it was written for."""
    core = [line for line in requires("cobot-telegram") or [] if line.startswith("cobot-session")]
    assert len(core) == 1
    assert ">=" in core[0]
    assert "<" in core[0]


def test_the_tested_package_is_the_installed_one() -> None:
    """With COBOT_TESTING_INSTALLED=1 the package comes from site-packages, not from a checkout."""
    folder = Path(cobot_telegram.__file__).resolve().parent
    assert (folder / "py.typed").is_file()
    if os.environ.get("COBOT_TESTING_INSTALLED") == "1":
        assert folder.parent.name == "site-packages"
