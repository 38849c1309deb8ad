"""The core alone, and the core with one channel, install from what is built and work."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = "cobot-session"
CHANNELS = sorted(
    path.name for path in ROOT.glob("packages/*") if (path / "pyproject.toml").exists()
)
CHANNELS.remove(CORE)


def run(*command, cwd=None):
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        encoding="utf-8",
        timeout=280,
        check=False,
        cwd=cwd,
        env=clean(cwd),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean(folder):
    """Return an environment without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COBOT_")}
    homes = ("XDG_DATA_HOME", "XDG_CONFIG_HOME") if folder else ()
    return kept | dict.fromkeys(homes, str(folder))


@pytest.fixture
def installed(tmp_path):
    """Install wheels of `dist` into an empty environment, and return its Python."""
    folder = tmp_path / "venv"

    def install(*names):
        wheels = [
            wheel for name in names for wheel in ROOT.glob(f"dist/{name.replace('-', '_')}-*.whl")
        ]
        assert len(wheels) == len(names)
        python = folder / "bin" / "python"
        if shutil.which("uv"):
            run("uv", "venv", "-q", "-p", sys.executable, folder)
            run("uv", "pip", "install", "-q", "-p", python, *wheels)
        else:
            run(sys.executable, "-m", "venv", folder)
            run(python, "-m", "pip", "install", "-q", *wheels)
        return python

    return install


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [None, *CHANNELS], ids=lambda name: name or CORE)
def test_one_channel_alone_works(installed, tmp_path, name):
    """With nothing else there, the session finds the channel, loads it, and runs."""
    python = installed(*filter(None, [CORE, name]))
    channel = name and name.removeprefix("cobot-")
    listed = json.loads(
        run(python, "-m", "cobot_session.cli", "channels", "--check", "--json", cwd=tmp_path)
    )
    rows = {row["channel"]: row for row in listed}
    assert set(rows) >= {"session", "workspace", "console"}
    assert set(rows) - {"session", "workspace", "console"} == ({channel} if channel else set())
    code = "from cobot_session import Session\nwith Session({}) as it: print(it.status())"
    assert not channel or f"'{channel}'" in run(python, "-c", code, cwd=tmp_path)
