"""What would be published holds what it should, and nothing else."""

import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import parse_sdist_filename, parse_wheel_filename

ROOT = Path(__file__).parents[2]
PACKAGES = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
WHEELS = sorted(ROOT.glob("dist/*.whl"))
SDISTS = sorted(ROOT.glob("dist/*.tar.gz"))


@pytest.fixture(params=WHEELS, ids=lambda path: path.name)
def wheel(request):
    with zipfile.ZipFile(request.param) as archive:
        yield archive


def test_every_package_is_built():
    """There is one wheel and one source distribution of each, for every system."""
    wheels = [parse_wheel_filename(path.name) for path in WHEELS]
    assert sorted(name for name, *_ in wheels) == sorted(PACKAGES)
    assert {str(tag) for *_, tags in wheels for tag in tags} == {"py3-none-any"}
    assert sorted(parse_sdist_filename(path.name)[0] for path in SDISTS) == sorted(PACKAGES)


def test_a_wheel_holds_one_package(wheel):
    """A wheel brings its own import package, typed, and takes no other's place."""
    own = parse_wheel_filename(Path(wheel.filename).name)[0].replace("-", "_")
    names = wheel.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {own}
    assert f"{own}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_a_wheel_requires_what_an_index_has(wheel):
    """What a wheel requires are versions, never places."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    lines = message_from_bytes(wheel.read(name)).get_all("Requires-Dist") or []
    assert lines
    assert not [line for line in lines if Requirement(line).url]


@pytest.mark.parametrize("path", SDISTS, ids=lambda path: path.name)
def test_a_source_distribution_can_be_tested(path):
    """Sources, tests, licence and changelog are in it."""
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "CHANGELOG.md", "tests/test_distribution.py"} <= names
