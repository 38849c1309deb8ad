"""Every check of this repository, run against built wheels. `nox --list` names them.

A session builds the wheels it needs, installs them with what the tests require into an environment
of its own, and runs from a temporary folder, so that nothing can be imported from a checkout.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nox
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

sys.path.append(str(Path(__file__).parent / "tools"))
from distributions import EXAMPLES, LOCAL, PACKAGES, ROOT, install, lowest, reach, wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Entry = Callable[[nox.Session, str], None]

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.allow_parallel = True
nox.options.sessions = [
    *("lint", "docs", "tests", "minimums", "cobot-agent", "examples", "build", "audit", "types"),
    *("house", "demo", "agents"),
]
"""What takes longest comes early, so that nothing long is left for one processor at the end."""

SETTINGS = nox.project.load_toml(ROOT / "pyproject.toml")
OLDEST = "3.11"
CORE = "cobot-session"
AGENT = "cobot==0.2.0"
FORMS = {"wheel": "*.whl", "sdist": "*.tar.gz"}
"""What is published of a package, and how its files are called."""
QUICKEST = ("-m", "not soak and not slow and not process")
QUICK = ("-m", "not soak and not slow and (lowest or not process)")
OWN = tempfile.TemporaryDirectory(prefix="cobot-own-")
CLEARED = {
    "PYTHONPATH": None,
    "PYTHONDONTWRITEBYTECODE": None,
    "PIP_COMPILE": "0",
    "COBOT_CONFIG": None,
    **{f"XDG_{kind}_HOME": str(Path(OWN.name, kind.lower())) for kind in ("DATA", "CONFIG")},
}
"""Settings and state of the person at the keyboard that no test may see.

What is compiled is kept, since tests start many processes; what is not imported is not compiled.
"""
UNATTENDED = """
import subprocess, sys
sys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, timeout=300).returncode)
"""
"""Runs a command that must end by itself, with nobody to answer it."""


def _show_pyenv() -> None:
    """Let every Python that pyenv has be found: its commands answer only for those chosen."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = [path.name for path in root.glob("versions/3.*") if path.name[2:4].isdigit()]
    if installed:
        chosen = os.environ.get("PYENV_VERSION", "system").split(":")
        os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys([*chosen, *sorted(installed)]))


def _pythons() -> list[str]:
    """Return the supported versions, and the running one so that a newer one is never untested."""
    _show_pyenv()
    supported = nox.project.python_versions(PACKAGES[CORE].settings)
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    return supported if running in supported else [*supported, running]


def _each(names: Iterable[str], *, tagged: bool = True) -> Callable[[Entry], Entry]:
    """Make an entry of each distribution; `nox -t NAME` picks those that are tagged."""
    params = [nox.param(name, id=name, tags=[name] if tagged else []) for name in names]
    decorate: Callable[[Entry], Entry] = nox.parametrize("name", params)
    return decorate


def _tools(session: nox.Session, group: str) -> None:
    session.install(*nox.project.dependency_groups(SETTINGS, group))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        shutil.copy(source, target)


def _distribution(path: Path) -> str:
    """Return the name of the distribution that a built file is of."""
    return canonicalize_name(path.name.partition("-")[0])


@contextmanager
def _away(session: nox.Session, *sources: Path) -> Iterator[Path]:
    """Work in a temporary folder with copies of those sources that exist, and the settings."""
    with tempfile.TemporaryDirectory(prefix="cobot-") as folder:
        place = Path(folder).resolve()
        for source in (*sources, ROOT / "pyproject.toml"):
            _copy(source, place / source.name)
        with session.chdir(place):
            yield place


def _run_tests(
    session: nox.Session, name: str, *options: str, codes: tuple[int, ...] = (0,)
) -> None:
    """Run a distribution's tests, copied away from its sources, against what is installed."""
    needed = reach([Requirement(name), *LOCAL[name].test_requirements])
    wheels = os.pathsep.join(str(wheel(session, each)) for each in needed)
    folder = LOCAL[name].folder
    same = any(each.name == "hypothesis" for each in LOCAL[name].test_requirements)
    given = ("--hypothesis-profile=ci",) if same else ()  # alike each time, however slow
    kept = str(session.cache_dir.resolve() / "hypothesis")  # its tables of Unicode take seconds
    with _away(session, folder / "tests", folder / "README.md", folder / "docs"):
        session.run(
            *("pytest", "tests", *given, *options, *session.posargs),
            env=CLEARED
            | {"COBOT_TESTING_INSTALLED": "1", "COBOT_WHEELS": wheels}
            | {"HYPOTHESIS_STORAGE_DIRECTORY": kept},
            success_codes=codes,
        )


