"""One thread that owns the database and commits all that is waiting in one transaction."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from cobot_session.errors import SpoolError, SpoolFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")
Deed: TypeAlias = "Callable[[sqlite3.Connection, list[Any]], Sequence[Any]]"
"""Does something with many values at once, and returns a result for each."""

_MOST_AT_ONCE = 512
"""Jobs of one transaction: bounds what a failing one makes the others repeat."""


class _Promise(Future[T]):
    """A future that nobody cancels: what was asked of a store is not taken back."""

    def cancel(self) -> bool:
        return False


@dataclass(slots=True, eq=False)
class _Job:
    """What is done whole or not at all.

    Attributes:
        deeds: what to do, each with a value.
        result: makes the future's result of the deeds' results.
        alone: neither done together with others' deeds nor moved before or behind them.
    """

    deeds: Sequence[tuple[Deed, Any]]
    result: Callable[[list[Any]], Any]
    alone: bool = False
    future: Future[Any] = field(default_factory=_Promise)


class Writer:
    """Runs jobs against one connection, many to a transaction.

    The same deed of several jobs is done once, with all their values in the order of the jobs. It
    may be done again when the transaction fails, so it depends on nothing but its values and the
    database.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._db = connection
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(
        self, *deeds: tuple[Deed, Any], result: Callable[[list[Any]], Any] = itemgetter(0)
    ) -> Future[Any]:
        """Do deeds in one transaction; the future is resolved after the commit."""
        return self._put(_Job(deeds, result))

    def call(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Do one thing in its place, after all that was submitted before."""
        return self._put(_Job([(_call, job)], itemgetter(0), alone=True))

    def close(self, timeout: float) -> bool:
        """Commit what is waiting and close the connection; false when that took too long."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _put(self, job: _Job) -> Future[Any]:
        with self._lock:
            if not self._closed:
                self._jobs.put(job)
                return job.future
        job.future.set_exception(SpoolError("the spool is closed"))
        return job.future

    def _run(self) -> None:
        open_ = True
        while open_:
            jobs: list[_Job] = []
            first = self._jobs.get()
            open_ = first is not None
            if first is not None:
                jobs.append(first)
                open_ = self._take_waiting(jobs)
            if jobs:
                self._commit(jobs)
        self._db.close()

    def _take_waiting(self, jobs: list[_Job]) -> bool:
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

    def _commit(self, jobs: list[_Job]) -> None:
        """Commit jobs together; if that fails, those that can be committed without the others."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:  # another process holds it: each would wait as long
            for job in jobs:
                job.future.set_exception(_translated(error))
            return
        try:
            results = _done(self._db, jobs)
            self._db.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - what a job raises is its caller's to handle
            self._roll_back()
            if len(jobs) == 1:
                jobs[0].future.set_exception(_translated(error))
                return
            half = len(jobs) // 2
            self._commit(jobs[:half])
            self._commit(jobs[half:])
            return
        for job, result in zip(jobs, results, strict=True):
            job.future.set_result(result)

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite may have rolled back by itself
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")


def _done(db: sqlite3.Connection, jobs: list[_Job]) -> list[Any]:
    """Do jobs and return their results."""
    found: list[list[Any]] = [[None] * len(job.deeds) for job in jobs]
    for deed, places in _grouped(jobs):
        values = [jobs[number].deeds[place][1] for number, place in places]
        for (number, place), result in zip(places, deed(db, values), strict=True):
            found[number][place] = result
    return [job.result(results) for job, results in zip(jobs, found, strict=True)]


def _grouped(jobs: list[_Job]) -> Iterator[tuple[Deed, list[tuple[int, int]]]]:
    """Yield each deed with the places (job, deed) of its values, alone ones in their order."""
    groups: dict[Deed, list[tuple[int, int]]] = {}
    for number, job in enumerate(jobs):
        if job.alone:
            yield from groups.items()
            groups = {}
            yield job.deeds[0][0], [(number, 0)]
            continue
        for place, (deed, _) in enumerate(job.deeds):
            groups.setdefault(deed, []).append((number, place))
    yield from groups.items()


def _call(
    db: sqlite3.Connection, calls: Iterable[Callable[[sqlite3.Connection], Any]]
) -> list[Any]:
    return [call(db) for call in calls]


def _translated(error: Exception) -> Exception:
    """Return the spool's own error for one of SQLite's; another is a defect and stays itself."""
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        return SpoolFull(f"the spool cannot write: {error}")
    return SpoolError(f"the spool refused: {error}")
