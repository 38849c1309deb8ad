"""`new`: a distribution for a channel of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cobot_session.cli import output
from cobot_session.cli.outcome import UsageMistake
from cobot_session.scaffold import ScaffoldError, scaffold


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the channel, such as slack.")],
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Where to write it; must exist.", file_okay=False),
    ] = Path(),
) -> None:
    """Write a package for a new channel; its tests pass at once."""
    try:
        made = scaffold(name, folder)
    except ScaffoldError as error:
        raise UsageMistake(str(error)) from None
    output.note(f"Wrote {made}. In that folder:")
    output.note("  python -m venv .venv && . .venv/bin/activate")
    output.note("  pip install -e . 'cobot-session[testing]' pytest-timeout")
    output.note("  pytest --channel-report")
