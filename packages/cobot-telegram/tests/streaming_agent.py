"""A session of its own process whose agent streams, and hangs in the middle the first time."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from cobot_session import IncomingMessage, Session

if TYPE_CHECKING:
    from collections.abc import Iterator


def answer(message: IncomingMessage) -> Iterator[str]:
    """Say the first words, more of them, and the end only when asked again."""
    yield "Once upon"
    time.sleep(0.3)
    yield " a time"
    if not message.metadata.get("redelivered"):
        time.sleep(600)
    yield ", and they lived."


if __name__ == "__main__":
    with Session(sys.argv[1]) as session:
        session.run(answer)
