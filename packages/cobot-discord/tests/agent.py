"""An agent in a process of its own, so that it can be killed: it answers what it is told."""

import json
import logging
import sys

from cobot_session import Session


def answer(message):
    return f"re: {message.content}"


if __name__ == "__main__":
    logging.basicConfig(level=sys.argv[2])
    with Session(json.loads(sys.argv[1])) as session:
        session.run(answer)
