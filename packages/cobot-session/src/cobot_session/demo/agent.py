"""The agent of the demonstration: what it says stands here, how it is carried nowhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cobot_session.messages import OutgoingMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cobot_session.handling import Handler
    from cobot_session.messages import IncomingMessage
    from cobot_session.session import Session

LESSONS = 60
"""Sections of the long answer: more than one message of most networks."""
LONG = "tell me all about loops"
_PAUSES = 12
_PAUSE_SECONDS = 0.1


def agent_of(session: Session) -> Handler:
    """Return the agent: it repeats, remarks, teaches at length, and thinks when asked to."""

    def answer(message: IncomingMessage) -> str | Iterator[str] | None:
        if message.kind == "edit":
            return f"You changed it to: {message.content}"
        if message.kind == "reaction":
            return f"Thank you for the {message.content}"
        if message.media:
            return f"I have got {len(message.media)} file(s)"
        if message.content == LONG:
            return lesson()
        if message.content.startswith("think"):
            think(session, message)
            return None
        return f"You said: {message.content}"

    return answer


def lesson() -> Iterator[str]:
    """Yield a long answer in Markdown, as a language model would: bit by bit."""
    yield "# Loops\n\nThis takes **more than one** message.\n"
    for number in range(1, LESSONS + 1):
        if number % (LESSONS // _PAUSES) == 1:
            time.sleep(_PAUSE_SECONDS)
        yield f"\nSection {number} goes round `{number}` times:\n\n```python\n"
        yield f"for n in range({number}):\n    print(n, 'of {number}')\n```\n"
    yield "\nThat is all about loops."


def think(session: Session, message: IncomingMessage) -> None:
    """Say something, change it, and react to it."""
    chat = (message.channel_type, message.channel_id)
    receipt = session.send(OutgoingMessage(*chat, "Thinking …"))
    session.edit(*chat, receipt.id, "I have thought about it.")
    session.react(*chat, receipt.id, "👍")
