"""News fragments end in the changelog, and a tag is checked before it publishes anything."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("changes", ROOT / "tools" / "changes.py")
changes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(changes)

LOG = """# Changelog of cobot-nostr

## 0.2.0 (unreleased)

- What stood there already.

## 0.1.0 (2026-01-02)

- The first release.
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Copy a package's settings to a tree of its own, at version 0.2.0, with two fragments."""
    folder = tmp_path / "packages" / "cobot-nostr"
    (folder / "changes").mkdir(parents=True)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    settings = (ROOT / "packages/cobot-nostr/pyproject.toml").read_text("utf-8")
    settings = settings.replace('version = "0.1.0"', 'version = "0.2.0"', 1)
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(LOG, encoding="utf-8")
    (folder / "changes" / "relays.fixed.md").write_text("It is mended.\n", encoding="utf-8")
    (folder / "changes" / "keys.added.md").write_text("It is new,\nin two lines.\n", "utf-8")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.setattr(changes, "ROOT", tmp_path)
    return folder


def test_fragments_end_in_the_changelog(package):
    """What stood there stays, the news follow by kind, the day is named, the fragments are gone."""
    changes.write(package)
    text = (package / "CHANGELOG.md").read_text("utf-8")
    day = changes.HEADING.search(text)["when"]
    begun, _, before = LOG.partition("## 0.1.0")
    news = "- It is new,\n  in two lines.\n- It is mended.\n"
    assert text == f"{begun.replace('unreleased', day).rstrip()}\n{news}\n## 0.1.0{before}"
    assert not list((package / "changes").glob("*.*.md"))


def test_version_that_is_not_begun_gets_a_section(package):
    """Without a section of its own the version is put above the last one."""
    log = LOG.replace("## 0.2.0 (unreleased)\n\n- What stood there already.\n\n", "")
    (package / "CHANGELOG.md").write_text(log, encoding="utf-8")
    changes.write(package)
    versions = changes.HEADING.findall((package / "CHANGELOG.md").read_text("utf-8"))
    assert [version for version, _ in versions] == ["0.2.0", "0.1.0"]


def test_released_version_is_not_written_again(package):
    """Who forgot to raise the version is told, and nothing is changed."""
    log = LOG.replace("unreleased", "2026-02-03")
    (package / "CHANGELOG.md").write_text(log, encoding="utf-8")
    with pytest.raises(changes.ReleaseMistake, match="raise `version`"):
        changes.write(package)
    assert (package / "CHANGELOG.md").read_text("utf-8") == log
    assert len(list((package / "changes").glob("*.*.md"))) == 2


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("v0.2.0", "is not NAME-vVERSION"),
        ("cobot-else-v0.2.0", "is not NAME-vVERSION"),
        ("cobot-../cobot-nostr-v0.2.0", "is not NAME-vVERSION"),
        ("cobot-nostr-v0.3.0", "but cobot-nostr is 0.2.0"),
        ("cobot-nostr-v0.2.0", "has no date for 0.2.0"),
    ],
)
def test_wrong_tag_publishes_nothing(package, tag, why):
    """A tag that fits no package, version or changelog is refused with the reason."""
    with pytest.raises(changes.ReleaseMistake, match=why):
        changes.tagged(tag)


def test_right_tag_names_its_package(package):
    """Once the changelog is written, the tag names what to publish."""
    changes.write(package)
    assert changes.tagged("cobot-nostr-v0.2.0") == "cobot-nostr"
