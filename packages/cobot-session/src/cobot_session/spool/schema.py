"""The tables of an SQLite spool: making, migrating, checking, setting a broken file aside."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Literal

from cobot_session.errors import SpoolError, SpoolTooNew
from cobot_session.spool import bulk

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("cobot_session.spool")

WAITING, IN_HAND, SETTLED, DEAD = range(4)
"""States of an inbox row; an outbox row is WAITING, SETTLED or DEAD."""

MIGRATIONS = (
    """
    CREATE TABLE inbox (
        seq INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        key TEXT NOT NULL,
        chat TEXT NOT NULL,
        body TEXT NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,
        deliveries INTEGER NOT NULL DEFAULT 0,
        not_before REAL NOT NULL DEFAULT 0,
        at REAL NOT NULL,
        reason TEXT,
        reopened INTEGER NOT NULL DEFAULT 0,
        UNIQUE (channel, key)
    );
    CREATE INDEX inbox_open ON inbox (seq) WHERE state IN (0, 1);
    CREATE INDEX inbox_dead ON inbox (seq) WHERE state = 3;
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        channel TEXT NOT NULL,
        chat TEXT NOT NULL,
        op TEXT NOT NULL,
        target TEXT,
        body TEXT NOT NULL,
        parts TEXT,
        done INTEGER NOT NULL DEFAULT 0,
        ids TEXT NOT NULL DEFAULT '[]',
        attempts INTEGER NOT NULL DEFAULT 0,
        in_flight INTEGER NOT NULL DEFAULT 0,
        not_before REAL NOT NULL DEFAULT 0,
        whole_channel INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        detail TEXT,
        state INTEGER NOT NULL DEFAULT 0,
        status TEXT NOT NULL DEFAULT 'queued',
        at REAL NOT NULL,
        created REAL NOT NULL,
        reason TEXT,
        reopened INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX outbox_open ON outbox (seq) WHERE state = 0;
    CREATE INDEX outbox_dead ON outbox (seq) WHERE state = 3;
    CREATE TABLE state (
        channel TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (channel, name)
    ) WITHOUT ROWID;
    CREATE TABLE posted (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL
    );
    CREATE TABLE published (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        body TEXT NOT NULL,
        at REAL NOT NULL
    );
    """,
    """
    CREATE TABLE heard (
        seq INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        chat TEXT NOT NULL,
        UNIQUE (channel, chat)
    );
    INSERT OR IGNORE INTO heard (channel, chat) SELECT channel, chat FROM inbox ORDER BY seq;
    CREATE TABLE paired (
        channel TEXT NOT NULL,
        user TEXT NOT NULL,
        chat TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (channel, user)
    ) WITHOUT ROWID;
    CREATE TABLE asked (
        channel TEXT NOT NULL,
        user TEXT NOT NULL,
        chat TEXT NOT NULL,
        salt BLOB NOT NULL,
        digest BLOB NOT NULL,
        at REAL NOT NULL,
        until REAL NOT NULL,
        first REAL NOT NULL,
        codes INTEGER NOT NULL,
        refused INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (channel, user)
    ) WITHOUT ROWID;
    CREATE TABLE dropped (
        channel TEXT PRIMARY KEY,
        body TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
)
"""One script for each schema version; a file is brought up to date by running what it lacks."""

_BUSY_SECONDS = 10.0


def connect(path: Path | Literal[":memory:"]) -> sqlite3.Connection:
    """Open, check and migrate a spool.

    Raises:
        SpoolTooNew: a newer version wrote it.
        SpoolError: the file cannot be opened.
    """
    try:
        try:
            return _prepared(path)
        except sqlite3.DatabaseError as error:
            if path == ":memory:" or not _is_corruption(error):
                raise
            _set_aside(path, error)
            return _prepared(path)
    except (sqlite3.Error, OSError) as error:
        raise SpoolError(f"the spool {path} cannot be opened: {error}") from error


def _prepared(path: Path | Literal[":memory:"]) -> sqlite3.Connection:
    if path != ":memory:":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    db = sqlite3.connect(
        path,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=bulk.STATEMENTS,
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # what is to last longer is synced by the writer
        db.execute("PRAGMA fullfsync = TRUE")  # where fsync alone is no promise
        _check(db)
        _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection) -> None:
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        error = sqlite3.DatabaseError(verdict)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _migrate(db: sqlite3.Connection, path: Path | str) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise SpoolTooNew(
            f"the spool {path} has schema version {version}, this cobot-session knows up to"
            f" {len(MIGRATIONS)}. Upgrade cobot-session, or give it another"
            " `workspace: {path: ...}`"
        )
    if scripts := "".join(MIGRATIONS[version:]):  # at once: nobody who looks sees half of it
        end = f"PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;"
        db.executescript(f"BEGIN IMMEDIATE; {scripts} {end}")


def _is_corruption(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _set_aside(path: Path, error: sqlite3.DatabaseError) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{stamp}-{os.getpid()}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    log.critical(
        "the spool %s is corrupt (%s). It was set aside as %s and a new one begun: what was waiting"
        " in it is NOT being delivered. Recover it with `sqlite3 %s .recover`.",
        path,
        error,
        aside,
        aside,
    )
