"""A spool file looked at, and changed, from beside the session that runs it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from cobot_session.errors import SpoolError, SpoolTooNew
from cobot_session.messages import Receipt
from cobot_session.spool import access, counting, dead, rows
from cobot_session.spool.access import Book, Paired
from cobot_session.spool.codec import dump_outgoing, loads
from cobot_session.spool.schema import MIGRATIONS, connect
from cobot_session.status import Status
from cobot_session.workspace import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cobot_session.messages import OutgoingMessage
    from cobot_session.spool.access import Request
    from cobot_session.spool.counting import Counts
    from cobot_session.spool.dead import DeadMessage
    from cobot_session.spool.records import DeadLetter

T = TypeVar("T")

_BUSY_SECONDS = 10.0
_STATUS_FIELDS = frozenset(field.name for field in fields(Status))


@dataclass(frozen=True, slots=True)
class Published:
    """What a session said of its plugins.

    Attributes:
        at: epoch seconds when it said so.
        pid: the session's process; `None`: of a version that did not say.
        statuses: plugin -> its status.
    """

    at: float
    pid: int | None
    statuses: dict[str, Status]


class SpoolTooOld(SpoolError):
    """The spool was written by an older version; whoever runs it next brings it up to date."""


class Beside:
    """Looks into a spool, and leaves wishes in it; a session may run it meanwhile.

    Each verb opens the file for itself and holds it no longer than it takes. A file that is not
    there is an empty spool, and is not made.

    Args:
        path: the file.

    Raises:
        SpoolTooNew: a newer version wrote it.
        SpoolTooOld: an older one did.
        SpoolError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def published(self) -> Published | None:
        """Return what the session said last, `None` when none has said anything."""
        return self._read(_published, None)

    def counts(self) -> dict[str, Counts]:
        """Return what lies in the file, by channel."""
        return self._read(counting.counts, {})

    def dead_letters(self) -> list[DeadLetter]:
        """Return all dead letters, oldest first."""
        return self._read(dead.letters, [])

    def dead_message(self, dead_id: str) -> DeadMessage | None:
        """Return everything about one dead letter, `None` when there is none of that id."""
        return self._read(lambda db: dead.message(db, dead_id), None)

    def post(self, message: OutgoingMessage) -> None:
        """Leave a message, which has an id, for the session that runs the spool.

        It puts it into the outbox within a second.

        Raises:
            SpoolError: there is no spool.
        """
        row = (message.id, dump_outgoing(message))
        if not self._change(lambda db: _post(db, row), False):
            raise SpoolError(f"there is no spool {self.path}")

    def receipt(self, message_id: str) -> Receipt | None:
        """Return what is true of a message now, `None` when the spool does not know it."""
        return self._read(lambda db: _receipt(db, message_id), None)

    def replay(self, dead_id: str) -> bool:
        """Open a dead letter again; false when there is none of that id.

        A session that runs the spool takes it up within a second, else the next one does.
        """
        return self._change(lambda db: dead.replay(db, dead_id), False)

    def drop(self, dead_id: str) -> bool:
        """Forget a dead letter; false when there is none of that id."""
        return self._change(lambda db: dead.drop(db, dead_id), False)

    def drops(self) -> dict[str, list[dict[str, Any]]]:
        """Return whom each channel has refused last."""
        return self._read(access.drops, {})

    def book(self) -> Book:
        """Return who is paired, and who has asked to be."""
        return self._read(access.book, Book())

    def approve(self, is_it: Callable[[Request], bool]) -> Paired | None:
        """Let in the one who asks with this code; `None` when it is nobody's.

        A session that runs the spool lets them in within a second.
        """
        return self._change(lambda db: access.approve(db, is_it), None)

    def refuse(self, is_it: Callable[[Request], bool]) -> Request | None:
        """Refuse one who asks; `None` when nobody is meant."""
        return self._change(lambda db: access.refuse(db, is_it), None)

    def revoke(self, channel: str, user: str) -> bool:
        """Let a paired person in no longer; false when they were not."""
        return self._change(lambda db: access.revoke(db, channel, user), False)

    def pair(self, channel: str, user: str) -> None:
        """Let a person in by their id; a spool that is not there is made.

        Raises:
            ConfigError: its folder cannot be used.
        """
        if not self.path.exists():
            private_folder(self.path.parent)
            connect(self.path).close()
        paired = Paired(channel, user, "", time.time())
        self._change(lambda db: access.add(db, paired), None)

    def check(self) -> None:
        """Read the whole file.

        Raises:
            SpoolError: it is damaged.
        """
        verdict = self._read(lambda db: db.execute("PRAGMA quick_check(1)").fetchone()[0], "ok")
        if verdict != "ok":
            raise SpoolError(f"the spool {self.path} is damaged: {verdict}")

    def _read(self, look: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        if not self.path.exists():
            return otherwise
        with self._open("ro") as db:
            return look(db) if _is_made(db) else otherwise

    def _change(self, change: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        if not self.path.exists():
            return otherwise
        with self._open("rw") as db:
            if not _is_made(db):
                return otherwise
            db.execute("BEGIN IMMEDIATE")
            try:
                changed = change(db)
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        return changed

    @contextlib.contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
            )
            with contextlib.closing(db):
                _check_version(db, self.path)
                yield db
        except sqlite3.Error as error:
            raise SpoolError(f"the spool {self.path} cannot be used: {error}") from error


def _is_made(db: sqlite3.Connection) -> bool:
    """Tell whether there are tables: a session that has just begun has none yet."""
    return bool(_version(db))


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    version = _version(db)
    if version > len(MIGRATIONS):
        raise SpoolTooNew(
            f"the spool {path} has schema version {version}, this cobot-session knows up to"
            f" {len(MIGRATIONS)}. Upgrade cobot-session"
        )
    if 0 < version < len(MIGRATIONS):
        raise SpoolTooOld(
            f"the spool {path} is from an older cobot-session (schema version {version}, this one"
            f" has {len(MIGRATIONS)}). A session brings it up to date when it starts"
        )


def _post(db: sqlite3.Connection, row: tuple[str, str]) -> bool:
    return db.execute("INSERT INTO posted (id, body) VALUES (?, ?)", row).rowcount == 1


def _receipt(db: sqlite3.Connection, message_id: str) -> Receipt | None:
    if db.execute("SELECT 1 FROM posted WHERE id = ?", (message_id,)).fetchone():
        return Receipt(message_id, "queued")
    return rows.receipt(db, message_id)


def _published(db: sqlite3.Connection) -> Published | None:
    row = db.execute("SELECT body, at FROM published").fetchone()
    if row is None:
        return None
    said = loads(row[0])
    pid = said.get("pid")
    told = said["plugins"] if isinstance(pid, int) else said  # as it was before it said so
    return Published(
        row[1],
        pid if isinstance(pid, int) else None,
        {name: _status(one) for name, one in told.items()},
    )


def _status(told: dict[str, Any]) -> Status:
    """Return a status as it was told, maybe by another version."""
    known = {name: value for name, value in told.items() if name in _STATUS_FIELDS}
    return Status(**known | {"since": datetime.fromisoformat(told["since"])})
