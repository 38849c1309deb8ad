"""Run the examples in Markdown pages: what a page shows is what happens.

Each page has a temporary folder and a namespace of its own; its blocks run in order.

    ```python     executed; if its first line is `# name.py`, written to that file instead
    ```yaml       parsed, and checked as a `cobot.yml` if it has `plugins:`; written to a file in
                  the same way, if its first line is `# name.yml`
    ```json, toml parsed
    ```console    each `$ command` runs in the folder and succeeds, or ends as `# exits with 2` at
                  its end says; lines below it are its output, `...` stands for anything

`$ pip install NAME` is checked, not run: NAME must be installed already, from this tree.
Preparations that a reader need not see stand in `<!-- invisible-code-block: python` … `-->`. What
cannot run here follows `<!-- skip: next "the reason" -->`, and is reported as skipped.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
import traceback
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from packaging.requirements import Requirement
from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from cobot_session.config import load_config, validate_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sybil import Example

SECONDS = 150
"""How long one command may take; below the bound on a whole test."""

FILE_NAME = re.compile(r"# (?P<name>[\w-]+\.\w+)\n")
EXIT_CODE = re.compile(r"# exits with (?P<code>\d+)$")
VARIABLE = re.compile(r"\$\{(\w+)")
SAMPLES = {
    "TELEGRAM_BOT_TOKEN": f"123456789:{'A' * 35}",
    "TELEGRAM_WEBHOOK_SECRET": "A" * 43,
    "DISCORD_BOT_TOKEN": f"{'A' * 26}.{'B' * 6}.{'C' * 38}",
    "NOSTR_NSEC": "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",  # of NIP-19
}
"""What stands for the settings that have a form of their own."""
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
run_python = PythonEvaluator()


def write(example: Example) -> bool:
    """Write a block that names its file, and tell whether it was one."""
    named = FILE_NAME.match(example.parsed)
    if named:
        Path(named["name"]).write_text(example.parsed, encoding="utf-8")
    return named is not None


def python(example: Example) -> None:
    """Execute a block, or write a module and make sure that it compiles."""
    if write(example):
        compile(example.parsed, example.path, "exec")
    else:
        run_python(example)


def yaml_block(example: Example) -> None:
    """Parse a block; one with `plugins` is a `cobot.yml` that session and plugins must take."""
    content = yaml.safe_load(example.parsed)
    if isinstance(content, dict) and "plugins" in content:
        variables = dict.fromkeys(VARIABLE.findall(example.parsed), "a value")
        config = load_config(content, env=variables | SAMPLES)
        for block in config.blocks.values():
            for found in entry_points(group="cobot.plugins", name=block.use):
                model = getattr(found.load(), "config_model", None)
                if model is not None:
                    validate_options(config, block, model)
    write(example)


def parsed_by(load: Callable[[str], Any]) -> Callable[[Example], None]:
    """Return what parses a block and expects no error."""

    def parse(example: Example) -> None:
        load(example.parsed)

    return parse


def console(example: Example) -> str | None:
    """Run a block's commands and compare what they print with what the page shows."""
    for command, expected in commands(example.parsed):
        if command.startswith(("pip install ", "python -m pip install ")):
            installed(command)
            continue
        wanted = EXIT_CODE.search(command)
        done = subprocess.run(  # noqa: S602 - a line of a console is a line for a shell
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != int(wanted["code"] if wanted else 0):
            return f"$ {command}\nexits with {done.returncode}:\n{done.stdout}"
        shown = expected.replace("\n...\n", "\n\n...\n\n")
        if expected and not doctest.OutputChecker().check_output(shown, done.stdout, FLAGS):
            return f"$ {command}\nThe page shows:\n{expected}\nIt prints:\n{done.stdout}"
    return None


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block and the output below it."""
    if not block.startswith("$ "):
        raise ValueError("a console block starts with `$ ` and a command")
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = re.sub(r"\\\n\s*", "", part).partition("\n")
        yield command.strip(), expected.strip()


def installed(command: str) -> None:
    """Check that a page's `pip install` names distributions and extras that there are."""
    for word in shlex.split(command.partition("install ")[2]):
        if not word.startswith("-"):
            wanted = Requirement(word)
            found = distribution(wanted.name)
            extras = set(found.metadata.get_all("Provides-Extra") or [])
            assert wanted.extras <= extras, f"{wanted.name} has the extras {sorted(extras)}"


def enter(namespace: dict[str, Any]) -> None:
    """Give a page a folder of its own."""
    place = tempfile.TemporaryDirectory(prefix="cobot-page-")
    namespace |= {
        "__name__": "page",
        "_place": place,
        "_before": Path.cwd(),
        "_environment": dict(os.environ),
        "_known": {*sys.modules},
    }
    os.chdir(place.name)
    sys.path.insert(0, place.name)


def leave(namespace: dict[str, Any]) -> None:
    """Forget the folder, the modules that came from the page, and the variables it set."""
    sys.path.remove(namespace["_place"].name)
    for name in {*sys.modules} - namespace["_known"]:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(namespace["_place"].name):
            del sys.modules[name]
    os.chdir(namespace["_before"])
    os.environ.clear()
    os.environ.update(namespace["_environment"])
    namespace["_place"].cleanup()


def told(evaluate: Callable[[Example], str | None]) -> Callable[[Example], str | None]:
    """Report an exception as the page's failure, with the page's own lines."""

    def run(example: Example) -> str | None:
        try:
            return evaluate(example)
        except Exception:
            return traceback.format_exc()

    return run


EVALUATORS: dict[str, Callable[[Example], str | None]] = {
    "python": python,
    "yaml": yaml_block,
    "json": parsed_by(json.loads),
    "toml": parsed_by(tomllib.loads),
    "console": console,
}

pytest_collect_file = Sybil(
    parsers=[
        *(CodeBlockParser(name, told(evaluate)) for name, evaluate in EVALUATORS.items()),
        SkipParser(),
    ],
    patterns=["*.md"],
    setup=enter,
    teardown=leave,
).pytest()
