"""An observer that keeps an audit log: a JSON line for all that came in and all that went out.

    cobot-session run ...             # once installed as an entry point of `cobot.plugins`, or:
    python audit.py                   # given to the session, as below

Observers are told after the fact, from a queue of their own; no message waits for them. The log
lies in the workspace, in the plugin's own folder, and only its owner can read it.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any

from cobot_session import (
    IncomingMessage,
    OutgoingMessage,
    Plugin,
    PluginMeta,
    Receipt,
    Session,
    Status,
)


class Audit(Plugin):
    """Writes down who said what where, and what became of every answer."""

    meta = PluginMeta(id="audit", version="1.0.0", contract=1)

    def start(self) -> None:
        """Open the log; a later run goes on where this one ended."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.log = os.open(self.context.workspace / "audit.jsonl", flags, 0o600)

    def stop(self) -> None:
        """Close the log, unless it was never opened."""
        if hasattr(self, "log"):
            os.close(self.log)

    def session_on_receive(self, message: IncomingMessage) -> None:
        """Note what somebody wrote."""
        where = f"{message.channel_type} {message.channel_id}"
        self._note("in", where, id=message.id, who=message.sender_id, text=message.content)

    def session_on_send(self, message: OutgoingMessage, receipt: Receipt) -> None:
        """Note what was sent, and what became of it."""
        where = f"{message.channel_type} {message.channel_id}"
        became = {"status": receipt.status, "error": receipt.error}
        self._note("out", where, id=receipt.id, text=message.content, **became)

    def session_on_status(self, channel_type: str, status: Status) -> None:
        """Note that a channel came or went."""
        self._note("status", channel_type, state=status.state, error=status.last_error)

    def _note(self, what: str, where: str, **facts: Any) -> None:
        line = {"at": datetime.now(UTC).isoformat(), "what": what, "where": where, **facts}
        os.write(self.log, json.dumps(line, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    with Session(plugins={"audit": Audit}) as session:
        session.run(lambda message: f"You said: {message.content}")
