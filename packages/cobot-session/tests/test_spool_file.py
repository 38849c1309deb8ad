"""The spool's file and lock: who may open it, what survives, what a broken or full one does."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import pytest

from cobot_session.errors import SpoolBusy, SpoolError, SpoolTooNew
from cobot_session.messages import OutgoingMessage
from cobot_session.spool import Item, SqliteSpool, schema
from cobot_session.spool.lock import ProcessLock, running_pid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOUND = 40.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.db"


def enqueue(spool: SqliteSpool, id_: str) -> None:
    spool.enqueue(Item("send", OutgoingMessage("fake", "chat", "text", id=id_), 0.0)).result(BOUND)


def ids(spool: SqliteSpool) -> list[str]:
    return [item.id for item in spool.load().result(BOUND).items]


@contextlib.contextmanager
def child(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run Python code in a process of its own; killed when left."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# -- the file


def test_only_the_owner_can_read_it(path: Path) -> None:
    """The file and what SQLite puts beside it are 0600, whatever the umask and the file were."""
    path.touch(0o644)
    path.chmod(0o644)
    before = os.umask(0)
    try:
        with closing(SqliteSpool(path)) as spool:
            enqueue(spool, "a")
            files = sorted(path.parent.iterdir())
            assert [one.name for one in files] == ["session.db", "session.db-shm", "session.db-wal"]
            assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
    finally:
        os.umask(before)


def test_unused_file_is_migrated(path: Path) -> None:
    """An empty file, as a first start that was killed leaves it, becomes a spool."""
    path.touch()
    with closing(SqliteSpool(path)) as spool:
        enqueue(spool, "a")
        assert ids(spool) == ["a"]


def test_older_schema_is_migrated_with_what_it_holds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of version 1 gets what later versions add, and keeps its messages."""
    with closing(SqliteSpool(path)) as spool:
        enqueue(spool, "a")
    later = "ALTER TABLE outbox ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue';"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, later))
    with closing(SqliteSpool(path)) as spool:
        assert ids(spool) == ["a"]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
        assert db.execute("SELECT colour FROM outbox").fetchone() == ("blue",)


