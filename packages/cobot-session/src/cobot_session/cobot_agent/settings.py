"""The block `cobot_session` of the agent's configuration, to a `Config` of the session."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cobot_session.config import Config, load_config
from cobot_session.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = "cobot_session"
"""Name of the block; it is the bridge's plugin id, as everywhere in the agent's configuration."""

_FILE_KEY = "config"
_EXAMPLE = (
    f"Write the channels' blocks under `{BLOCK}:`, such as `telegram: {{bot_token: …}}`, or name a"
    f" file that has them: `{_FILE_KEY}: channels.yml`"
)


def settings_of(agents: Mapping[str, Any]) -> Config:
    """Return the session's configuration; mistakes in it are told when the session starts.

    Args:
        agents: the agent's whole configuration. The block holds what stands under `plugins:` in a
            `cobot.yml` of ours, or names such a file with `config: path`.

    Raises:
        ConfigError: there is no such block, or no such file, or the file is no YAML.
    """
    block = agents.get(BLOCK)
    if not isinstance(block, Mapping) or not block:
        rule = "should be a mapping with channels" if block else "is missing or empty"
        raise ConfigError([Problem(BLOCK, rule, f"{_EXAMPLE}.")])
    if _FILE_KEY in block:
        return load_config(_named_file(block), defer=True)
    return load_config({"plugins": block}, defer=True)


def with_workspace(config: Config, folder: Path) -> Config:
    """Keep what the session stores in this folder, unless the configuration says where.

    A file of its own is read by the command line, too, and means the same there.
    """
    if config.file is not None or config.workspace.path is not None:
        return config
    return dataclasses.replace(
        config, workspace=config.workspace.model_copy(update={"path": folder})
    )


def told_in_agents_words(error: ConfigError, config: Config) -> ConfigError:
    """Name the fields as they stand in the agent's file, when that is where they stand."""
    if config.file is not None:
        return error
    return ConfigError([_renamed(problem) for problem in error.problems])


def _named_file(block: Mapping[str, Any]) -> str:
    path = block[_FILE_KEY]
    others = [key for key in block if key != _FILE_KEY]
    if others:
        rule = f"stands beside `{others[0]}`, and that belongs into the file it names"
        fix = f"Move the other blocks into the file, under `plugins:`, or take `{_FILE_KEY}` out."
        raise ConfigError([Problem(f"{BLOCK}.{_FILE_KEY}", rule, fix)])
    if not isinstance(path, str) or not path:
        fix = f"Write `{_FILE_KEY}: channels.yml`."
        raise ConfigError([Problem(f"{BLOCK}.{_FILE_KEY}", "should be the path of a file", fix)])
    return path


def _renamed(problem: Problem) -> Problem:
    words = {
        name: getattr(problem, name).replace("plugins.", f"{BLOCK}.")
        for name in ("field", "rule", "fix")
    }
    field = BLOCK if words["field"] == "plugins" else words["field"]
    return dataclasses.replace(problem, **(words | {"field": field}))
