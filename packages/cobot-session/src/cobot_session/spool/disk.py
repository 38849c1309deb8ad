"""Making what SQLite has written outlast a power cut, once for many commits.

In WAL mode with `synchronous = NORMAL` a commit is a write to the log beside the database: it
outlasts the process. Once the log is on the disk it outlasts the machine; SQLite itself syncs the
log before it moves anything into the database, and a log that begins anew with its first page
(https://www.sqlite.org/wal.html#performance_considerations).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

from cobot_session.errors import SpoolError

if TYPE_CHECKING:
    from pathlib import Path


class Disk(Protocol):
    """Where a database is."""

    def check(self) -> None:
        """Return when the files are still those that were opened.

        Raises:
            SpoolError: what is written now would be gone with them.
        """

    def sync(self) -> None:
        """Return when everything written outlasts a power cut.

        Raises:
            OSError: it may not.
        """

    def close(self) -> None:
        """Let go."""


class NoDisk:
    """A database in memory."""

    def check(self) -> None:
        """Do nothing."""

    def sync(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class LogFile:
    """The write-ahead log of a database, which is there from the first commit to the last close.

    Args:
        database: its path.
        syncs: what is written has to outlast a power cut.
    """

    def __init__(self, database: Path, *, syncs: bool) -> None:
        self._path = database.with_name(f"{database.name}-wal")
        self._syncs = syncs
        self._file: int | None = None
        self._known: dict[Path, tuple[int, int]] = {}
        """Which files they were when they were seen first."""
        self._paths = (database, self._path)

    def check(self) -> None:
        """See whether somebody has deleted or replaced a file: SQLite writes on, into nowhere."""
        for path in self._paths:
            try:
                found = path.stat()
                here = found.st_dev, found.st_ino
            except FileNotFoundError:
                here = None
            known = self._known.get(path) if here is None else self._known.setdefault(path, here)
            if known != here:
                raise SpoolError(
                    f"{path} was deleted or replaced while the session runs, so nothing can be"
                    " stored: stop the session, then put the file back or start anew"
                )

    def sync(self) -> None:
        """Wait until the log is on the disk."""
        if not self._syncs:
            return
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        _sync(self._file)

    def close(self) -> None:
        """Close the log."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _sync(file: int) -> None:
    """Write a file out to the disk itself."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # there `fsync` stops at the disk's own memory
    elif sys.platform == "win32":
        os.fsync(file)
    else:
        os.fdatasync(file)
