"""Changelogs from news fragments: `packages/NAME/changes/WHAT.KIND.md`, one sentence or two each.

python tools/changes.py notes FOLDER           each package's news, as a page in FOLDER
python tools/changes.py write cobot-telegram   into its CHANGELOG.md; the fragments are gone then
python tools/changes.py tag cobot-telegram-v0.1.0    check a tag, and print the package's name
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
TAG = re.compile(r"(?P<name>cobot-[a-z0-9-]+)-v(?P<version>\d[\w.]*)")
HEADING = re.compile(r"^## (?P<version>\d[\w.]*) \((?P<when>[^)]+)\)\n", re.MULTILINE)


class ReleaseMistake(Exception):
    """A release cannot be made; the text says what to do."""


def version_of(package: Path) -> str:
    """Return the version that a package's settings name."""
    settings = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["project"]["version"])


def news(package: Path) -> str:
    """Return what the fragments of a package say, as the lines of a list."""
    done = subprocess.run(
        [*_towncrier(package), "--draft"],
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=package,
    )
    return done.stdout.partition(")\n")[2].strip()


def notes(package: Path) -> str:
    """Return what is new in the version that would be released: its section, and the fragments."""
    log = (package / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = _newest(log)
    own = ""
    if newest and newest["version"] == version_of(package):
        own = re.split(r"^## ", log[newest.end() :], maxsplit=1, flags=re.MULTILINE)[0].strip()
    return "\n".join(filter(None, [own, news(package)])) + "\n"


def write(package: Path) -> None:
    """Write fragments and date into a package's changelog, and remove the fragments.

    Raises:
        ReleaseMistake: there is no news, or the version has been released.
    """
    version = version_of(package)
    log = package / "CHANGELOG.md"
    before = log.read_text(encoding="utf-8")
    newest = _newest(before)
    is_begun = newest is not None and newest["version"] == version
    if newest is not None and is_begun and newest["when"] != "unreleased":
        raise ReleaseMistake(
            f"{package.name} {version} was released on {newest['when']}: raise `version` in its"
            " pyproject.toml"
        )
    text = notes(package)
    if not text.strip():
        raise ReleaseMistake(
            f"{package.name} {version} has no news: write {package.name}/changes/WHAT.changed.md"
        )
    subprocess.run([*_towncrier(package), "--yes"], check=True, cwd=package)
    heading = f"## {version} ({datetime.now(UTC):%Y-%m-%d})\n"
    log.write_text(_with_section(before, heading, text, newest if is_begun else None), "utf-8")


def _with_section(log: str, heading: str, text: str, begun: re.Match[str] | None) -> str:
    """Return a changelog whose newest section is this one, in the place of one that was begun."""
    first = HEADING.search(log)
    start = first.start() if first else len(log)
    rest = log[start:]
    if begun is not None:
        following = HEADING.search(log, begun.end())
        rest = log[following.start() :] if following else ""
    return f"{log[:start].rstrip()}\n\n{heading}\n{text}" + (f"\n{rest}" if rest else "")


def tagged(tag: str) -> str:
    """Return the package that a tag such as `cobot-telegram-v0.1.0` releases.

    Raises:
        ReleaseMistake: there is no such package, its version is another, or its changelog has no
            date for it.
    """
    match = TAG.fullmatch(tag)
    package = ROOT / "packages" / (match["name"] if match else "-")
    if match is None or not (package / "pyproject.toml").is_file():
        raise ReleaseMistake(f"{tag!r} is not NAME-vVERSION of a package, as cobot-telegram-v0.1.0")
    if match["version"] != version_of(package):
        raise ReleaseMistake(f"{tag} is tagged, but {package.name} is {version_of(package)}")
    newest = _newest((package / "CHANGELOG.md").read_text(encoding="utf-8"))
    if newest is None or newest["version"] != match["version"] or newest["when"] == "unreleased":
        raise ReleaseMistake(
            f"the changelog of {package.name} has no date for {match['version']}: run"
            f" `nox -s release -- {package.name}` and commit what it writes"
        )
    return package.name


def _newest(log: str) -> re.Match[str] | None:
    return HEADING.search(log)


def _towncrier(package: Path) -> list[str]:
    settings = ["--config", str(package / "pyproject.toml"), "--dir", str(package)]
    command = [sys.executable, "-m", "towncrier", "build", *settings]
    return [*command, "--version", version_of(package)]


def main(arguments: list[str]) -> int:
    """Do what the first argument names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["notes", "write", "tag"])
    parser.add_argument("what", nargs="+")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.action == "tag":
            print(tagged(chosen.what[0]))
        elif chosen.action == "write":
            for name in chosen.what:
                write(ROOT / "packages" / name)
        else:
            _write_notes(Path(chosen.what[0]))
    except (ReleaseMistake, FileNotFoundError) as mistake:
        print(mistake, file=sys.stderr)
        return 1
    return 0


def _write_notes(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for package in sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml")):
        (folder / f"{package.name}.md").write_text(notes(package), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