def test_who_looks_sees_no_half_made_spool(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file gets its tables at once: half of them would look like an older version's."""
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "no SQL;"))
    with pytest.raises(SpoolError):
        SqliteSpool(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (0,)
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration happens whole or not at all, so that the older version still runs."""
    with closing(SqliteSpool(path)) as spool:
        enqueue(spool, "a")
    broken = "ALTER TABLE outbox ADD COLUMN colour TEXT; INSERT INTO nothing VALUES (1);"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        with pytest.raises(SpoolError, match="nothing"):
            SqliteSpool(path)
    with closing(SqliteSpool(path)) as spool:
        assert ids(spool) == ["a"]


def test_newer_schema_is_refused(path: Path) -> None:
    """The error names the file, both versions and the remedy, and nothing is changed."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(SpoolTooNew, match=r"session\.db has schema version 99.*Upgrade"):
        SqliteSpool(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)


def _scribble_over_the_header(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 1000)


def _scribble_over_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 3] = b"\xa5" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize("break_it", [_scribble_over_the_header, _scribble_over_a_page])
def test_corrupt_file_is_set_aside(
    path: Path, break_it: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken file is kept under a new name, told loudly, and a new one is begun."""
    with closing(SqliteSpool(path)) as spool:
        for n in range(200):
            enqueue(spool, f"lost {n}")
    break_it(path)  # type: ignore[operator]
    broken = path.read_bytes()
    with closing(SqliteSpool(path)) as spool:
        assert ids(spool) == []
        enqueue(spool, "new")
    (aside,) = path.parent.glob("session.db.corrupt-*")
    assert aside.read_bytes() == broken
    (record,) = [one for one in caplog.records if one.levelname == "CRITICAL"]
    assert str(aside) in record.getMessage()
    with closing(SqliteSpool(path)) as spool:
        assert ids(spool) == ["new"]


def test_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """A path that is no file is an error of the spool's that names it."""
    with pytest.raises(SpoolError, match=rf"the spool {tmp_path} cannot be opened"):
        SqliteSpool(tmp_path)
    with pytest.raises(SpoolError, match="cannot be opened"):
        SqliteSpool(tmp_path / "absent" / "session.db")


# -- a full disk

FILL = """
    import resource, sys
    from pathlib import Path
    from cobot_session.errors import SpoolFull
    from cobot_session.messages import OutgoingMessage
    from cobot_session.spool import Item, SqliteSpool

    def item(n):
        return Item("send", OutgoingMessage("fake", "chat", "x" * 1000, id=f"o{n}"), 0.0)

    spool = SqliteSpool(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    futures = [spool.enqueue(item(n)) for n in range(1000)]
    refused = [n for n, future in enumerate(futures) if future.exception(30) is not None]
    assert refused and all(isinstance(futures[n].exception(), SpoolFull) for n in refused)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for n in refused:
        assert spool.enqueue(item(n)).result(30) is None
    print(len(refused), flush=True)
    if sys.argv[2] == "die":
        import os
        os.kill(os.getpid(), 9)
    spool.close()
"""


@pytest.mark.parametrize("end", ["close", "die"])
def test_full_disk_refuses_and_keeps_what_it_took(path: Path, end: str) -> None:
    """What does not fit fails as `SpoolFull` and leaves no trace; with room it goes on."""
    with child(FILL, path, end) as process:
        assert int(line(process)) > 100
        process.wait(BOUND)
    with closing(SqliteSpool(path)) as spool:
        found = ids(spool)
    assert sorted(found) == sorted({f"o{n}" for n in range(1000)})


# -- one process at a time

HOLD = """
    import sys
    from pathlib import Path
    from cobot_session.spool.lock import ProcessLock

    lock = ProcessLock(Path(sys.argv[1]))
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_second_process_is_refused_by_the_pid_of_the_first(tmp_path: Path) -> None:
    """The error carries the process id and says what to do; the lock ends with its holder."""
    lock = tmp_path / "session.lock"
    assert running_pid(lock) is None
    with child(HOLD, lock) as holder:
        assert line(holder) == "held"
        with pytest.raises(SpoolBusy, match=rf"process {holder.pid}\).*workspace") as refusal:
            ProcessLock(lock)
        assert refusal.value.pid == holder.pid
        assert running_pid(lock) == holder.pid
        holder.communicate("\n", timeout=BOUND)
    assert running_pid(lock) is None
    ProcessLock(lock).release()


def test_lock_dies_with_its_process(tmp_path: Path) -> None:
    """A process that is killed holds nothing back."""
    lock = tmp_path / "session.lock"
    with child(HOLD, lock) as holder:
        assert line(holder) == "held"
        holder.send_signal(signal.SIGKILL)
        holder.wait(BOUND)
        mine = ProcessLock(lock)
        assert running_pid(lock) == os.getpid()
        mine.release()


FORK = r"""
    import os, signal, sys
    from pathlib import Path
    from cobot_session.spool.lock import ProcessLock

    lock = ProcessLock(Path(sys.argv[1]))
    child = os.fork()
    if not child:
        os.write(1, b"alive\n")
        signal.pause()
    os.write(1, b"%d\n" % child)
    signal.pause()
"""


def test_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A worker that an agent forked, and that outlives it, does not hold up the next session."""
    lock = tmp_path / "session.lock"
    with child(FORK, lock) as holder:
        lines = {line(holder), line(holder)}
        (worker,) = map(int, lines - {"alive"})
        try:
            assert running_pid(lock) == holder.pid
            holder.send_signal(signal.SIGKILL)
            holder.wait(BOUND)
            ProcessLock(lock).release()
        finally:
            os.kill(worker, signal.SIGKILL)


def test_released_lock_is_free(tmp_path: Path) -> None:
    """Letting go twice does nothing; a second session in one process is refused like any other."""
    lock = tmp_path / "session.lock"
    first = ProcessLock(lock)
    with pytest.raises(SpoolBusy, match=str(os.getpid())):
        ProcessLock(lock)
    first.release()
    first.release()
    ProcessLock(lock).release()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_lock_that_cannot_be_opened_is_told_with_what_to_do(tmp_path: Path) -> None:
    """What another user left is no bare `OSError`: it says whose the folder has to be."""
    lock = tmp_path / "session.lock"
    lock.symlink_to(lock)  # to itself: nobody can open it, root neither
    for look in (ProcessLock, running_pid):
        with pytest.raises(SpoolError, match=r"session\.lock cannot be opened: .* own .*all in it"):
            look(lock)


@pytest.mark.parametrize("durability", ["full", "normal"])
@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_gone_takes_nothing_in(
    path: Path, durability: Literal["full", "normal"], suffix: str, replaced: bool
) -> None:
    """What SQLite would write into a deleted file is refused, so that no platform is told of it."""
    with closing(SqliteSpool(path, durability=durability)) as spool:
        enqueue(spool, "before")
        gone, elsewhere = path.with_name(path.name + suffix), path.with_name("elsewhere")
        gone.rename(elsewhere)
        if replaced:
            gone.touch()
        with pytest.raises(SpoolError, match="was deleted or replaced while the session runs"):
            enqueue(spool, "meanwhile")
        elsewhere.replace(gone)
        enqueue(spool, "after")
    with closing(SqliteSpool(path)) as later:
        assert ids(later) == ["before", "after"]


def test_a_lock_whose_file_is_deleted_is_taken_again(path: Path) -> None:
    """Who looks meanwhile sees who runs, and a second session is refused as before."""
    lock = path.with_name("session.lock")
    mine = ProcessLock(lock)
    lock.unlink()
    mine.keep()
    assert running_pid(lock) == os.getpid()
    with pytest.raises(SpoolBusy):
        ProcessLock(lock)
    mine.release()
    assert running_pid(lock) is None


def test_a_lock_that_is_lost_is_told_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where another has taken its place, or there is no place left, the log says so."""
    lock = path.with_name("session.lock")
    mine = ProcessLock(lock)
    lock.unlink()
    other = ProcessLock(lock)
    for _ in range(5):
        mine.keep()
    assert caplog.text.count("the lock of this session is lost: another session") == 1
    other.release()
    mine.keep()
    assert running_pid(lock) == os.getpid()
    mine.release()
