"""What commands print: tables and notes for people, JSON for programs.

In a terminal, lines are as long as it is wide; in a pipe they are as long as they need to be, so
that `grep` finds what belongs together. Words are never cut.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rich.console import Console

_UNBOUNDED = 100_000
_JOINER = "\u200d"
_COLOURS = {
    "online": "green",
    "ok": "green",
    "starting": "yellow",
    "reconnecting": "yellow",
    "unconfigured": "yellow",
    "warning": "yellow",
    "failed": "red",
    "error": "red",
    "stopped": "dim",
    "disabled": "dim",
}


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()
) -> None:
    """Print a table; the columns in `right` hold numbers."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        shown.add_column(
            name, justify="right" if name in right else "left", overflow="fold", no_wrap=False
        )
    for row in rows:
        cells = [visible(str(cell)) for cell in row]
        styles = [
            _COLOURS.get(cell, "") if name == "state" else ""
            for name, cell in zip(columns, cells, strict=True)
        ]
        shown.add_row(*map(Text, cells, styles))
    console = _console()
    with console.capture() as captured:
        console.print(shown)
    for line in captured.get().splitlines():
        print(line.rstrip())


def note(text: str, label: str = "", *, file: TextIO | None = None) -> None:
    """Print a paragraph; what follows its label stands under itself."""
    stream = file or sys.stdout
    begin = f"{label} " if label else ""
    lines = textwrap.wrap(
        f"{begin}{visible(text)}",
        width=_width(stream),
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    print("\n".join(lines), file=stream)


def complain(text: str, prefix: str = "cobot-session: ") -> None:
    """Print to standard error, in one line, what is wrong."""
    sys.stdout.flush()
    print(f"{prefix}{visible(text)}", file=sys.stderr)


def into_nothing(stream: TextIO) -> None:
    """Let what is still written to a stream go nowhere: who read it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def as_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=_is_narrow(), default=_plain))


def json_line(value: Any) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=_is_narrow(), default=_plain)


def visible(text: str) -> str:
    """Return text that does nothing to a terminal: control characters are shown, not obeyed."""
    return "".join(map(_visible, text))


def ago(at: float | datetime) -> str:
    """Return how long ago that was, such as `3 h ago`."""
    epoch = at.timestamp() if isinstance(at, datetime) else at
    return f"{span(time.time() - epoch)} ago"


def span(seconds: float) -> str:
    """Return a length of time in its greatest unit, such as `3 h`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def moment(at: float) -> str:
    """Return epoch seconds as ISO 8601, UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _visible(character: str) -> str:
    if character.isprintable() or character == _JOINER:
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"


def _is_narrow() -> bool:
    """Tell whether standard output takes less than every character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"


def _console() -> Console:
    from rich.console import Console

    return Console(width=_width(sys.stdout), highlight=False, markup=False, emoji=False)


def _width(stream: TextIO) -> int:
    if not stream.isatty():
        return _UNBOUNDED
    return shutil.get_terminal_size().columns


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, set | frozenset | tuple):
        return sorted(value)
    return str(value)
