"""Private keys out of the logs: ours however it is spelled, anybody's where our channel logs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cobot_nostr import nip19
from cobot_session.redact import SHOWN, Redactor

if TYPE_CHECKING:
    from cobot_nostr.crypto import Key


class Secrecy(logging.Filter):
    """Keeps keys out of logs from `begin` to `end`.

    The session redacts a key only as it is written in the settings, and knows none that stands in
    a file; and a person may paste a key where a chat or a name belongs.

    Args:
        key: ours; no log record of the process shows it.
        log: the channel's; its records show no private key at all.
    """

    def __init__(self, key: Key, log: logging.Logger) -> None:
        super().__init__()
        spellings = key.spellings()
        self._redactor = Redactor([*spellings, *map(str.upper, spellings)])
        self._log = log

    def begin(self) -> None:
        """Watch the logs from now on."""
        self._redactor.install()
        self._log.addFilter(self)

    def end(self) -> None:
        """Leave them alone."""
        self._log.removeFilter(self)
        self._redactor.uninstall()

    def filter(self, record: logging.LogRecord) -> bool:
        """Take private keys out of a record of the channel's logger, and let it pass."""
        shown = record.getMessage()
        if nip19.holds_private_key(shown):
            record.msg, record.args = nip19.without_private_keys(shown, SHOWN), ()
        return True
