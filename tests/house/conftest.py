"""The tree as the tests of the house see it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/pyproject.toml"))
PASSING = {"__pycache__", "build", "dist"}


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the whole tree."""
    return ROOT


@pytest.fixture(params=PACKAGES, ids=lambda path: path.name)
def package(request) -> Path:
    """Return one package's folder."""
    return request.param


@pytest.fixture
def project(package) -> dict:
    """Return what a package's pyproject says."""
    return tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(params=PACKAGES + EXAMPLES, ids=lambda path: path.name)
def distribution(request) -> dict:
    """Return what the pyproject of a package, or of an example that is one, says."""
    return tomllib.loads((request.param / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Return every file that people write, tools' leavings left out."""
    hidden = {".ci", ".github", ".gitignore"}

    def kept(path: Path) -> bool:
        parts = path.relative_to(ROOT).parts
        return not PASSING.intersection(parts) and all(
            not part.startswith(".") or part in hidden for part in parts
        )

    return [path for path in sorted(ROOT.rglob("*")) if kept(path) and path.is_file()]
