"""The contract's second part: settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.config import load_config
from cobot_session.errors import ConfigError
from cobot_session.redact import secrets_in
from cobot_session.registry import PluginRecord, Registry
from cobot_session.testing.parts import Part

if TYPE_CHECKING:
    from pathlib import Path

    from cobot_session.testing.case import ChannelCase

_SECRET = re.compile(r"token|secret|password|passphrase|api_?key|nsec|private", re.IGNORECASE)


class Configuring(Part):
    """What becomes of the channel's block in `cobot.yml`."""

    def test_settings_are_taken(self, record: PluginRecord) -> None:
        """Fails when the options of the fixture `channel` are refused: the text names them."""
        assert record.config is not None

    def test_unknown_key_is_refused(self, channel: ChannelCase, tmp_path: Path) -> None:
        """Fails when a mistyped key is swallowed: give the plugin a pydantic `config_model`."""
        config = channel.config(tmp_path)
        config["plugins"][channel.name]["tokne_of_no_meaning"] = 1
        registry = Registry(load_config(config), channel.given)
        with pytest.raises(ConfigError, match="tokne_of_no_meaning"):
            registry.load()

    def test_missing_settings_are_named(
        self, channel: ChannelCase, record: PluginRecord, tmp_path: Path
    ) -> None:
        """Fails when a required setting that is absent is a failure: it is `unconfigured`."""
        model = record.model
        required = [k for k, f in model.model_fields.items() if f.is_required()] if model else []
        if not required:
            pytest.skip("the channel requires no setting")
        config = channel.config(tmp_path)
        for key in channel.options:
            config["plugins"][channel.name].pop(key)
        registry = Registry(load_config(config), channel.given)
        registry.load()
        bare = registry.records[channel.name]
        assert bare.state == "unconfigured", f"it is {bare.state}: {bare.reason}"
        assert any(name in bare.reason for name in required), bare.reason

    def test_secrets_are_in_no_repr(self, channel: ChannelCase, record: PluginRecord) -> None:
        """Fails when a secret can be read off the settings: declare it `SecretStr`."""
        given = [value for key, value in _leaves(channel.options) if _SECRET.search(key)]
        if not given:
            pytest.skip("no option of the fixture `channel` is named like a secret")
        kept = secrets_in(record.config)
        for value in given:
            assert str(value) not in repr(record.config), "a secret is in the repr of the settings"
            assert str(value) in kept, "a secret is not a SecretStr, so no log can redact it"


def _leaves(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        elif isinstance(value, str):
            yield key, value
