"""Installing the wheel is all it takes, and uninstalling it is all it takes to be rid of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WHEELS = [Path(one) for one in os.environ.get("COBOT_WHEELS", "").split(os.pathsep) if one]


def run(*command: object) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def known(python: Path) -> set[str]:
    """Return the plugins that a session would find in an environment."""
    listed = json.loads(run(python, "-m", "cobot_session.cli", "channels", "--json"))
    return {row["channel"] for row in listed}


@pytest.mark.timeout(300)
@pytest.mark.skipif(not WHEELS, reason="no wheels are given in COBOT_WHEELS")
def test_install_and_it_is_there_uninstall_and_it_is_gone(tmp_path: Path) -> None:
    """pip alone makes the channel known and unknown; the session is the same all the time."""
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    ours = [wheel for wheel in WHEELS if wheel.name.startswith("cobot_filedrop")]
    run(python, "-m", "pip", "install", "-q", *(wheel for wheel in WHEELS if wheel not in ours))
    assert "filedrop" not in known(python)
    run(python, "-m", "pip", "install", "-q", *ours)
    assert "filedrop" in known(python)
    run(python, "-m", "pip", "uninstall", "-q", "-y", "cobot-filedrop")
    assert "filedrop" not in known(python)
