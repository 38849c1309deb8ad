"""Many rows in few statements.

`sqlite3` lets go of the interpreter for each statement that it runs, and while other threads are
busy it waits up to the switch interval, 5 ms, to get it back. Row by row, that is what a
transaction takes; the rows themselves take microseconds.
"""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NEW = re.compile(r"new\.column(\d+)")
_MOST_ROWS = 64
"""Rows of one statement: with fifteen values each they stay below what any SQLite takes."""

STATEMENTS = 512
"""How many compiled statements a connection should keep: one for each deed and number of rows."""

_HAS_UPDATE_FROM = sqlite3.sqlite_version_info >= (3, 33)


def insert(db: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run `INSERT INTO {into} VALUES …`, and leave out what is there already.

    Returns:
        How many rows were new.
    """
    new = 0
    for some in _parts(rows):
        values = f"VALUES {_marks(len(some), len(some[0]))}"
        sql = f"INSERT INTO {into} {values} ON CONFLICT DO NOTHING"
        new += db.execute(sql, _flat(some)).rowcount
    return new


def update(
    db: sqlite3.Connection, table: str, change: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Run `UPDATE {table} SET {change}` for each row.

    Args:
        db: the connection.
        table: has a column `seq`.
        change: names a row's values `new.column1` and so on.
        rows: values, the last of which is the `seq`.
    """
    if not _HAS_UPDATE_FROM:
        named = [int(number) - 1 for number in _NEW.findall(change)]
        plain = _NEW.sub("?", change)
        values = [(*(row[at] for at in named), row[-1]) for row in rows]
        db.executemany(f"UPDATE {table} SET {plain} WHERE seq = ?", values)  # nosec B608 # of literals
        return
    for some in _parts(rows):
        width = len(some[0])
        db.execute(
            f"UPDATE {table} SET {change} FROM (VALUES {_marks(len(some), width)}) AS new"  # nosec B608 # of literals
            f" WHERE seq = new.column{width}",
            _flat(some),
        )


def run_in(
    db: sqlite3.Connection, sql: str, before: Sequence[Any], values: Sequence[Any]
) -> list[Any]:
    """Run `{sql} (…)`, which ends with `IN`, and return what it finds.

    Args:
        db: the connection.
        sql: up to the list.
        before: parameters of `sql`.
        values: the list.
    """
    found: list[Any] = []
    for some in _parts(values):
        found += db.execute(f"{sql} {_marks(1, len(some))}", (*before, *some)).fetchall()
    return found


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), _MOST_ROWS):
        yield rows[start : start + _MOST_ROWS]


@lru_cache(STATEMENTS)
def _marks(rows: int, width: int) -> str:
    row = f"({','.join('?' * width)})"
    return ",".join([row] * rows)


def _flat(rows: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(chain.from_iterable(rows))
