"""What `cobot-session new` writes is complete: it builds, installs, is found, passes the kit."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cobot_session.scaffold import ScaffoldError, scaffold

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(command: Sequence[str | Path], folder: Path, path: Path | str = "", code: int = 0) -> str:
    """Run a command as a person would, and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(path), "COBOT_CONFIG": ""}
    environment["XDG_DATA_HOME"] = str(folder / "data")  # not the spool of who runs the tests
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_new_channel_is_built_installed_found_and_passes_the_kit(tmp_path: Path) -> None:
    """From `new` to a green kit, in an environment where only its wheel has been installed."""
    folder = scaffold("my-chat", tmp_path)
    run([sys.executable, "-m", "venv", tmp_path / "venv"], tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    beside = run([python, "-c", "import site; print(site.getsitepackages()[0])"], tmp_path).strip()
    ours = sysconfig.get_path("purelib")
    Path(beside, "session.pth").write_text(f"import site; site.addsitedir({ours!r})\n", "utf-8")
    run([python, "-m", "pip", "install", "--no-deps", "-q", folder], tmp_path)
    run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider"], folder)
    listed = run([python, "-m", "cobot_session.cli", "channels", "--json"], tmp_path)
    assert '"my-chat"' in listed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "test", "words"),
    [
        (
            '=update["user"]',
            '="alice"',
            "stranger_reaches_the_agent",
            "strangers reached the agent",
        ),
        ('=update["chat"]', '="chat"', "comes_in_by_a_listed_chat", "strangers reached the agent"),
        ('=update["direct"]', "=True", "code_is_given_in_a_group", "codes were given: ['club']"),
    ],
)
def test_gate_of_a_new_channel_is_tried(
    tmp_path: Path, right: str, wrong: str, test: str, words: str
) -> None:
    """Who breaks in a new channel what the gate goes by is told so by its kit."""
    folder = scaffold("slack", tmp_path)
    about = folder / "src" / "cobot_slack-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cobot-slack\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[cobot.plugins]\nslack = cobot_slack:Slack\n")
    kit = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", test]
    assert "1 passed" in run(kit, folder, path=folder / "src")
    source = folder / "src" / "cobot_slack" / "__init__.py"
    source.write_text(source.read_text("utf-8").replace(right, wrong), "utf-8")
    assert words in run(kit, folder, path=folder / "src", code=1)


def test_channel_itself_is_short(tmp_path: Path) -> None:
    """The class that an author begins with has less than 40 lines."""
    folder = scaffold("slack", tmp_path)
    source = (folder / "src" / "cobot_slack" / "__init__.py").read_text("utf-8")
    _, _, channel = source.partition("class Slack(Plugin):")
    assert 0 < len(channel.splitlines()) < 40


@pytest.mark.parametrize(
    "name", ["Slack", "my chat", "../evil", "", "9lives", "session", "import", "cobot-"]
)
def test_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written for a name that could not be installed, and the text says the rule."""
    with pytest.raises(ScaffoldError, match="name"):
        scaffold(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["telegram", "fictional"])
def test_name_of_another_channel_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nothing is written for a channel that could not be installed beside one that there is."""
    site, target = tmp_path / "site", tmp_path / "target"
    target.mkdir()
    (site / "cobot_fictional-1.0.dist-info").mkdir(parents=True)
    points = "[cobot.plugins]\nfictional = cobot_fictional:Fictional\n"
    (site / "cobot_fictional-1.0.dist-info" / "entry_points.txt").write_text(points, "utf-8")
    metadata = "Metadata-Version: 2.1\nName: cobot_fictional\nVersion: 1.0\n"
    (site / "cobot_fictional-1.0.dist-info" / "METADATA").write_text(metadata, "utf-8")
    monkeypatch.syspath_prepend(site)
    with pytest.raises(ScaffoldError, match=f"cannot be used together. Choose .* `my-{name}`"):
        scaffold(name, target)
    assert not list(target.iterdir())
    scaffold(f"my-{name}", target)


@pytest.mark.parametrize("name", ["cobot-slack", "cobot_slack", "cobot-cobot-slack"])
def test_name_of_the_distribution_is_taken_for_its_channels(tmp_path: Path, name: str) -> None:
    """Who names the distribution that they want gets that one, and not `cobot-cobot-slack`."""
    folder = scaffold(name, tmp_path)
    assert folder.name == "cobot-slack"
    assert 'slack = "cobot_slack:Slack"' in (folder / "pyproject.toml").read_text("utf-8")


def test_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """A second `new` overwrites nothing."""
    scaffold("slack", tmp_path)
    with pytest.raises(ScaffoldError, match="cannot be made"):
        scaffold("slack", tmp_path)
