"""What the threat model claims to be proved is proved by a test that exists."""

from __future__ import annotations

import re

import pytest

from cobot_session.testing import contract_tests

NAMED = re.compile(r"`([a-z-]+)(?:/([a-z_/]+\.py))?::(test_\w+)`")


@pytest.fixture(scope="module")
def named(root):
    """Return the tests that the page names: package, file and function."""
    found = NAMED.findall((root / "docs" / "threat-model.md").read_text(encoding="utf-8"))
    assert len(found) > 30
    return found


def test_every_named_test_exists(root, named):
    """A test that was renamed or taken out is missed here."""
    missing = []
    for package, file, test in named:
        if package == "kit":
            exists = test in contract_tests()
        else:
            path = root / "packages" / package / "tests" / file
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            exists = re.search(rf"^(async )?def {test}\(", text, re.MULTILINE) is not None
        if not exists:
            missing.append(f"{package}/{file}::{test}")
    assert not missing


def test_every_threat_has_a_defence_and_a_test(root):
    """No row of a table ends without the name of a test."""
    text = (root / "docs" / "threat-model.md").read_text(encoding="utf-8")
    tables = text.partition("## Strangers")[2].partition("## A malicious")[0]
    rows = [line for line in tables.splitlines() if line.startswith("| ")]
    threats = [row for row in rows if "| ---" not in row and "proved by" not in row]
    assert len(threats) > 20
    assert [row for row in threats if not NAMED.search(row.rsplit(" | ", 1)[1])] == []
