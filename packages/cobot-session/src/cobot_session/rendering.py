"""One message to the parts that a channel sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobot_session import text
from cobot_session.messages import OutgoingMessage

if TYPE_CHECKING:
    from cobot_session.door import Door
    from cobot_session.plugin import Limits


async def rendered(door: Door, message: OutgoingMessage, limits: Limits) -> list[OutgoingMessage]:
    """Return a message's parts: as the channel makes them, else split to its limits."""
    if "session_render" not in door.hooks:
        return text.render(message, limits)
    return [
        OutgoingMessage(
            channel_type=message.channel_type,
            channel_id=part.channel_id or message.channel_id,
            content=part.content,
            reply_to=part.reply_to,
            media=part.media,
            metadata=part.metadata,
            id=text.part_id(message.id, number),
        )
        for number, part in enumerate(await door.render(message))
    ]
