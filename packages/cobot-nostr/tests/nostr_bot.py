"""A bot in a process of its own, to be killed: it answers every message with `re: …`.

python nostr_bot.py config.json handled.log
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    from cobot_nostr.channel import Nostr
    from cobot_nostr.tuning import Tuning
    from cobot_session import Session

    Nostr.tuning = Tuning(backoff=0.05, backoff_most=0.5, idle=2.0, patience=3.0)
    config = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    handled = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def answer(message):
        again = bool(message.metadata.get("redelivered"))
        os.write(handled, (json.dumps([message.key, message.content, again]) + "\n").encode())
        return f"re: {message.content}"

    with Session(config) as session:
        print("ready", flush=True)  # for the parent
        session.run(answer)


if __name__ == "__main__":
    main()
