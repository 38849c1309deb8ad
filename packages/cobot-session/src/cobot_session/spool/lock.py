"""A lock that dies with its process: one process at a time runs a spool."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
import weakref
from typing import TYPE_CHECKING

from cobot_session.errors import SpoolBusy, SpoolError

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":  # pragma: no cover - the other branch is tested
    import msvcrt

    def _lock(descriptor: int, *, shared: bool) -> None:
        os.lseek(descriptor, 64, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


log = logging.getLogger("cobot_session.spool")

_held: weakref.WeakSet[ProcessLock] = weakref.WeakSet()
_TRIES = 5
_PAUSE = 0.05
"""Seconds between tries: a look by `running_pid` must not keep a session from starting."""
_FAILURES_TOLD = 2


class ProcessLock:
    """Holds `path` for this process until `release`, or until the process ends in any way.

    A forked child lets go of it: else it would hold the lock beyond its parent's end.

    Raises:
        SpoolBusy: another process holds it.
        SpoolError: its file cannot be opened, as after a session of another user.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _taken(path, _TRIES)
        self._failures = 0
        """How often in a row it could not be kept."""
        _held.add(self)

    def keep(self) -> None:
        """Renew it; what prevents that is logged, unless it was only somebody's look."""
        try:
            self.renew()
        except (SpoolError, OSError) as error:
            self._failures += 1
            if self._failures == _FAILURES_TOLD:
                log.error("the lock of this session is lost: %s", error)  # noqa: TRY400 - no defect
        else:
            self._failures = 0

    def renew(self) -> None:
        """Hold the file that is at the path now: somebody may have deleted ours.

        Raises:
            SpoolBusy: another process has taken its place.
            SpoolError, FileNotFoundError: there cannot be a file.
        """
        with contextlib.suppress(FileNotFoundError):
            if self._descriptor < 0 or _same(self._path.stat(), os.fstat(self._descriptor)):
                return
        before, self._descriptor = self._descriptor, _taken(self._path, 1)
        os.close(before)

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _taken(path: Path, tries: int) -> int:
    """Return the locked file, our process in it."""
    descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
    for left in reversed(range(tries)):
        try:
            _lock(descriptor, shared=False)
            break
        except OSError:
            if not left:
                os.close(descriptor)
                raise _busy(path) from None
            time.sleep(_PAUSE)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _let_go_in_child() -> None:
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)


def running_pid(path: Path) -> int | None:
    """Return the process that holds the lock at `path` (0: it cannot be told), `None`: no one.

    Raises:
        SpoolError: its file cannot be opened.
    """
    try:
        descriptor = _opened(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        _lock(descriptor, shared=True)
    except OSError:
        return _pid_in(path)
    finally:
        os.close(descriptor)
    return None


def _opened(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SpoolError(
            f"{path} cannot be opened: {error.strerror}. Let the user that runs the session own"
            f" {path.parent} and all in it, or run as the one that does"
        ) from error


def _busy(path: Path) -> SpoolBusy:
    pid = _pid_in(path)
    return SpoolBusy(
        f"another session (process {pid or 'unknown'}) runs the spool in {path.parent}. Stop it,"
        " or give this one a folder of its own: `workspace: {path: ...}`",
        pid,
    )


def _pid_in(path: Path) -> int:
    text = path.read_text("ascii", errors="replace").strip()
    return int(text) if text.isdigit() else 0
