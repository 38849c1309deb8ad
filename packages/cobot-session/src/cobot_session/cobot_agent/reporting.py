"""What the session has to say, in the agent's own log and on its own loop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cobot_session.plugin import Plugin, PluginMeta

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.messages import OutgoingMessage, Receipt

_OURS = "cobot_session"
_CHANNEL = f"{_OURS}.plugin."


class AgentLog(logging.Handler):
    """Hands every record of the session on, with the agent's name for its level.

    Args:
        write: the agent's log: a level (`debug`, `info`, `warn`, `error`) and a text.
    """

    def __init__(self, write: Callable[[str, str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write one."""
        level = {"WARNING": "warn", "CRITICAL": "error"}.get(record.levelname, record.levelname)
        channel = record.name.removeprefix(_CHANNEL).partition(".")[0]
        who = "" if channel == _OURS else f"{channel}: "
        try:
            self._write(level.lower(), f"{who}{self.format(record)}")
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)

    def attach(self, *, debug: bool) -> None:
        """Take the session's records from now on."""
        ours = logging.getLogger(_OURS)
        ours.addHandler(self)
        ours.setLevel(logging.DEBUG if debug else logging.INFO)

    def detach(self) -> None:
        """Take none any more."""
        logging.getLogger(_OURS).removeHandler(self)


class SendReporter(Plugin):
    """An observer of the session that tells what was not delivered after all.

    Args:
        tell: told each failure in words; in any thread.
    """

    meta = PluginMeta("cobot_agent", "1.0", priority=20)

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def session_on_send(self, message: OutgoingMessage, receipt: Receipt) -> None:
        """Tell a receipt that is not true."""
        if not receipt:
            self._tell(
                f"Send failed: {message.channel_type} {message.channel_id}:"
                f" {receipt.status}: {receipt.error}"
            )
