"""The way of one message out: by a session of its own, or by the one that runs already."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from cobot_session.cli.choice import only
from cobot_session.cli.naming import known_channel
from cobot_session.cli.outcome import UsageMistake
from cobot_session.config import BUILT_IN
from cobot_session.errors import CobotError
from cobot_session.messages import Receipt, new_id
from cobot_session.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cobot_session.cli.place import Place
    from cobot_session.config import Config
    from cobot_session.messages import OutgoingMessage

_LOOK_SECONDS = 0.05


def hand_over(message: OutgoingMessage, place: Place, config: Config, timeout: float) -> Receipt:
    """Let the session that runs send a message; returns what is true after `timeout` seconds.

    Raises:
        UsageMistake: the message names no chat, and only the session knows the default one.
        CobotError: the session does not run the channel.
        SpoolError: the spool cannot be written.
    """
    _check_runs(message.channel_type, place)
    message.id = new_id()
    message.channel_id = message.channel_id or _default_chat(message.channel_type, config)
    if config.session.format == "text":
        message.metadata["format"] = "text"
    place.beside.post(message)
    deadline = time.monotonic() + timeout
    receipt = Receipt(message.id, "queued")
    while receipt.status == "queued" and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        known = place.beside.receipt(message.id)
        receipt = receipt if known is None else known
    return receipt


def _check_runs(channel: str, place: Place) -> None:
    who = f"the session that runs (process {place.pid or 'unknown'})"
    status = place.statuses.get(channel)
    if status is None and not place.starting:
        known = ", ".join(sorted(place.statuses)) or "none"
        raise CobotError(f"{who} has no channel `{channel}`; it has: {known}")
    if status is not None and status.state in {"failed", "unconfigured"}:
        why = f": {status.last_error}" if status.last_error else ""
        raise CobotError(f"the channel `{channel}` of {who} is {status.state}{why}")


def _default_chat(channel: str, config: Config) -> str:
    block = config.blocks.get(channel)
    if block is None or block.common.default_chat is None:
        raise UsageMistake(
            f"name the chat, as in `send {channel} CHAT TEXT`: beside a session that runs, the"
            f" default one is known only if `plugins.{channel}.default_chat` says it"
        )
    return block.common.default_chat


def with_needs(config: Config, channel: str) -> Config:
    """Return a configuration for this channel and the plugins that it depends on.

    Raises:
        UsageMistake: there is no such channel.
        ConfigError: its settings have mistakes.
    """
    known_channel(config, channel)
    names: set[str] = set()
    needed = {channel}
    while not needed <= names:
        names |= needed
        registry = Registry(only(config, names))
        _load_silently(registry)
        metas = (record.meta for record in registry.records.values() if record.id in names)
        needed = {name for meta in metas if meta for name in _meant(meta.dependencies, config)}
    return only(config, names)


def _load_silently(registry: Registry) -> None:
    """Load; the session that follows logs what there is to log."""
    logging.disable()
    try:
        registry.load()
    finally:
        logging.disable(logging.NOTSET)


def _meant(dependencies: Iterable[str], config: Config) -> Iterator[str]:
    """Yield the blocks that dependencies stand for."""
    for name in set(dependencies).difference(BUILT_IN):
        yield name
        yield from (block.name for block in config.blocks.values() if block.use == name)
