"""What is tested is what people install."""

import os
from importlib.metadata import version
from pathlib import Path

import cobot_session


def test_the_distribution_has_a_version():
    """The distribution is installed under its own name, with a release number."""
    assert version("cobot-session").count(".") == 2


def test_the_tested_package_is_the_installed_one():
    """With COBOT_TESTING_INSTALLED=1 the package comes from site-packages, not from a checkout."""
    folder = Path(cobot_session.__file__).resolve().parent
    assert (folder / "py.typed").is_file()
    if os.environ.get("COBOT_TESTING_INSTALLED") == "1":
        assert folder.parent.name == "site-packages"
