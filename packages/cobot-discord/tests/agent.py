"""An agent in a process of its own, so that it can be killed: it answers what it is told.

What it is told of its sends it writes down: a line for each receipt, id, status, message ids.
"""

import faulthandler
import json
import logging
import signal
import sys

from cobot_session import Plugin, PluginMeta, Session


class Ledger(Plugin):
    meta = PluginMeta(id="ledger", version="1")

    def session_on_send(self, message, receipt):
        with open(sys.argv[3], "a") as ledger:  # noqa: PTH123
            ledger.write(json.dumps([receipt.id, receipt.status, receipt.message_ids]) + "\n")


def answer(message):
    return f"re: {message.content}"


if __name__ == "__main__":
    logging.basicConfig(level=sys.argv[2])
    faulthandler.register(signal.SIGUSR1)  # shows where every thread is
    with Session(json.loads(sys.argv[1]), plugins={"ledger": Ledger}) as session:
        session.run(answer)
