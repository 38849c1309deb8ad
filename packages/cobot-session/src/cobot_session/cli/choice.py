"""A configuration for a part of the plugins: for commands that are about one channel only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cobot_session.config import Block, CommonSettings
from cobot_session.registry import installed

if TYPE_CHECKING:
    from collections.abc import Collection

    from cobot_session.config import Config

CONSOLE = "console"


def only(config: Config, names: Collection[str]) -> Config:
    """Return a configuration in which every plugin but these is disabled, so not even imported.

    Mistakes in the blocks of those that are left out are left out, too.
    """
    return _without(config, {name for name in _all(config) if name not in names})


def without_console(config: Config) -> Config:
    """Return a configuration that leaves standard input and output to the command."""
    consoles = {name for name, block in config.blocks.items() if block.use == CONSOLE}
    return _without(config, consoles)


def _all(config: Config) -> dict[str, Block]:
    """Return a block for every plugin that is installed or configured."""
    used = {block.use for block in config.blocks.values()}
    names = {plugin.name for plugin in installed()} - used
    return {name: Block(name, name) for name in sorted(names)} | config.blocks


def _without(config: Config, names: Collection[str]) -> Config:
    blocks = {
        name: _disabled(block) if name in names else block
        for name, block in _all(config).items()
        if name in names or name in config.blocks
    }
    problems = tuple(one for one in config.problems if not _is_in(one.field, names))
    return replace(config, blocks=blocks, problems=problems)


def _disabled(block: Block) -> Block:
    return replace(block, common=CommonSettings(use=block.use, enabled=False))


def _is_in(field: str, names: Collection[str]) -> bool:
    """Tell whether `plugins.telegram.groups[0].id` is about one of these blocks."""
    parts = field.split(".", 2)
    return len(parts) > 1 and parts[0] == "plugins" and parts[1] in names
