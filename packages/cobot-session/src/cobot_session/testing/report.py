"""The score: what a channel can do, and which of it was proved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cobot_session.testing.contract import contract_tests, part_of
from cobot_session.testing.parts import claim_of
from cobot_session.testing.table import OPEN, UNTRIED, GateTable, opens_its_gate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

_MARKS = {"proved": "✓", "failed": "✗", "absent": "-", "known to fail": "!"}


@dataclass(slots=True)
class _Score:
    channel: str = ""
    version: str = ""
    hooks: list[str] = field(default_factory=list)
    limits: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, tuple[str, str]] = field(default_factory=dict)
    gate: GateTable = field(default_factory=GateTable)
    is_open: bool = False

    @property
    def is_gate_untried(self) -> bool:
        """Whether people can write, and no test of the gate that was chosen could be run."""
        gating = {told for name, (told, _) in self.tests.items() if part_of(name) == "Gating"}
        return "session_receive" in self.hooks and gating == {"absent"}


class Report:
    """Gathers what the tests of the contract found, one score for each class."""

    def __init__(self) -> None:
        self._scores: dict[str, _Score] = {}

    def note(
        self, owner: str, test: str, found: pytest.TestReport, fixtures: Mapping[str, Any]
    ) -> None:
        """Take one phase of one test."""
        score = self._scores.setdefault(owner, _Score())
        self._describe(score, fixtures)
        if found.when == "call" or found.outcome != "passed":
            score.tests[test] = _verdict(found)
        if found.when == "call" and "gate_table" in fixtures:
            score.gate.rows |= fixtures["gate_table"].rows
            score.gate.reached += fixtures["gate_table"].reached

    def facts(self) -> list[dict[str, Any]]:
        """Return all scores as JSON values."""
        return [
            {
                "channel": score.channel,
                "version": score.version,
                "hooks": score.hooks,
                "limits": score.limits,
                "gate": score.gate.facts(),
                "tests": {
                    name: {"part": part_of(name), "verdict": verdict, "reason": reason}
                    for name, (verdict, reason) in score.tests.items()
                },
            }
            for score in self._scores.values()
        ]

    def tables(self) -> Iterator[str]:
        """Yield a Markdown table for each channel."""
        for score in self._scores.values():
            verdicts = [verdict for verdict, _ in score.tests.values()]
            counts = ", ".join(
                f"{verdicts.count(kind)} {kind}" for kind in _MARKS if kind in verdicts
            )
            lines = [f"**{f'{score.channel} {score.version}'.strip()}**: {counts}", ""]
            lines += ["| part | claim | |", "| --- | --- | --- |"]
            lines += [
                f"| {part_of(name)} | {claim_of(name)} | {_MARKS[verdict]} {reason}".rstrip() + " |"
                for name, (verdict, reason) in sorted(score.tests.items(), key=_place)
            ]
            if score.gate.rows:
                lines += ["", *score.gate.lines()]
            elif score.is_gate_untried:
                lines += ["", f"At the gate: {OPEN if score.is_open else f'**{UNTRIED}**'}"]
            yield "\n".join(lines)

    def gates(self) -> Iterator[str]:
        """Yield a line for each channel at whose gate somebody should have tried something."""
        for owner, score in self._scores.items():
            if score.gate.rows:
                yield (
                    f"gate of {score.channel} ({owner}): {score.gate.tried} ways tried,"
                    f" {score.gate.reached} reached the agent"
                )
            elif score.is_gate_untried:
                why = OPEN if score.is_open else UNTRIED
                yield f"gate of {score.channel} ({owner}): {why}"

    def _describe(self, score: _Score, fixtures: Mapping[str, Any]) -> None:
        if "channel" in fixtures:
            score.channel = fixtures["channel"].name
        record = fixtures.get("record")
        if record is not None:
            score.version = record.version
            score.hooks = sorted(record.hooks)
            score.is_open = opens_its_gate(record)
            limits = record.limits
            score.limits = {name: getattr(limits, name) for name in limits.__slots__}


def _verdict(found: pytest.TestReport) -> tuple[str, str]:
    if hasattr(found, "wasxfail"):
        return "known to fail", str(found.wasxfail)
    if found.outcome == "skipped":
        reason = found.longrepr[2] if isinstance(found.longrepr, tuple) else ""
        return "absent", reason.removeprefix("Skipped: ")
    return ("proved", "") if found.outcome == "passed" else ("failed", "")


def _place(noted: tuple[str, Any]) -> int:
    """Return where a test stands in the contract."""
    tests = contract_tests()
    return tests.index(noted[0]) if noted[0] in tests else len(tests)
