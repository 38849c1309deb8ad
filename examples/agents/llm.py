"""An agent that a language model speaks for; its answer grows while the model writes.

It takes any endpoint that has OpenAI's chat completions with streaming, hosted or on this machine:

    OPENAI_BASE_URL=http://127.0.0.1:11434/v1 OPENAI_MODEL=llama3.2 python llm.py
"""

import json
import os
import urllib.request
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any

from cobot_session import IncomingMessage, Session

SYSTEM = "You answer people in a chat. Be brief."
SECONDS = 120.0
"""How long the model may be silent; after that the message comes again later."""

Turn = dict[str, str]
history: defaultdict[tuple[str, str], deque[Turn]] = defaultdict(lambda: deque(maxlen=20))
"""What was said last in each chat. It is in memory only: a restart forgets it."""


def answer(message: IncomingMessage) -> Iterator[str]:
    """Yield the model's answer piece by piece; raising leaves the message for another try."""
    said = history[message.channel_type, message.channel_id]
    question = {"role": "user", "content": f"{message.sender_name}: {message.content}"}
    pieces = []
    for piece in completion([{"role": "system", "content": SYSTEM}, *said, question]):
        pieces.append(piece)
        yield piece
    said += [question, {"role": "assistant", "content": "".join(pieces)}]


def completion(turns: list[Turn]) -> Iterator[str]:
    """Yield the text of a streamed completion, as the server-sent events bring it."""
    base = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
    model = os.environ.get("OPENAI_MODEL", "gpt-4o-mini")
    request = urllib.request.Request(  # noqa: S310 - whoever starts it chooses the address
        f"{base}/chat/completions",
        data=json.dumps({"model": model, "messages": turns, "stream": True}).encode(),
        headers={
            "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - so here
        for line in answer:
            event = line.decode().strip()
            if event == "data: [DONE]":
                return
            if event.startswith("data: "):
                yield from _text(json.loads(event.removeprefix("data: ")))
    raise ConnectionError("the model broke off in the middle of its answer")


def _text(event: dict[str, Any]) -> Iterator[str]:
    for choice in event.get("choices", ()):
        if text := choice.get("delta", {}).get("content"):
            yield text


if __name__ == "__main__":
    with Session() as session:
        session.run(answer)
