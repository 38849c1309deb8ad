"""The unit and the image start what there is, and tell whether it is well."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from cobot_session.cli.app import app
from cobot_session.config import load_config

SERVICE = Path(__file__).parents[2] / "service"
UNIT = SERVICE / "cobot-agent.service"


def commands() -> list[list[str]]:
    """Return the words of every call of `cobot-session` in the unit and the Dockerfile."""
    unit = re.findall(r"^Exec\w+=(\S*cobot-session .*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    image = re.findall(r"CMD (\[.*\])", (SERVICE / "Dockerfile").read_text("utf-8"))
    return [*map(shlex.split, unit), *map(json.loads, image)]


def test_each_command_is_one():
    """Every command that is called, and each of its options, is one of `cobot-session`."""
    assert {words[1] for words in commands()} == {"run", "status"}
    for words in commands():
        assert Path(words[0]).name == "cobot-session"
        command = get_command(app).commands[words[1]]
        known = {name for each in command.params for name in each.opts}
        assert {word for word in words if word.startswith("-")} <= known


def test_configuration_and_agent_are_right():
    """What is copied into the image can be read, and holds the handler that is named."""
    text = (SERVICE / "cobot.yml").read_text("utf-8")
    token = {"TELEGRAM_BOT_TOKEN": f"123456789:{'A' * 35}"}
    config = load_config(yaml.safe_load(text), env=token)
    assert set(config.blocks) == {"telegram"}
    scope: dict[str, object] = {}
    exec((SERVICE / "agent.py").read_text("utf-8"), scope)  # noqa: S102 - it is ours
    assert callable(scope["answer"])


def test_image_is_told_its_health():
    """The health check is the command that exits with 1 when it is not well; no root runs it."""
    lines = (SERVICE / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    words = {line.split()[0]: line for line in lines if not line.startswith("#")}
    assert '["cobot-session", "status"]' in words["HEALTHCHECK"]
    assert words["USER"] == "USER agent"
    copied = words["COPY"].split()[1:-1]
    assert all((SERVICE / name).is_file() for name in copied)
    state = yaml.safe_load((SERVICE / "cobot.yml").read_text("utf-8"))["plugins"]["workspace"]
    assert words["VOLUME"].split()[1] == state["path"]


def test_unit_starts_again_unless_it_cannot_help():
    """A crash is followed by another start; a mistake in `cobot.yml` (exit code 2) is not."""
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str
    unit.read(UNIT)
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["RestartPreventExitStatus"] == "2"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_takes_the_unit(tmp_path):
    """systemd finds no mistake in it."""
    here = Path(sys.executable).parent
    text = UNIT.read_text("utf-8").replace("/opt/cobot-agent/.venv/bin", str(here))
    (tmp_path / UNIT.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", tmp_path / UNIT.name],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
