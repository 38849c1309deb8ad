"""A gate put together from what is configured and what is remembered."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cobot_session.config import access_id, target_id
from cobot_session.gate.drops import Drops
from cobot_session.gate.flood import Flood
from cobot_session.gate.gate import Gate
from cobot_session.gate.reach import Reach
from cobot_session.gate.rules import rules
from cobot_session.pairing import Desk
from cobot_session.rendering import rendered

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from concurrent.futures import Future

    from cobot_session.door import Door
    from cobot_session.house import House
    from cobot_session.messages import OutgoingMessage
    from cobot_session.registry import PluginRecord


def new_gate(
    record: PluginRecord,
    house: House,
    call: Callable[[Callable[[Door], Any]], Future[Any]],
    log: logging.Logger,
) -> Gate:
    """Return the gate of a channel.

    Args:
        record: the channel.
        house: the rest of the session.
        call: lets the channel do something, on its loop.
        log: the channel's logger.
    """
    name, access, own = record.id, record.common.access, record.access or {}
    allowed = rules(access, own)

    def say(message: OutgoingMessage) -> Future[Any]:
        async def send(door: Door) -> None:
            for part in await rendered(door, message, record.limits):
                await door.send(part)

        return call(send)

    form = partial(access_id, record.model, "chat")
    target = partial(target_id, record.model)
    reach = Reach(name, access.send_to, allowed, house.heard.get(name, ()), form, target)
    reach.configure(record.common.default_chat)
    return Gate(
        allowed,
        desk=Desk(name, house.spool, say, gives=access.pairing, log=log),
        flood=None if own.get("rates") is False else Flood(access.rates),
        drops=Drops(log, house.drops.get(name, ())),
        reach=reach,
    )
