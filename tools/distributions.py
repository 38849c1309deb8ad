"""The distributions of this repository, and their wheels: built once, installed for a nox session.

A requirement on one of them is met by its wheel, never by an index: what is checked is this tree.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nox
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Distribution:
    """One distribution of this repository: its folder, and what its pyproject says."""

    folder: Path
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """The normalised name, such as `cobot-session`."""
        return canonicalize_name(self.settings["project"]["name"])

    @property
    def dependencies(self) -> list[Requirement]:
        """What it requires at run time."""
        return _parse(self.settings["project"].get("dependencies", ()))

    @property
    def test_requirements(self) -> list[Requirement]:
        """Its dependency group `test`; it may ask for extras of distributions of this tree."""
        return _parse(nox.project.dependency_groups(self.settings, "test"))

    @property
    def extras(self) -> dict[str, list[Requirement]]:
        """What each of its extras adds."""
        extras = self.settings["project"].get("optional-dependencies", {})
        return {name: _parse(lines) for name, lines in extras.items()}

    @property
    def whole(self) -> Requirement:
        """A requirement on the distribution with all of its extras."""
        return Requirement(f"{self.name}[{','.join(self.extras)}]")

    def digest(self) -> str:
        """Return a name for the content that a wheel is made of."""
        summary = hashlib.sha256()
        for path in sorted(self._sources()):
            summary.update(f"{path.relative_to(self.folder).as_posix()}\0".encode())
            summary.update(hashlib.sha256(path.read_bytes()).digest())
        return summary.hexdigest()[:16]

    def _sources(self) -> Iterator[Path]:
        yield from (path for path in self.folder.iterdir() if path.is_file())
        yield from (
            path
            for path in (self.folder / "src").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )


def _parse(lines: Iterable[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines]


def _distributions(place: str) -> dict[str, Distribution]:
    found = sorted((ROOT / place).glob("*/pyproject.toml"))
    made = (Distribution(path.parent, nox.project.load_toml(path)) for path in found)
    return {each.name: each for each in made}


PACKAGES = _distributions("packages")
EXAMPLES = _distributions("examples")
LOCAL = PACKAGES | EXAMPLES

_wheels: dict[str, Path] = {}


def wheel(session: nox.Session, name: str) -> Path:
    """Return a distribution's wheel: one for the whole run, built only if its content is new."""
    if name not in _wheels:
        shelf = session.cache_dir.resolve() / "wheels" / name / LOCAL[name].digest()
        if not shelf.is_dir():
            _build(session, name, shelf)
        (_wheels[name],) = shelf.glob("*.whl")
    return _wheels[name]


def _build(session: nox.Session, name: str, shelf: Path) -> None:
    shelf.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shelf.parent, prefix=".building-") as folder:
        done = Path(folder, "done")
        if session.venv_backend == "uv":
            command = ["uv", "build", "--wheel", "--out-dir"]
        else:
            command = ["python", "-m", "pip", "wheel", "--no-deps", "--wheel-dir"]
        session.run_install(*command, str(done), str(LOCAL[name].folder), silent=True)
        if not shelf.is_dir():  # another session, run in parallel, may have been faster
            done.rename(shelf)


def reach(requirements: Iterable[Requirement]) -> list[str]:
    """Return the distributions of this tree that are needed, directly or by one another."""
    found: dict[str, set[str]] = {}
    waiting = list(requirements)
    while waiting:
        each = waiting.pop()
        name = _key(each)
        if name not in LOCAL:
            continue
        if name not in found:
            waiting += LOCAL[name].dependencies
        extras = each.extras - found.setdefault(name, set())
        waiting += chain.from_iterable(LOCAL[name].extras[extra] for extra in extras)
        found[name] |= extras
    return list(found)


def install(session: nox.Session, requirements: Iterable[Requirement], *options: str) -> None:
    """Install requirements; those on distributions of this tree are met by their wheels."""
    wanted = list(requirements)
    wanted += map(Requirement, reach(wanted))
    lines = []
    for each in wanted:
        name = _key(each)
        if name not in LOCAL:
            lines.append(str(each))
            continue
        extras = f"[{','.join(sorted(each.extras))}]" if each.extras else ""
        lines.append(f"{name}{extras} @ {wheel(session, name).as_uri()}")
    session.install(*dict.fromkeys(lines), *options)


def lowest(name: str) -> dict[str, Version]:
    """Return the oldest version allowed of everything that a package and its tests name.

    A bound of another distribution of this tree counts where both name the same thing: nobody can
    install the one without the other.
    """
    named = _direct(name)
    others = (LOCAL[each].dependencies for each in reach([*named, Requirement(name)]))
    known = {_key(each): Version("0") for each in named if _key(each) not in LOCAL}
    for each in chain(named, *others):
        if _key(each) in known:
            known[_key(each)] = max(known[_key(each)], *_lower_bounds(each))
    return known


def _direct(name: str) -> list[Requirement]:
    """Return what a package and its tests name themselves, extras of its own unfolded."""
    own = LOCAL[name]
    named = [*own.dependencies, *own.test_requirements]
    for each in own.test_requirements:
        if _key(each) == name:
            named += chain.from_iterable(own.extras[extra] for extra in each.extras)
    return [each for each in named if each.marker is None or each.marker.evaluate()]


def _lower_bounds(each: Requirement) -> list[Version]:
    bounds = [Version(it.version) for it in each.specifier if it.operator in {">=", "==", "~="}]
    return bounds or [Version("0")]


def _key(each: Requirement) -> str:
    return canonicalize_name(each.name)
