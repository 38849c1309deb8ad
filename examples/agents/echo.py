"""The smallest agent: it says what it hears.

python echo.py                                        # with the channels of ./cobot.yml
cobot-session chat --agent echo:answer                # in this terminal, no account needed
"""

from cobot_session import IncomingMessage, Session


def answer(message: IncomingMessage) -> str:
    """Return the answer to a message."""
    return f"You said: {message.content}"


if __name__ == "__main__":
    with Session() as session:
        session.run(answer)
