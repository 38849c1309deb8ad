"""Channels and people as a person names them on the command line."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cobot_session.cli.outcome import UsageMistake
from cobot_session.config import BUILT_IN, access_id
from cobot_session.errors import ConfigError, PluginError
from cobot_session.nearest import nearest
from cobot_session.registry import Registry

if TYPE_CHECKING:
    from cobot_session.config import Config


def known_channel(config: Config, channel: str) -> None:
    """Refuse a channel that nothing is known of.

    Raises:
        UsageMistake: there is none of that name; the text says which there are.
    """
    registry = Registry(config)
    registry.survey()
    names = sorted(set(registry.records).difference(BUILT_IN))
    if channel in names:
        return
    meant = nearest(channel, names)
    hint = f"Did you mean `{meant}`?" if meant else f"There are: {', '.join(names) or 'none'}."
    raise UsageMistake(f"there is no channel `{channel}`. {hint}")


def person_id(config: Config, channel: str, person: str) -> str:
    """Return a person's id in the form in which the channel's messages carry it.

    Raises:
        UsageMistake: it is a name, or nothing that the channel knows as an id.
    """
    registry = Registry(config)
    logging.disable()
    try:
        registry.load()
    except (ConfigError, PluginError):  # what is wrong with a block does not matter here
        pass
    finally:
        logging.disable(logging.NOTSET)
    record = registry.records.get(channel)
    try:
        return access_id(record.model if record else None, "user", person)
    except ValueError as error:
        raise UsageMistake(
            f"{person!r} {error}. The log names the id of whoever is refused, and"
            " `cobot-session doctor` the last ones"
        ) from None
