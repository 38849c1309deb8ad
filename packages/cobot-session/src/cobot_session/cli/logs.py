"""Logs as a person reads them: one line each, on standard error."""

from __future__ import annotations

import logging
import sys

from cobot_session.cli.output import visible

_OURS = "cobot_session"


class _Lines(logging.Formatter):
    """`14:02:11 warning telegram: text`; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__(datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        name = record.name.removeprefix(f"{_OURS}.").removeprefix("plugin.").partition(".")[0]
        who = "" if name in {"cli", _OURS} else f"{name}: "
        time = self.formatTime(record, self.datefmt)
        return f"{time} {record.levelname.lower()} {who}{visible(record.message)}"


def set_up(*, verbose: bool = False, quiet: bool = False) -> None:
    """Send logs to standard error.

    Args:
        verbose: what happens inside the session, too. Other libraries stay at warnings: some log
            more than one would show to others.
        quiet: troubles only, for a terminal that somebody is typing in.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    level = logging.WARNING if quiet else logging.INFO
    logging.getLogger(_OURS).setLevel(logging.DEBUG if verbose else level)
