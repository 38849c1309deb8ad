"""Tell everybody: one text to the default chat of every channel, and what became of it.

    df --output=pcent / | tail -1 | python alert.py "The disk is at"

Each channel in `cobot.yml` needs a `default_chat`. Give the script a workspace of its own: beside
an agent that runs in the same one, use `cobot-session send`.
"""

import sys

from cobot_session import CobotError, Session

SECONDS = 30.0
"""How long to wait for delivery; what is not delivered by then stays stored for the next run."""


def alert(text: str, session: Session) -> bool:
    """Broadcast a text, and tell whether every channel has it."""
    receipts = session.broadcast(text, timeout=SECONDS)
    for channel, receipt in receipts.items():
        print(f"{channel}: {receipt.status}{f' ({receipt.error})' if receipt.error else ''}")
    return bool(receipts) and all(one.status == "sent" for one in receipts.values())


def main(words: list[str]) -> int:
    """Take the text from the arguments, and from standard input when it is no terminal."""
    piped = "" if sys.stdin.isatty() else sys.stdin.read()
    text = " ".join([*words, piped]).strip()
    if not text:
        print("usage: python alert.py TEXT", file=sys.stderr)
        return 2
    try:
        with Session() as session:
            return 0 if alert(text, session) else 1
    except CobotError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
