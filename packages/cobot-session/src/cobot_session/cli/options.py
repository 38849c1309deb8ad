"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def _of_command_or_program(context: typer.Context, value: Path | None) -> Path | None:
    """Return what follows the command, or else what stands before it."""
    before: Any = context.find_root().params.get("config")
    return value or before


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        callback=_of_command_or_program,
        help="Another cobot.yml than that of COBOT_CONFIG, of this folder, or of the user.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Log more, for a defect.")]
