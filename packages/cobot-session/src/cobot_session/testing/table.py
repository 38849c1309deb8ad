"""The table of the gate: who tried what, whether anything came through, or why nobody tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_session.registry import PluginRecord

UNTRIED = "the gate was NOT tried: give the wire `strangers()`"
OPEN = "the gate is open by the channel's own settings"


def opens_its_gate(record: PluginRecord) -> bool:
    """Return whether the settings' own `access()` lets everybody in: nobody is a stranger there.

    What a block's `access` says does not count: the kit's is open, and tests of the gate close it.
    """
    return isinstance(record.access, Mapping) and bool(record.access.get("open"))


@dataclass(slots=True)
class GateTable:
    """What strangers tried on one channel.

    Attributes:
        rows: `(path, who, what)` -> it was tried; false: the wire cannot do it.
        reached: how much reached the agent or an observer.
    """

    rows: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    reached: int = 0

    def note(self, path: str, who: str, what: str, *, tried: bool) -> None:
        """Take a row."""
        self.rows[path, who, what] = tried

    @property
    def tried(self) -> int:
        """How many rows were tried."""
        return sum(self.rows.values())

    def facts(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "tried": self.tried,
            "reached": self.reached,
            "rows": [
                {"path": path, "who": who, "what": what, "tried": tried}
                for (path, who, what), tried in self.rows.items()
            ],
        }

    def lines(self) -> list[str]:
        """Return it as a Markdown table: what was tried, by whom."""
        kinds = list(dict.fromkeys(what for _, _, what in self.rows))
        people = list(dict.fromkeys((path, who) for path, who, _ in self.rows))
        lines = [f"At the gate: {self.tried} tried, {self.reached} reached the agent", ""]
        lines += [f"| way | who | {' | '.join(kinds)} |", "| --- " * (len(kinds) + 2) + "|"]
        for path, who in people:
            marks = ["✓" if self.rows.get((path, who, kind)) else "-" for kind in kinds]
            lines.append(f"| {path} | {who} | {' | '.join(marks)} |")
        return lines