def _install_for_tests(session: nox.Session, name: str, *options: str) -> None:
    install(session, [Requirement(name), *LOCAL[name].test_requirements], *options)


@nox.session(python=_pythons())
@_each(sorted(PACKAGES, key=CORE.__ne__))
def tests(session: nox.Session, name: str) -> None:
    """Run a package's tests against its wheel, on every Python that is found.

    What is marked `slow` asks nothing of a version and is run on the oldest Python only; so are
    the commands, which are marked `process`; some once more, with the lowest versions.
    """
    _install_for_tests(session, name)
    _run_tests(session, name, *(() if session.python == OLDEST else QUICKEST))


@nox.session
@_each(EXAMPLES)
def examples(session: nox.Session, name: str) -> None:
    """Run the tests of an example that is a distribution of its own, against its wheel."""
    _install_for_tests(session, name)
    _run_tests(session, name)


@nox.session(name="cobot-agent", python=OLDEST)
def cobot_agent(session: nox.Session) -> None:
    """Run the cobot agent, as its own project publishes it, on channels of this tree."""
    channels = [PACKAGES[name].whole for name in ("cobot-telegram", "cobot-nostr")]
    needed = [*PACKAGES[CORE].test_requirements, *channels, Requirement(AGENT)]
    install(session, [Requirement(CORE), *needed])
    page = ROOT / "docs" / "agents" / "cobot-agent.md"
    with _away(session, PACKAGES[CORE].folder / "tests" / "cobot_agent", page):
        session.run("pytest", "cobot_agent", *session.posargs, env=CLEARED)


@nox.session
def agents(session: nox.Session) -> None:
    """Run the tests of the example programs, against the wheels that they use."""
    _tools(session, "agents")
    needed = ("cobot-session[testing]", "cobot-telegram", "cobot-filedrop")
    install(session, map(Requirement, needed))
    with _away(session, ROOT / "examples" / "agents", ROOT / "examples" / "service"):
        session.run("pytest", "agents", *session.posargs, env=CLEARED)


@nox.session(default=False)
@_each(PACKAGES, tagged=False)
def soak(session: nox.Session, name: str) -> None:
    """Run the tests that take minutes; one without such tests passes (pytest exits with 5)."""
    _install_for_tests(session, name)
    _run_tests(session, name, "-m", "soak", "--timeout=3600", codes=(0, 5))


@nox.session(python=OLDEST)
@_each(sorted(PACKAGES, key=CORE.__ne__))
def minimums(session: nox.Session, name: str) -> None:
    """Run a package's tests with the oldest version of everything that it names.

    What differs here is libraries, so one or two tests of each command will do, marked `lowest`:
    they print help, mistakes, tables and schemas, ask in a terminal and read what is written.
    What a command does after that is the session's own, and is run on the oldest Python.
    """
    oldest = lowest(name)
    pins = [f"{other}=={version}" for other, version in oldest.items()]
    _install_for_tests(session, name, *pins)
    for other, version in oldest.items():
        code = f"from importlib.metadata import version; print(version({other!r}))"
        found = session.run("python", "-c", code, silent=True, log=False)
        if Version(str(found).strip()) != version:
            session.error(f"{other} {version} is promised, {found} was installed")
    session.log(f"lowest: {', '.join(pins)}")
    _run_tests(session, name, *QUICK)


@nox.session(python=OLDEST, default=False)
def fuzz(session: nox.Session) -> None:
    """Throw bytes at every reader of strangers' bytes; `-- 600 discord_event` so long, at that."""
    _tools(session, "fuzz")
    install(session, [Requirement(name) for name in PACKAGES])
    seconds, *names = session.posargs or ["20"]
    with _away(session, ROOT / "tools" / "fuzzing"):
        listed = session.run(
            "python", "-m", "fuzzing", "list", silent=True, stderr=None, env=CLEARED
        )
        for name in names or str(listed).split():
            session.run("python", "-m", "fuzzing", name, seconds, env=CLEARED)


