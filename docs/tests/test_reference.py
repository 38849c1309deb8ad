"""The reference is made from the code, whole, and refuses what is not described."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from cobot_session import Session, hookspecs
from cobot_session.config.settings import CommonSettings, SessionSettings, WorkspaceSettings

DOCS = Path(__file__).parents[1]
CHANNELS = {"cobot_telegram", "cobot_discord", "cobot_nostr"}


@pytest.fixture(scope="module")
def reference():
    """The extension that makes the pages."""
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        yield importlib.import_module("cobot_reference")
    finally:
        sys.path.remove(str(DOCS / "_ext"))


@pytest.fixture
def warnings(reference, monkeypatch):
    """What the extension warns of; in a build each of them is an error."""
    told: list[str] = []

    def note(text: str, *values: object, **_: object) -> None:
        told.append(text % values)

    monkeypatch.setattr(reference.log, "warning", note)
    return told


def test_every_hook_is_described(reference, warnings):
    """Channels' hooks and observers' hooks together are the contract."""
    text = "\n".join([*reference.hooks("channel"), *reference.hooks("observer")])
    assert not [name for name in hookspecs.HOOKS if f"\n## `{name}`\n" not in f"\n{text}"]
    assert not warnings


def test_every_verb_is_described(reference, warnings):
    """Each public method of a session has its section, with its arguments."""
    text = "\n".join(reference.verbs())
    verbs = [name for name, value in vars(Session).items() if callable(value) and name[0] != "_"]
    assert not [name for name in verbs if f"\n## `{name}`\n" not in text]
    assert "send(message: OutgoingMessage, timeout: float | None = 10.0) -> Receipt" in text
    assert not warnings


def test_every_plugin_with_settings_has_a_table():
    """The page names the model of the session, and of every channel of this tree."""
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    models = {CommonSettings, SessionSettings, WorkspaceSettings}
    for found in entry_points(group="cobot.plugins"):
        model = getattr(found.load(), "config_model", None)
        if model is not None and found.module.partition(".")[0] in CHANNELS:
            models.add(model)
    assert len(models) == 3 + len(CHANNELS)
    missing = [one for one in models if f"{one.__module__}:{one.__name__}\n" not in page]
    assert not missing


def test_setting_has_type_unit_and_default(reference, warnings):
    """A row tells what to write, in which unit, and what is so without it."""
    rows = list(reference.settings("cobot_session.config.settings:SessionSettings"))
    (row,) = [one for one in rows if one.startswith("| `max_age` |")]
    assert row.startswith("| `max_age` | number | seconds | `86400` | Seconds a message may wait")
    (row,) = [one for one in rows if one.startswith("| `durability` |")]
    assert row.startswith("| `durability` | `full` or `normal` |  | `full` |")
    nested = list(reference.settings("cobot_telegram.config:TelegramConfig"))
    assert [one for one in nested if one.startswith("| `groups[].id` | text |  | required |")]
    assert not warnings


def test_setting_that_says_too_little_is_refused(reference, warnings, monkeypatch):
    """No description, or a number without a unit, is a warning: the build fails."""

    class Settings(BaseModel):
        nothing: str = ""
        speed: int = Field(3, description="How fast.")

    monkeypatch.setattr(reference, "_found", lambda _: Settings)
    list(reference.settings("here:Settings"))
    assert len(warnings) == 2
    assert "`nothing`" in warnings[0]
    assert "`speed` says no unit" in warnings[1]
