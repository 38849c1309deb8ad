"""One thread that owns the database and commits all that is waiting in one transaction."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from cobot_session.errors import SpoolError, SpoolFull

T = TypeVar("T")
Job = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]

_MOST_AT_ONCE = 512
"""Jobs of one transaction: bounds what a failing one makes the others repeat."""


class Writer:
    """Runs jobs against one connection, in order, many to a transaction.

    A job may be run twice when another of the same transaction fails, so it must depend on
    nothing but its arguments and the database.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._db = connection
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run a job; its future is resolved after the commit."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # what has been asked of a store is not taken back
        with self._lock:
            if self._closed:
                future.set_exception(SpoolError("the spool is closed"))
            else:
                self._jobs.put((job, future))
        return future

    def close(self, timeout: float) -> bool:
        """Commit what is waiting and close the connection; false when that took too long."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        open_ = True
        while open_:
            jobs: list[Job] = []
            first = self._jobs.get()
            open_ = first is not None
            if first is not None:
                jobs.append(first)
                open_ = self._take_waiting(jobs)
            if jobs:
                self._commit(jobs)
        self._db.close()

    def _take_waiting(self, jobs: list[Job]) -> bool:
        """Add what is waiting; false when the end has been asked for."""
        while len(jobs) < _MOST_AT_ONCE:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return True
            if job is None:
                return False
            jobs.append(job)
        return True

    def _commit(self, jobs: list[Job]) -> None:
        """Commit jobs together; one that raises is told so, and the others go on without it."""
        while jobs:
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:  # another process holds it: each would wait as long
                _refuse(jobs, error)
                return
            results: list[Any] = []
            try:
                for job, _ in jobs:
                    results.append(job(self._db))
                self._db.execute("COMMIT")
            except Exception as error:  # noqa: BLE001 - what a job raises is its caller's to handle
                self._roll_back()
                jobs = self._without_the_failed(jobs, len(results), error)
            else:
                for (_, future), result in zip(jobs, results, strict=True):
                    future.set_result(result)
                return

    def _without_the_failed(self, jobs: list[Job], done: int, error: Exception) -> list[Job]:
        """Tell whose job failed, and return the others; `done` of them went well."""
        if len(jobs) > 1 and (done == len(jobs) or isinstance(error, sqlite3.OperationalError)):
            for job in jobs:  # no job's own fault: what is too much together may do one by one
                self._commit([job])
            return []
        failed = min(done, len(jobs) - 1)
        _refuse([jobs[failed]], error)
        return jobs[:failed] + jobs[failed + 1 :]

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite may have rolled back by itself
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")


def _refuse(jobs: list[Job], error: Exception) -> None:
    for _, future in jobs:
        future.set_exception(_translated(error))


def _translated(error: Exception) -> Exception:
    """Return the spool's own error for one of SQLite's; another is a defect and stays itself."""
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        return SpoolFull(f"the spool cannot write: {error}")
    return SpoolError(f"the spool refused: {error}")
