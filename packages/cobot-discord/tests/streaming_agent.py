"""A session of its own process whose agent streams, and hangs in the middle the first time."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from cobot_session import IncomingMessage, Session

if TYPE_CHECKING:
    from collections.abc import Iterator


def answer(message: IncomingMessage) -> Iterator[str]:
    """Say the first words, more when a line comes on standard input; the end when asked again."""
    yield "Once upon"
    if message.metadata.get("redelivered"):
        yield " a time, and they lived."
        return
    sys.stdin.readline()
    yield " a time"
    time.sleep(600)


if __name__ == "__main__":
    with Session(sys.argv[1]) as session:
        session.run(answer)
