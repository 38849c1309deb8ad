"""`doctor`: everything that can be checked without starting, each with what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cobot_session.cli import output
from cobot_session.cli.checkup import findings
from cobot_session.cli.options import ConfigOption, JsonOption
from cobot_session.cli.outcome import FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobot_session.cli.finding import Finding


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check what a session needs, and say what to do.

    Exits with 1 when something is wrong.
    """
    found = findings(config)
    if as_json:
        output.as_json([asdict(one) for one in found])
    else:
        _show(found)
    if any(one.state == "error" for one in found):
        raise typer.Exit(FAILED)


def _show(found: Sequence[Finding]) -> None:
    rows = [(one.state, one.about, _sentence(one)) for one in found]
    output.table(("state", "about", "finding"), rows)
    errors = sum(one.state == "error" for one in found)
    warnings = sum(one.state == "warning" for one in found)
    print()
    output.note(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}.")


def _sentence(one: Finding) -> str:
    return f"{one.finding}. {one.remedy}" if one.remedy else one.finding


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'s' if number != 1 else ''}"
