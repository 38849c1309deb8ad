"""The agent that the unit and the image run."""

from cobot_session import IncomingMessage


def answer(message: IncomingMessage) -> str:
    """Return the answer to a message."""
    return f"You said: {message.content}"
