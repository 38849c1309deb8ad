"""What commands that run a session have in common."""

from __future__ import annotations

import logging
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cobot_session.cli.choice import CONSOLE
from cobot_session.cli.errand import errand_pid, is_free, wait_for_errand
from cobot_session.config import load_config
from cobot_session.errors import ConfigError, SpoolBusy
from cobot_session.registry import Registry
from cobot_session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cobot_session.config import Config
    from cobot_session.spool.beside import Beside

log = logging.getLogger("cobot_session.cli")

_ERRAND_SECONDS = 20.0
"""How long a `send` is waited for: its usual timeout, what its session takes to drain, and more."""


def whole_config(path: Path | None) -> Config:
    """Return the configuration.

    Raises:
        ConfigError: every mistake in it, those in the plugins' own settings included.
    """
    config = load_config(path, defer=True)
    if config.problems:
        Registry(config).load()
        raise ConfigError(config.problems)
    return config


def heed_sigterm() -> None:
    """End on SIGTERM as after the last line: what is stored and can be sent still is."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


@contextmanager
def serving(config: Config) -> Iterator[Session]:
    """Run a session, and log what it did when it has ended, however it ends."""
    session = _started(config)
    with ExitStack() as after:
        after.callback(_tell_end, session)
        after.push(session)
        yield session


def _started(config: Config) -> Session:
    """Start a session, if need be after a `send` that has the workspace for a moment.

    Raises:
        SpoolBusy: another session runs there, or one `send` does for too long.
    """
    folder = config.workspace.folder
    until = time.monotonic() + _ERRAND_SECONDS
    is_told = False
    while True:
        if not is_told and (pid := errand_pid(folder)) is not None:
            log.info("waiting for `send` (process %d), which has the workspace for a moment", pid)
            is_told = True
        wait_for_errand(folder, until)
        session = Session(config)
        try:
            session.start()
        except SpoolBusy:
            is_brief = errand_pid(folder) is not None or is_free(folder)
            if not is_brief or time.monotonic() >= until:
                raise
        else:
            return session


def _tell_end(session: Session) -> None:
    statuses = session.status().values()
    received, sent = sum(one.received for one in statuses), sum(one.sent for one in statuses)
    left = sum(one.pending for one in statuses)
    waiting = f"; {left} left for the next start" if left else ""
    log.info("ended: %d received, %d sent%s", received, sent, waiting)


def nothing_waits(spool: Beside) -> bool:
    """Tell whether every message in a spool is done with: answered, and the answer delivered."""
    return not any(counts.pending for counts in spool.counts().values())


def tell_channels(session: Session, config: Config, what: str) -> None:
    """Log which channels a session serves, and which it does not."""
    names = session.channels()
    if names:
        log.info("%s on %s; Ctrl-C ends it", what, ", ".join(names))
    elif config.file is None:
        log.warning(
            "no channel is running: there is no cobot.yml here; `cobot-session init` writes one"
        )
    else:
        log.warning("no channel is running: install or configure one; see `cobot-session channels`")
    states = {name: status.state for name, status in session.status().items()}
    resting = [name for name, state in states.items() if state == "unconfigured"]
    if set(resting) - {CONSOLE}:
        log.info(
            "installed and not configured: %s; `cobot-session channels --check` says what it takes",
            ", ".join(name for name in resting if name != CONSOLE),
        )
