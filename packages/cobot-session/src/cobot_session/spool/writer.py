"""One thread that owns the database and commits all that is waiting in one transaction."""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import sqlite3
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from cobot_session.errors import SpoolError, SpoolFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cobot_session.spool.disk import Disk

log = logging.getLogger("cobot_session.spool")

T = TypeVar("T")
Deed: TypeAlias = "Callable[[sqlite3.Connection, list[Any]], Sequence[Any]]"
"""Does something with many values at once, and returns a result for each."""

_MOST_AT_ONCE = 512
"""Jobs of one transaction: bounds what a failing one makes the others repeat."""
_SOON_SECONDS = 0.002
_REST_SECONDS = 0.001
"""How long nobody has to ask for anything until those are told who do not wait for it."""


class Lasts(Enum):
    """When what a job did has to outlast a power cut.

    A job is `SOON` where another one is likely to follow from it at once: the disk is waited for
    only then, and for both.
    """

    NEVER = auto()
    SOON = auto()
    NOW = auto()


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
        written: told the result once it outlasts the process.
        lasts: what the future waits for, unless it is `NEVER`.
    """

    deeds: Sequence[tuple[Deed, Any]]
    result: Callable[[list[Any]], Any]
    alone: bool = False
    written: Callable[[Any], object] | None = None
    lasts: Lasts = Lasts.NOW
    future: Future[Any] = field(default_factory=_Promise)


class Writer:
    """Runs jobs against one connection, many to a transaction.

    The same deed of several jobs is done once, with all their values in the order of the jobs. It
    may be done again when the transaction fails, so it depends on nothing but its values and the
    database.

    Waiting for the disk takes longer than the rest, so it is done once for all that was committed
    since, as soon as one of it has to last.

    Args:
        connection: commits to a log without waiting for the disk.
        disk: where that log is.
        name: of the thread.
    """

    def __init__(self, connection: sqlite3.Connection, disk: Disk, name: str) -> None:
        self._db = connection
        self._disk = disk
        self._synced = 0
        """`total_changes` of the connection that are on the disk."""
        self._unsynced: list[tuple[_Job, Any]] = []
        """What has been committed, and its result."""
        self._sync_at = math.inf
        """Monotonic time at which that has to be synced."""
        self._patient: list[tuple[_Job, Any]] = []
        """What lasts, and is told once nothing else is to be done."""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(
        self,
        *deeds: tuple[Deed, Any],
        result: Callable[[list[Any]], Any] = itemgetter(0),
        written: Callable[[Any], object] | None = None,
        lasts: Lasts = Lasts.NOW,
    ) -> Future[Any]:
        """Do deeds in one transaction.

        Args:
            deeds: each with a value.
            result: makes the future's result of the deeds' results.
            written: told the result, in the writer's thread, once it outlasts the process; more
                than once if making it last fails and the caller submits it again.
            lasts: when the future is resolved.
        """
        return self._put(_Job(deeds, result, written=written, lasts=lasts))

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
            try:
                open_ = self._take_waiting(jobs)
            except queue.Empty:
                if self._sync_at <= time.monotonic():
                    self._sync()
                else:
                    self._tell_patient()
                continue
            if jobs:
                self._commit(jobs)
            if self._sync_at <= time.monotonic():
                self._sync()
        self._sync()
        self._tell_patient()
        self._disk.close()
        self._db.close()

    def _take_waiting(self, jobs: list[_Job]) -> bool:
        """Add what is waiting, at least one job; false when the end has been asked for.

        Raises:
            queue.Empty: nothing is waiting, and it is time to sync, or to tell the patient.
        """
        patience = max(0.0, self._sync_at - time.monotonic())
        if self._patient:
            patience = min(patience, _REST_SECONDS)
        job = self._jobs.get(timeout=None if patience == math.inf else patience)
        while job is not None:
            jobs.append(job)
            if len(jobs) == _MOST_AT_ONCE:
                return True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return True
        return False

    def _commit(self, jobs: list[_Job]) -> None:
        """Commit jobs together; if that fails, those that can be committed without the others."""
        try:
            self._disk.check()
            self._db.execute("BEGIN IMMEDIATE")
        except (sqlite3.Error, SpoolError) as error:  # each would wait as long, or fail alike
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
            self._tell(job, result)

    def _tell(self, job: _Job, result: Any) -> None:
        """Tell of what is committed."""
        if job.written is not None:
            try:
                job.written(result)
            except Exception:
                log.exception("a defect in what is told of a commit")
        if job.lasts is Lasts.NEVER:
            job.future.set_result(result)
            return
        self._unsynced.append((job, result))
        due = 0.0 if job.lasts is Lasts.NOW else time.monotonic() + _SOON_SECONDS
        self._sync_at = min(self._sync_at, due)

    def _sync(self) -> None:
        """Resolve what has been committed, once it lasts."""
        unsynced, self._unsynced = self._unsynced, []
        self._sync_at = math.inf
        try:
            if unsynced and (changes := self._db.total_changes) != self._synced:
                self._disk.sync()
                self._synced = changes
        except Exception as error:  # noqa: BLE001 - a thread that ended here would leave all waiting
            for job, _ in unsynced:
                job.future.set_exception(SpoolFull(f"the spool cannot be synced: {error}"))
            return
        for job, result in unsynced:
            if job.lasts is Lasts.NOW:
                job.future.set_result(result)
            else:
                self._patient.append((job, result))
        if not self._jobs.empty():  # busy: whoever is freed now can do more at once
            self._tell_patient()

    def _tell_patient(self) -> None:
        """Resolve what lasts and what nobody waits for with something else to do.

        What goes on then would take the processor from those who were told before.
        """
        patient, self._patient = self._patient, []
        for job, result in patient:
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
