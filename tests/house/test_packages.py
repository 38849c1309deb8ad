"""Every package is complete, alike, and true about what it needs."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

FILES = ["README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"]


def requirements(project):
    lines = list(project["project"]["dependencies"])
    for extra in project["project"].get("optional-dependencies", {}).values():
        lines += extra
    return [Requirement(line) for line in lines]


def test_there_are_packages(root):
    """The tests below have something to look at."""
    assert (root / "packages" / "cobot-session" / "pyproject.toml").is_file()


@pytest.mark.parametrize("name", FILES)
def test_a_package_is_complete(package, name):
    """Each of the files that make a distribution is there and says something."""
    assert (package / name).read_text(encoding="utf-8").strip()


def test_a_package_has_typed_code_and_tests(package):
    """One import package, named like the distribution and typed, and tests beside it."""
    name = package.name.replace("-", "_")
    assert [path.name for path in (package / "src").iterdir() if path.is_dir()] == [name]
    assert (package / "src" / name / "__init__.py").is_file()
    assert (package / "src" / name / "py.typed").is_file()
    assert list((package / "tests").glob("test_*.py"))


def test_a_package_says_who_it_is(package, project):
    """The name is the folder's; licence, Python and form of build are the house's."""
    about = project["project"]
    assert about["name"] == package.name
    assert about["license"] == "MIT"
    assert about["requires-python"] == ">=3.11"
    assert project["build-system"]["build-backend"] == "hatchling.build"


def test_a_package_names_the_tested_pythons(project, root):
    """Every package is tested on, and classified for, the same Pythons."""
    core = tomllib.loads((root / "packages/cobot-session/pyproject.toml").read_text("utf-8"))
    pythons = {line for line in project["project"]["classifiers"] if "Python :: 3." in line}
    assert pythons == {line for line in core["project"]["classifiers"] if "Python :: 3." in line}


def test_the_licence_is_the_same_everywhere(package, root):
    """A package carries the licence of the whole."""
    assert (package / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes()


def test_the_changelog_tells_of_the_current_version(package, project):
    """The newest entry is about the version that would be published."""
    text = (package / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[?v?(\d[\w.]*)", text, re.MULTILINE)
    assert newest, f"{package.name}/CHANGELOG.md needs an entry: ## {project['project']['version']}"
    assert newest[1] == project["project"]["version"]


def test_every_requirement_has_a_lower_bound(distribution):
    """What is needed is said with the oldest version that works, and with no address."""
    for each in requirements(distribution):
        assert each.url is None, f"{each}: a published package cannot point at a place"
        if each.name != distribution["project"]["name"]:
            operators = {bound.operator for bound in each.specifier}
            assert operators & {">=", "~=", "=="}, f"{each} needs a lower bound"


def test_requirements_on_one_another_hold(distribution, root):
    """A channel is bound to a range of the core that the core of this tree is in."""
    for each in requirements(distribution):
        other = root / "packages" / each.name / "pyproject.toml"
        if each.name == distribution["project"]["name"] or not other.is_file():
            continue
        version = tomllib.loads(other.read_text(encoding="utf-8"))["project"]["version"]
        assert Version(version) in each.specifier
        assert any(bound.operator in {"<", "~=", "=="} for bound in each.specifier), each


def test_a_package_names_what_its_tests_need(distribution):
    """Every test run has pytest, and a bound on each test's time."""
    group = {Requirement(line).name for line in distribution["dependency-groups"]["test"]}
    assert {"pytest", "pytest-timeout"} <= group


def test_a_package_makes_sure_what_it_tests(package):
    """Its tests assert that they run against the installed package."""
    text = (package / "tests" / "test_distribution.py").read_text(encoding="utf-8")
    assert "COBOT_TESTING_INSTALLED" in text


def test_tests_are_published_with_the_sources(package, project):
    """Who packages it for a system can run the tests from the source distribution."""
    assert {"src", "tests"} <= set(project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])


def test_news_are_called_so_that_they_are_found(package, project):
    """A fragment of another name would be left out of the changelog without a word."""
    kinds = "|".join(project["tool"]["towncrier"]["fragment"])
    files = [path.name for path in (package / "changes").iterdir()]
    wrong = [
        name for name in files if not re.fullmatch(rf"README\.md|[\w+-]+\.({kinds})\.md", name)
    ]
    assert not wrong
