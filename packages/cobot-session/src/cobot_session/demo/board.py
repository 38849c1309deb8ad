"""What the demonstration shows: a table that lives, the transcript, and the promises."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from rich.console import Console, Group
    from rich.table import Table

    from cobot_session.demo.record import Line, Record
    from cobot_session.session import Session

_WIDTH = 100
_TAIL = 12
_EVERY_SECOND = 8
_COLOURS = {"online": "green", "starting": "yellow", "reconnecting": "yellow", "failed": "red"}


class Board:
    """Shows how it goes: live in a terminal, line by line elsewhere.

    Args:
        names: the channels, in order.
        live: somebody looks at a terminal.
    """

    record: Record
    session: Session

    def __init__(self, names: Sequence[str], *, live: bool) -> None:
        self._names = names
        self._is_live = live
        self._stream = sys.stdout  # the session's console may be given another
        self._live: Any = None

    def tell(self, line: Line) -> None:
        """Show a new line of the transcript."""
        if not self._is_live:
            print(line, flush=True)

    def __enter__(self) -> Board:
        if self._is_live:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(file=self._stream, highlight=False),
                get_renderable=self._screen,
                refresh_per_second=_EVERY_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self) -> None:
        """Print what there is to see in the end."""
        from rich.console import Console

        if self._is_live:
            for line in self.record.lines:
                print(line, file=self._stream)
        console = Console(file=self._stream, width=_WIDTH, highlight=False)
        self._sum_up(console)

    def save(self, file: Path) -> None:
        """Write what there is to see in the end as a picture.

        Raises:
            OSError: it cannot be written.
        """
        from rich.console import Console

        console = Console(file=io.StringIO(), width=_WIDTH, record=True, highlight=False)
        first, last = self.record.lines[:_TAIL], self.record.lines[_TAIL:][-_TAIL:]
        for line in [*first, "        …", *last]:
            console.print(str(line), markup=False, overflow="ellipsis", no_wrap=True)
        self._sum_up(console)
        console.save_svg(str(file), title="cobot-session demo", unique_id="cobot-demo")

    def _sum_up(self, console: Console) -> None:
        for table in (self._channels(), self._promises()):
            console.print()
            console.print(table)

    def _screen(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        tail = [Text(str(line)) for line in self.record.lines[-_TAIL:]]
        return Group(self._channels(), "", *tail)

    def _channels(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("channel")
        table.add_column("state")
        for name in ("received", "sent", "refused", "waiting", "median answer"):
            table.add_column(name, justify="right")
        for name, status in self.session.status().items():
            if name not in self._names:
                continue
            wait = self.record.latency(name)
            latency = "-" if wait is None else f"{wait * 1000:.0f} ms"
            counts = (status.received, status.sent, status.dropped, status.pending)
            state = Text(status.state, _COLOURS.get(status.state, ""))
            table.add_row(name, state, *map(str, counts), latency)
        return table

    def _promises(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        kept = self.record.kept
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("promised")
        for where in kept:
            table.add_column(where, justify="center")
        marks = {True: Text("✓", "green"), False: Text("✗", "red"), None: Text("-", "dim")}
        for what in dict.fromkeys(what for promises in kept.values() for what in promises):
            table.add_row(what, *(marks[promises.get(what)] for promises in kept.values()))
        return table
