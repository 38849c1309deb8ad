"""The pages for authors name everything that a channel can have, be given, and raise."""

import dataclasses

import pytest

from cobot_session import ChannelError, Limits, PluginContext, PluginMeta, errors
from cobot_session.hookspecs import CONTRACT, HOOKS
from cobot_session.testing import Wire, contract_tests


@pytest.fixture
def page(root):
    """Return the text of a page for authors of channels."""
    return lambda name: (root / "docs" / "channels" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_every_hook_has_a_line(page, hook):
    """A hook stands at the beginning of a line of a table, with its arguments."""
    assert f"\n| `{hook}(" in page("contract.md")


@pytest.mark.parametrize("data", [Limits, PluginContext, PluginMeta])
def test_every_field_is_named(page, data):
    """What a plugin says of itself and what it is given is there whole."""
    text = page("contract.md")
    missing = [field.name for field in dataclasses.fields(data) if field.name not in text]
    assert not missing


def test_every_error_has_a_line(page):
    """Each word that a channel can raise is explained."""
    words = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, ChannelError) and value is not ChannelError
    }
    text = page("errors.md")
    assert not [word for word in words if f"\n| `{word}" not in text]


def test_every_verb_of_the_wire_is_explained(page):
    """An author learns what each verb proves."""
    verbs = [name for name in vars(Wire) if not name.startswith("_")]
    text = page("testing.md")
    assert not [verb for verb in verbs if f"`{verb}" not in text]


def test_numbers_in_the_pages_are_true(page):
    """The contract's version and the number of the kit's tests are what they are."""
    assert f"This page is about contract {CONTRACT}" in page("contract.md")
    assert f"{len(contract_tests())} tests of what the contract promises" in page("testing.md")
    assert f"Its {len(contract_tests())} tests" in page("testing.md")
