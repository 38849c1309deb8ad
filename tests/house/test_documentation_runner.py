"""The runner of the documentation's examples notices when a page is wrong."""

import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[1] / "docs" / "conftest.py"
PYTHON = Path(sys.executable).as_posix()


@pytest.fixture
def outcome(pytester):
    """Run one page and return how many of its blocks passed, failed and were skipped."""
    pytester.makeconftest(RUNNER.read_text(encoding="utf-8"))

    def run(page):
        (pytester.path / "page.md").write_text(page, encoding="utf-8")
        counts = pytester.runpytest_inprocess("-W", "error").parseoutcomes()
        return {each: counts.get(each, 0) for each in ("passed", "failed", "skipped")}

    return run


def block(language, text):
    return f"```{language}\n{text}\n```\n\n"


def test_blocks_share_a_namespace(outcome):
    """A later block sees what an earlier one of the same page defined."""
    page = block("python", "a = 1") + block("python", "assert a == 1")
    assert outcome(page) == {"passed": 2, "failed": 0, "skipped": 0}


def test_a_named_block_is_a_file(outcome):
    """A block that names a file is written, and can be imported and run below."""
    page = (
        block("python", "# greeting.py\nWORD = 'hello'\nprint(WORD)")
        + block("python", "from greeting import WORD\nassert WORD == 'hello'")
        + block("console", f"$ {PYTHON} greeting.py\nhello")
    )
    assert outcome(page) == {"passed": 3, "failed": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "raise ValueError"),
        ("python", "# broken.py\nif"),
        ("yaml", "plugins: [telegram"),
        ("yaml", "plugins: {session: {strickt: true}}"),
        ("json", "{"),
        ("toml", "a ="),
        ("console", "no command"),
        ("console", "$ exit 3"),
        ("console", "$ exit 3 # exits with 2"),
        ("console", "$ echo one\ntwo"),
        ("console", "$ pip install pytest[nothing-of-this-name]"),
        ("console", "$ pip install a-distribution-that-is-not-there"),
    ],
)
def test_a_wrong_block_fails(outcome, language, text):
    """Each language has a way to be wrong, and it is noticed."""
    assert outcome(block(language, text)) == {"passed": 0, "failed": 1, "skipped": 0}


def test_a_right_configuration_passes(outcome):
    """A `cobot.yml` may name variables that are not set here."""
    page = block("yaml", "plugins:\n  telegram:\n    bot_token: ${A_TOKEN_OF_NOBODY}")
    assert outcome(page) == {"passed": 1, "failed": 0, "skipped": 0}


@pytest.mark.parametrize(
    "text",
    [
        "$ echo one",
        "$ echo one\none",
        "$ printf 'one\\ntwo\\nthree\\n'\none\n...\nthree",
        "$ exit 2 # exits with 2",
        "$ echo one \\\n    two\none two",
        "$ pip install pytest",
    ],
)
def test_a_right_console_passes(outcome, text):
    """Output, exit codes, long lines and gaps can be shown as they are."""
    assert outcome(block("console", text)) == {"passed": 1, "failed": 0, "skipped": 0}


def test_what_is_left_out_is_told(outcome):
    """A block that cannot run is skipped with its reason, never silently."""
    page = '<!-- skip: next "needs an account" -->\n\n' + block("python", "raise ValueError")
    assert outcome(page)["skipped"] == 1
