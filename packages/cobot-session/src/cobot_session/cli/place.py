"""A session seen from beside: its workspace, who runs it, and what it said last."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cobot_session.cli.output import ago
from cobot_session.config import load_config
from cobot_session.engine import LOCK_FILE, SPOOL_FILE
from cobot_session.errors import ConfigError
from cobot_session.spool import SqliteSpool
from cobot_session.spool.beside import Beside, SpoolTooOld
from cobot_session.spool.lock import ProcessLock, running_pid

if TYPE_CHECKING:
    from pathlib import Path

    from cobot_session.config import Config
    from cobot_session.errors import Problem
    from cobot_session.spool.beside import Published
    from cobot_session.spool.counting import Counts
    from cobot_session.status import ChannelState, Status

STALE_SECONDS = 20.0
"""A session tells its status every ten seconds; one that is silent for longer is in trouble."""

_LASTING: frozenset[ChannelState] = frozenset({"failed", "unconfigured"})
"""States that are still true when the session has ended."""


def config_beside(path: Path | None) -> Config:
    """Return the configuration for a look at what it is about.

    Mistakes in it, such as a variable that only the session's own environment has, do not matter
    here, unless they concern the workspace: what is at the usual one may be of another session.

    Raises:
        ConfigError: the file cannot be read, or does not tell where the workspace is.
    """
    config = load_config(path, defer=True)
    wrong = [one for one in config.problems if _hides_workspace(one, config)]
    if wrong:
        raise ConfigError(wrong)
    return config


def _hides_workspace(problem: Problem, config: Config) -> bool:
    """Tell whether a mistake may keep the workspace that is meant from being known."""
    if ("plugins",) not in config.places.spots:
        return True
    return problem.field == "plugins" or f"{problem.field}.".startswith("plugins.workspace.")


def _said_by(pid: int, told: Published | None, lock: Path) -> bool:
    """Tell whether it is the session that runs which has said something."""
    if told is None:
        return False
    if pid and told.pid is not None:
        return told.pid == pid
    return told.at >= lock.stat().st_mtime


def _bring_up_to_date(folder: Path) -> None:
    """Do for a spool of an older version, which nobody runs, what the next session would."""
    lock = ProcessLock(folder / LOCK_FILE)
    try:
        SqliteSpool(folder / SPOOL_FILE).close()
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class Place:
    """What there is to see of a session on its workspace, at one moment.

    Attributes:
        folder: the workspace.
        beside: its spool.
        pid: the process that runs a session there; 0: it cannot be told; `None`: none does.
        told_at: epoch seconds when a session last told its status; `None`: never.
        starting: the session that runs has told nothing yet.
        statuses: what was told.
        counts: what lies in the spool, which is true whoever runs.
    """

    folder: Path
    beside: Beside
    pid: int | None
    told_at: float | None
    starting: bool
    statuses: dict[str, Status]
    counts: dict[str, Counts]

    @classmethod
    def of(cls, config: Config) -> Place:
        """Look at the workspace of a configuration.

        Raises:
            SpoolError: the spool cannot be read.
        """
        folder = config.workspace.folder
        beside = Beside(folder / SPOOL_FILE)
        lock = folder / LOCK_FILE
        pid = running_pid(lock)
        try:
            told = beside.published()
        except SpoolTooOld:
            if pid is not None:
                raise
            _bring_up_to_date(folder)
            told = beside.published()
        told_at = told.at if told else None
        starting = pid is not None and not _said_by(pid, told, lock)
        statuses = told.statuses if told else {}
        return cls(folder, beside, pid, told_at, starting, statuses, beside.counts())

    @property
    def is_fresh(self) -> bool:
        """Whether what was told is what is true now."""
        if self.pid is None or self.starting or self.told_at is None:
            return False
        return abs(time.time() - self.told_at) < STALE_SECONDS  # a clock can be set back

    def state(self, plugin: str) -> ChannelState | None:
        """Return what is true of a plugin now, as far as can be told."""
        status = self.statuses.get(plugin)
        if status is None:
            return None
        if self.pid is None and status.state not in _LASTING:
            return "stopped"
        return status.state

    def words(self) -> str:
        """Return in a sentence who runs the session and how far what is shown can be trusted."""
        who = f"process {self.pid}" if self.pid else "a process that cannot be named"
        if self.pid is None:
            if self.told_at is None:
                return f"No session has run on {self.folder}."
            return f"No session runs on {self.folder}; the last one was alive {ago(self.told_at)}."
        if self.starting and not self.beside.path.exists():
            return (
                f"A session runs on {self.folder} ({who}), and {SPOOL_FILE} is not there: it has"
                " just started, or the file was deleted, and then it stores nothing. Stop it, then"
                " put the file back or start anew."
            )
        if self.starting:
            return f"A session has just started on {self.folder} ({who}); it has told nothing yet."
        if not self.is_fresh:
            since = ago(self.told_at or 0.0)
            return (
                f"The session on {self.folder} ({who}) told its status last {since}: what is shown"
                " may not be true any more. It hangs, or its disk is full."
            )
        return f"A session runs on {self.folder} ({who})."
