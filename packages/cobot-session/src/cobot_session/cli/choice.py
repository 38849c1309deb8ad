"""A configuration for a part of the plugins: for commands that are about one channel only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cobot_session.config import Block, CommonSettings
from cobot_session.registry import installed

if TYPE_CHECKING:
    from collections.abc import Collection

    from cobot_session.config import Config

_OFF = CommonSettings(enabled=False)


def only(config: Config, names: Collection[str]) -> Config:
    """Return a configuration in which every plugin but these is disabled, unimported.

    Mistakes in the blocks of those that are left out are left out, too.
    """
    every = {plugin.name: Block(plugin.name, plugin.name) for plugin in installed()}
    used = {block.use for block in config.blocks.values()}
    unused = {name: block for name, block in every.items() if name not in used}
    blocks = unused | config.blocks
    chosen = {
        name: block
        if name in names
        else replace(block, common=_OFF.model_copy(update={"use": block.use}))
        for name, block in blocks.items()
        if name in config.blocks or name not in names
    }
    off = tuple(f"plugins.{name}" for name in blocks if name not in names)
    problems = tuple(one for one in config.problems if not _is_in(one.field, off))
    return replace(config, blocks=chosen, problems=problems)


def _is_in(field: str, blocks: tuple[str, ...]) -> bool:
    return any(field == block or field.startswith((f"{block}.", f"{block}[")) for block in blocks)
