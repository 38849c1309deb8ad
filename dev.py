#!/usr/bin/env python3
"""Start from nothing but Python: run the demonstration, or pass the tests.

    python3 dev.py demo              install the built packages privately and run the demonstration
    python3 dev.py test              run every check
    python3 dev.py nox -t NAME       run the checks of one package; takes whatever nox takes

Everything lands in `.venv-demo`, `.venv-dev` and `.nox` beside this file; deleting them undoes it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
NEEDED = (3, 11)
PYTHON = "python.exe" if os.name == "nt" else "python"
NO_PIP = """\
Python cannot make a virtual environment here: its module `ensurepip` is missing.
On Debian and Ubuntu it is a package of its own: apt install python3-venv
Or run this file with another Python, for example one from python.org."""


def settings() -> dict[str, Any]:
    """Return the shared settings: what the tools and the demonstration consist of."""
    import tomllib  # not there before NEEDED, and that is to be said kindly

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def environment(name: str, *requirements: str) -> Path:
    """Return the folder of commands of a private environment that has the requirements."""
    folder = ROOT / name
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    if not ((folder / "ready").exists() and (commands / PYTHON).exists()):
        print(f"Making {name} …", flush=True)
        made = [sys.executable, "-m", "venv", "--clear", str(folder)]
        subprocess.run(made, check=True)
        (folder / "ready").touch()
    install = [str(commands / PYTHON), "-m", "pip", "install", "--quiet"]
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*install, *requirements], check=True, env=quiet, cwd=ROOT)
    return commands


def demo(arguments: list[str]) -> int:
    """Build and install the packages of the demonstration, and run it."""
    parts = settings()["tool"]["cobot"]["demo"]
    commands = environment(".venv-demo", *(f"./{part}" for part in parts))
    return run([str(commands / "cobot-session"), "demo", *arguments])


def test(arguments: list[str]) -> int:
    """Run every check, two at a time for each processor: half of what they do is to wait."""
    return nox(["--parallel", str(2 * (os.cpu_count() or 1)), *arguments])


def nox(arguments: list[str]) -> int:
    """Run nox, with uv beside it, in the versions this repository is known to work with."""
    commands = environment(".venv-dev", *settings()["dependency-groups"]["dev"])
    path = os.pathsep.join([str(commands), os.environ.get("PATH", os.defpath)])
    noxfile = str(ROOT / "noxfile.py")
    program = [str(commands / PYTHON), "-m", "nox", "--noxfile", noxfile, *arguments]
    return run(program, env={**os.environ, "PATH": path})


def run(command: list[str], env: dict[str, str] | None = None) -> int:
    """Run to the end, leaving an interruption to the command, and return its exit code."""
    with subprocess.Popen(command, env=env) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def main(arguments: list[str]) -> int:
    """Do what the first argument names, with the rest."""
    actions = {"demo": demo, "test": test, "nox": nox}
    if sys.version_info < NEEDED:
        print(
            "This needs Python {}.{} or newer; this is {}.".format(*NEEDED, sys.version.split()[0])
        )
        return 1
    if not arguments or arguments[0] not in actions:
        print(__doc__)
        return 0 if arguments[:1] in ([], ["-h"], ["--help"]) else 2
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        print(NO_PIP)
        return 1
    rest = arguments[2:] if arguments[1:2] == ["--"] else arguments[1:]
    try:
        return actions[arguments[0]](rest)
    except subprocess.CalledProcessError as error:
        print("\nThis command failed, see above: {}".format(" ".join(error.cmd)))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
