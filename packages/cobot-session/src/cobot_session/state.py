"""A plugin's durable state: what a receive call sets commits with the batch it returns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, MutableMapping
from contextvars import ContextVar
from typing import Any

from cobot_session.spool.codec import dumps, loads


class Stage:
    """The changes of one `session_receive` call, until they are committed or dropped.

    Attributes:
        changes: name -> value; `None` takes it out.
        open: the call goes on.
        dropped: the call raised or was cancelled, and what it still changes goes nowhere: a `def`
            hook cannot be stopped, and its thread may come to the cursor of a batch nobody stored.
    """

    __slots__ = ("changes", "dropped", "open")

    def __init__(self) -> None:
        self.changes: dict[str, Any] = {}
        self.open = True
        self.dropped = False


_stage: ContextVar[Stage | None] = ContextVar("cobot_session_stage", default=None)


class PluginState(MutableMapping[str, Any]):
    """A mapping of JSON values that survives a restart.

    Inside `session_receive` a change is staged: seen by that call, committed with its batch,
    dropped when the call raises. Anywhere else it is written on its own, at once. `None` cannot
    be told from a name that is not there.

    Args:
        values: what is stored; kept up to date, for the object that comes after this one.
        write: stores changes that belong to no batch; false: they are not to be stored.
    """

    def __init__(self, values: dict[str, Any], write: Callable[[dict[str, Any]], bool]) -> None:
        self._values = values
        self._write = write

    @contextlib.contextmanager
    def staged(self) -> Iterator[Stage]:
        """Stage what this context, and what it calls, changes; closed when left."""
        stage = Stage()
        token = _stage.set(stage)
        try:
            yield stage
        except BaseException:
            stage.dropped = True
            raise
        finally:
            stage.open = False
            _stage.reset(token)

    def commit(self, changes: dict[str, Any]) -> None:
        """Take over changes that have been stored."""
        for name, value in changes.items():
            if value is None:
                self._values.pop(name, None)
            else:
                self._values[name] = value

    def __getitem__(self, name: str) -> Any:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return a copy of a value: changing it in place would change nothing stored."""
        stage = _open_stage()
        if stage is not None and name in stage.changes:
            value = stage.changes[name]
        else:
            value = self._values.get(name)
        return default if value is None else loads(dumps(value))

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a state name is a str, not {type(name).__name__}")
        self._change(name, loads(dumps(value)))

    def __delitem__(self, name: str) -> None:
        self[name]  # raises KeyError when there is none
        self._change(name, None)

    def __iter__(self) -> Iterator[str]:
        stage = _open_stage()
        merged = self._values | (stage.changes if stage is not None else {})
        return iter([name for name, value in merged.items() if value is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _change(self, name: str, value: Any) -> None:
        stage = _stage.get()
        if stage is not None and (stage.open or stage.dropped):
            stage.changes[name] = value
        elif self._write({name: value}):
            self.commit({name: value})


def _open_stage() -> Stage | None:
    stage = _stage.get()
    return stage if stage is not None and stage.open else None