@nox.session
def lint(session: nox.Session) -> None:
    """Check form and style of everything, and the workflows for form and weak spots."""
    _tools(session, "lint")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    checked = ("--offline", "--strict-collection", "--persona=auditor", "--quiet")
    session.run("zizmor", *checked, ".github")


@nox.session(name="format", default=False)
def format_(session: nox.Session) -> None:
    """Put everything into form, and repair what can be repaired safely."""
    _tools(session, "lint")
    session.run("ruff", "check", "--fix-only", ".")
    session.run("ruff", "format", ".")


@nox.session
def house(session: nox.Session) -> None:
    """Check that the packages are complete and alike, and that the tree speaks of itself only."""
    _tools(session, "house")
    install(session, [Requirement(CORE)])
    session.run("pytest", "-p", "pytester", "tests/house", *session.posargs, env=CLEARED)


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly, in the packages and in the example of the public API."""
    _tools(session, "types")
    install(session, [package.whole for package in PACKAGES.values()])
    sources = [str(package.folder / "src") for package in PACKAGES.values()]
    example = PACKAGES[CORE].folder / "tests" / "typing" / "api.py"
    agents = sorted(map(str, (ROOT / "examples" / "agents").glob("*.py")))
    others = (str(example), *agents, "noxfile.py", "dev.py", "tools", "docs/_ext", "docs/conf.py")
    session.run("mypy", "--strict", *sources, *others)


def _build_everything(session: nox.Session) -> None:
    """Build what is published, into `dist`, and check its metadata."""
    target = ROOT / "dist"
    shutil.rmtree(target, ignore_errors=True)
    if session.venv_backend == "uv":
        command = ["uv", "build", "--quiet", "--no-create-gitignore", "--out-dir"]
    else:
        command = ["python", "-m", "build", "--outdir"]
    for package in PACKAGES.values():
        session.run(*command, str(target), str(package.folder))
    built = sorted(str(path) for path in target.iterdir())
    session.run("twine", "check", "--strict", *built)


@nox.session
def build(session: nox.Session) -> None:
    """Build what is published, into `dist`, check it, and install it one channel at a time."""
    _tools(session, "build")
    _build_everything(session)
    session.run("pytest", "tests/artifacts", env=CLEARED)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Do all that comes before a tag; with `-- NAME …`, write those packages' changelogs first.

    What is new is left in `build/news`, what is published in `dist`. The trials follow by
    themselves: each installs all of it into an empty environment and runs the demonstration.
    """
    _tools(session, "build")
    changes = str(ROOT / "tools" / "changes.py")
    if session.posargs:
        session.run("python", changes, "write", *session.posargs)
    session.run("python", changes, "notes", str(ROOT / "build" / "news"))
    _build_everything(session)
    session.run("pytest", "tests/artifacts", env=CLEARED)
    for python in _pythons():
        for form in FORMS:
            session.notify(f"trial-{python}({form})", posargs=())
    session.notify("walk", posargs=())


@nox.session(python=_pythons(), default=False)
@nox.parametrize("form", [nox.param(form, id=form) for form in FORMS])
def trial(session: nox.Session, form: str) -> None:
    """Install what lies in `dist` into an empty environment, and run the demonstration from it."""
    built = {_distribution(path): path for path in (ROOT / "dist").glob(FORMS[form])}
    if missing := set(PACKAGES) - set(built):
        session.error(f"not in dist: {', '.join(missing)}; `nox -s release` builds it")
    lines = [f"{PACKAGES[name].whole} @ {built[name].as_uri()}" for name in PACKAGES]
    session.install(*lines, *(wheel(session, name).as_uri() for name in EXAMPLES))
    with _away(session):
        session.run("python", "-c", UNATTENDED, "cobot-session", "demo", env=CLEARED)


