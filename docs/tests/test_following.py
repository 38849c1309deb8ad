"""The front page and the first tutorial, followed word for word where nothing is installed.

Every file is written and every command is run as it stands there, in a new virtual environment and
an empty folder. Two things differ from what a reader has: pip gets the packages of this tree
(`PIP_CONSTRAINT`) and a server on this machine stands for Telegram, which two lines at the end of
`cobot.yml` name, with the ids of the people there.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from cobot_telegram.testing import BotApiServer

ROOT = Path(__file__).parents[2]
WHEELS = [Path(one) for one in os.environ.get("COBOT_WHEELS", "").split(os.pathsep) if one]
BLOCK = re.compile(r"^```(python|yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# ([\w-]+\.\w+)\n")
UNTIL_STOPPED = re.compile(r"cobot-session run |python agent\.py")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Reader:
    """Somebody in a terminal, in an empty folder, with a Telegram account."""

    folder: Path
    telegram: BotApiServer
    environment: dict[str, str]
    answers: int = 0

    def __post_init__(self) -> None:
        self.ada = self.telegram.user("Ada")
        self.eve = self.telegram.user("Eve")

    def follow(self, page: Path) -> None:
        """Do what a page says, from top to bottom."""
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language == "console":
                for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                    command, _, shown = part.partition("\n")
                    self.runs(command.strip(), shown.strip())
            elif named := FILE_NAME.match(text):
                self.writes(named[1], text)

    def writes(self, name: str, text: str) -> None:
        if name == "cobot.yml":
            text = text.replace("123456789", str(self.ada.id))
            text += f"    api_url: {self.telegram.api_url}\n"
        (self.folder / name).write_text(text, encoding="utf-8")

    def runs(self, command: str, shown: str) -> None:
        if command == ". .venv/bin/activate":
            self.activate(self.folder / ".venv")
        elif UNTIL_STOPPED.match(command):
            self.talks(command)
        else:
            done = subprocess.run(  # noqa: S602 - a line of a console is a line for a shell
                command,
                shell=True,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                timeout=400,
                check=False,
            )
            assert done.returncode == 0, f"$ {command}\n{done.stdout}"
            wanted = f"\n{shown}\n".replace("\n...\n", "\n\n...\n\n")
            assert not shown or doctest.OutputChecker().check_output(wanted, done.stdout, FLAGS), (
                f"$ {command}\nThe page shows:\n{shown}\nIt prints:\n{done.stdout}"
            )

    def activate(self, environment: Path) -> None:
        self.environment["VIRTUAL_ENV"] = str(environment)
        self.environment["PATH"] = f"{environment / 'bin'}{os.pathsep}{self.environment['PATH']}"

    def talks(self, command: str) -> None:
        """Start the agent, write to it as somebody who may and as somebody who may not, stop it."""
        agent = subprocess.Popen(shlex.split(command), cwd=self.folder, env=self.environment)
        try:
            self.eve.says("let me in")
            self.ada.says("hello")
            assert self.ada.chat.wait_for("You said: hello", timeout=200)
            assert not [one for one in self.eve.chat.answers if "let me in" in one.text]
            self.answers += 1
        finally:
            agent.terminate()  # Ctrl-C is not heard by what a shell started in the background
            try:
                agent.wait(60)
            finally:
                agent.kill()


@pytest.mark.timeout(1200)
@pytest.mark.skipif(not WHEELS, reason="no wheels are given in COBOT_WHEELS")
@pytest.mark.parametrize(
    "page", [pytest.param("README.md", marks=pytest.mark.soak), "docs/agents/first.md"]
)
def test_page_is_followed_word_for_word(page: str, tmp_path: Path) -> None:
    """Who does what the page says meets no error, and is answered at the end."""
    lines = [f"{parse_wheel_filename(one.name)[0]} @ {one.as_uri()}\n" for one in WHEELS]
    (tmp_path / "constraints.txt").write_text("".join(lines), encoding="utf-8")
    folder = tmp_path / "reader"
    folder.mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "COBOT_CONFIG", "COBOT_WHEELS", "VIRTUAL_ENV"}
    }
    environment |= {
        "PIP_CONSTRAINT": str(tmp_path / "constraints.txt"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PATH": os.pathsep.join([str(Path(sys.base_prefix, "bin")), environment["PATH"]]),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    with BotApiServer() as telegram:
        reader = Reader(folder, telegram, environment | {"TELEGRAM_BOT_TOKEN": telegram.token})
        if "venv" not in (ROOT / page).read_text(encoding="utf-8"):
            reader.runs("python3 -m venv .venv", "")
            reader.activate(folder / ".venv")
        reader.follow(ROOT / page)
        assert reader.answers == 1
