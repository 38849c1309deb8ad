"""The pages whose commands take long, run as a reader would: in order, in one folder."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[1] / "channels"
SECONDS = 400
"""How long one command may take."""

BLOCK = re.compile(
    r"^```(?P<language>python|console)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
FILE_NAME = re.compile(r"# (?P<name>[\w-]+\.\w+)\n")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Shell:
    """A person's terminal: it remembers the folder and the environment that was activated."""

    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        self.prefer(Path(sys.executable).parent)
        for name in ("PYTHONPATH", "COBOT_CONFIG"):
            self.environment.pop(name, None)

    def prefer(self, programs: Path) -> None:
        """Look for programs there first."""
        self.environment["PATH"] = f"{programs}{os.pathsep}{self.environment['PATH']}"

    def run(self, command: str) -> str:
        """Return what a command prints; it has to succeed."""
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return ""
        if command == ". .venv/bin/activate":
            self.activate()
            return ""
        done = subprocess.run(  # noqa: S602 - a line of a console is a line for a shell
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def activate(self) -> None:
        """Use `.venv`, in which what is installed here is installed already: this tree's wheels."""
        programs = self.folder / ".venv" / "bin"
        where = "import site; print(site.getsitepackages()[0])"
        packages = subprocess.check_output([programs / "python", "-c", where], text=True).strip()
        ours = sysconfig.get_path("purelib")
        Path(packages, "beside.pth").write_text(
            f"import site; site.addsitedir({ours!r})\n", "utf-8"
        )
        for name, module in (("cobot-session", "cobot_session.cli"), ("pytest", "pytest")):
            script = programs / name
            script.write_text(f'#!/bin/sh\nexec "{programs}/python" -m {module} "$@"\n', "utf-8")
            script.chmod(0o755)
        self.environment["VIRTUAL_ENV"] = str(programs.parent)
        self.prefer(programs)


def follow(page: Path, shell: Shell) -> None:
    """Write the files of a page and run its commands; each prints what the page shows."""
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["language"] == "python":
            if named := FILE_NAME.match(block["text"]):
                (shell.folder / named["name"]).write_text(block["text"], encoding="utf-8")
            continue
        for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            command, shown = commanded(part)
            printed = shell.run(command)
            wanted = shown.replace("\n...\n", "\n\n...\n\n")
            assert not shown or doctest.OutputChecker().check_output(wanted, printed, FLAGS), (
                f"$ {command}\nThe page shows:\n{shown}\nIt prints:\n{printed}"
            )


def commanded(part: str) -> tuple[str, str]:
    """Return the command of a block's part, a here-document with it, and the output below."""
    first, _, rest = part.partition("\n")
    if first.endswith("<<'END'"):
        document, _, rest = rest.partition("END\n")
        first = f"{first}\n{document}END"
    return first.strip(), rest.strip()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["polling", "push"])
def test_worked_example_passes_the_kit(name: str, tmp_path: Path) -> None:
    """The channel on the page, as it stands there, passes the tests on the page."""
    follow(PAGES / f"{name}.md", Shell(tmp_path))


@pytest.mark.timeout(1200)
def test_first_channel_is_made_as_the_page_says(tmp_path: Path) -> None:
    """From `cobot-session new` to an installed, discovered, proved and built distribution."""
    shell = Shell(tmp_path)
    follow(PAGES / "first.md", shell)
    assert (tmp_path / "cobot-slack" / "dist").is_dir()
