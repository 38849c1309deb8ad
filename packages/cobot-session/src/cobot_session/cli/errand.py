"""A session that one `send` runs for a moment: whoever else needs the workspace waits for it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from cobot_session.engine import LOCK_FILE
from cobot_session.spool.lock import ProcessLock, running_pid
from cobot_session.workspace import private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ERRAND_FILE = "send.lock"
_LOOK_SECONDS = 0.1


@contextlib.contextmanager
def on_errand(folder: Path) -> Iterator[None]:
    """Let others see that the session which this process starts in a workspace is a short one.

    Raises:
        SpoolBusy: another process is on an errand there.
        SpoolError: the file that tells of it cannot be opened.
        ConfigError: the folder cannot be used.
    """
    lock = ProcessLock(private_folder(folder) / ERRAND_FILE)
    try:
        yield
    finally:
        lock.release()


def errand_pid(folder: Path) -> int | None:
    """Return the process whose session there is a short one; `None`: there is none.

    Raises:
        SpoolError: it cannot be told.
    """
    pid = running_pid(folder / ERRAND_FILE)
    return pid if pid is not None and pid == running_pid(folder / LOCK_FILE) else None


def is_free(folder: Path) -> bool:
    """Tell whether nobody runs a session there.

    Raises:
        SpoolError: it cannot be told.
    """
    return running_pid(folder / LOCK_FILE) is None


def wait_for_errand(folder: Path, until: float) -> None:
    """Return when no short session runs there, or when it is `until`, of `time.monotonic`.

    Raises:
        SpoolError: it cannot be told.
    """
    while errand_pid(folder) is not None and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
