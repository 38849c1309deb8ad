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

if TYPE_CHECKING:
    from pathlib import Path


class Disk(Protocol):
    """Where a database is."""

    def sync(self) -> None:
        """Return when everything written outlasts a power cut.

        Raises:
            OSError: it may not.
        """

    def close(self) -> None:
        """Let go."""


class NoDisk:
    """Nothing has to outlast a power cut."""

    def sync(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class LogFile:
    """The write-ahead log of a database, which is there from the first commit to the last close.

    Args:
        database: its path.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-wal")
        self._file: int | None = None

    def sync(self) -> None:
        """Wait until the log is on the disk."""
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