@nox.session(default=False)
def walk(session: nox.Session) -> None:
    """Follow the front page and the first tutorial word for word, where nothing is installed."""
    _tools(session, "docs")
    install(session, [PACKAGES["cobot-telegram"].whole, Requirement("packaging")])
    wheels = os.pathsep.join(str(wheel(session, name)) for name in LOCAL)
    with _away(session, ROOT / "README.md", ROOT / "docs"):
        following = ("docs/tests/test_following.py", "-m", "soak or not soak")
        session.run("pytest", *following, env=CLEARED | {"COBOT_WHEELS": wheels})


@nox.session
def audit(session: nox.Session) -> None:
    """Look for weak code, and for weaknesses that are known of what the packages need."""
    _tools(session, "audit")
    sources = [str(package.folder / "src") for package in PACKAGES.values()]
    session.run("bandit", "-q", "-c", "pyproject.toml", "-r", *sources)
    install(session, [package.whole for package in PACKAGES.values()])
    _look_for_known_weaknesses(session)


def _look_for_known_weaknesses(session: nox.Session) -> None:
    """Ask for each version, by pip-audit; for what is not told so, the index of the newest."""
    found = Path(session.create_tmp()).resolve() / "weaknesses.json"
    found.unlink(missing_ok=True)
    options = ("--local", "--format=json", "--progress-spinner=off", f"--output={found}")
    session.run("pip-audit", *options, silent=True, success_codes=(0, 1))
    asked = json.loads(found.read_text("utf-8"))["dependencies"] if found.exists() else []
    known = [one for one in asked if "skip_reason" not in one]
    if weak := [f"{one['name']} {one['version']}" for one in known if one["vulns"]]:
        session.error(f"known weaknesses: {', '.join(weak)}; run pip-audit for more")
    if known:
        session.log(f"pip-audit: no known weakness in {len(known)} distributions")
    rest = [one["name"] for one in asked if "skip_reason" in one and one["name"] not in LOCAL]
    if rest or not asked:
        _ask_for_the_newest(session, rest)


def _ask_for_the_newest(session: nox.Session, names: list[str]) -> None:
    """Ask the package index of the newest versions; say of what nobody has looked."""
    command = ("python", str(ROOT / "tools" / "weaknesses.py"), *names)
    told = json.loads(str(session.run(*command, silent=True, stderr=None)))
    if told["weak"]:
        weak = ", ".join(f"{what} ({' '.join(ids)})" for what, ids in told["weak"].items())
        session.error(f"known weaknesses, by the package index on {told['date']}: {weak}")
    if not told["told"]:
        session.warn("NOT looked for known weaknesses: the package index does not tell of them")
        return
    session.log(
        f"the package index, on {told['date']}: no known weakness in {told['whole']} distributions,"
        " each the newest version"
    )
    for what, why in told["open"].items():
        if what.partition(" ")[0] not in LOCAL:
            session.warn(f"NOT looked for known weaknesses of {what}: {why}")


@nox.session
def docs(session: nox.Session) -> None:
    """Run the examples in the documentation, and build its site into `build/docs`."""
    _tools(session, "docs")
    _tools(session, "site")
    install(session, [each.whole for each in LOCAL.values()])
    wheels = os.pathsep.join(str(wheel(session, name)) for name in LOCAL)
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs")]
    with _away(session, *pages, ROOT / "tests" / "docs" / "conftest.py") as place:
        for folder in (each.folder.relative_to(ROOT) for each in LOCAL.values()):
            for name in ("README.md", "docs"):
                _copy(ROOT / folder / name, place / folder / name)
        session.run("pytest", *session.posargs, env=CLEARED | {"COBOT_WHEELS": wheels})
    site = ("--builder=html", str(ROOT / "docs"), str(ROOT / "build" / "docs"))
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--quiet", "-E", *site)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demonstration from installed wheels."""
    wanted = [Requirement(Path(line).name) for line in SETTINGS["tool"]["cobot"]["demo"]]
    if missing := {each.name for each in wanted} - set(LOCAL):
        session.error(f"not in this tree: {', '.join(missing)}")
    install(session, wanted)
    with _away(session):
        session.run(
            "python", "-c", UNATTENDED, "cobot-session", "demo", *session.posargs, env=CLEARED
        )
