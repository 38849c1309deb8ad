"""Where the conversation that `demo` shows takes place."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from typing import TYPE_CHECKING, TextIO

from cobot_session.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 15.0
"""How long anything that was promised may take to happen."""


class Lasting(io.TextIOBase):
    """Standard output that takes what is written, also when who read it has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a stream's own, not to be set
        """Encoding of the stream behind."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write, if anybody reads it."""
        with self._read_or_not():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        with self._read_or_not():
            self._stream.flush()

    def close(self) -> None:
        """Leave the stream behind alone: it is not ours, and may be closed before us."""

    @contextlib.contextmanager
    def _read_or_not(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            output.into_nothing(self._stream)


class Heard(Lasting):
    """Standard output that remembers what has been written to it since the last `forget`."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._text = ""
        self._changed = threading.Condition()

    def write(self, text: str) -> int:
        """Write, and remember."""
        with self._changed:
            self._text += text
            self._changed.notify_all()
            return super().write(text)

    def forget(self) -> None:
        """Remember nothing of what was written until now."""
        with self._changed:
            self._text = ""

    def wait_for(self, text: str) -> bool:
        """Wait until this has been written; false when that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: text in self._text, SECONDS)


class Stage:
    """Standard input and output of the demonstration.

    With a person they stay what they are. Without one, what is typed comes from a pipe, and what
    is shown is looked at.

    Attributes:
        person: somebody sits there.
        left: set when the person has left, or the script has come to its end.
    """

    def __init__(self, *, person: bool) -> None:
        self.person = person
        self.left = threading.Event()
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Stage:
        if not self.person:
            taken, given = os.pipe()
            self._keyboard = self._exits.enter_context(os.fdopen(given, "w", encoding="utf-8"))
            self._stdin = self._exits.enter_context(os.fdopen(taken, encoding="utf-8"))
            self._heard = Heard(sys.stdout)
            self._exits.callback(setattr, sys, "stdin", sys.stdin)
            self._exits.callback(setattr, sys, "stdout", sys.stdout)
            sys.stdin, sys.stdout = self._stdin, self._heard
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def types(self, line: str) -> None:
        """Let somebody type a line."""
        print(f"you> {line}", flush=True)
        self._heard.forget()
        self._keyboard.write(f"{line}\n")
        self._keyboard.flush()

    def shows(self, text: str) -> bool:
        """Wait until the console has shown a text since; false when that took too long."""
        return self._heard.wait_for(f"{text}\n")

    def leave(self) -> None:
        """Let the person leave, as Ctrl-D does."""
        self._keyboard.close()
