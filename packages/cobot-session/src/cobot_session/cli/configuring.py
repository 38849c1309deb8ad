"""`schema` and `init`: what can stand in cobot.yml, for editors and for people."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cobot_session.cli import output
from cobot_session.cli.outcome import UsageMistake
from cobot_session.cli.template import template
from cobot_session.config import json_schema, load_config
from cobot_session.registry import PluginRecord, Registry


def schema() -> None:
    """Print the JSON Schema of cobot.yml.

    It describes the settings of everything that is installed. Editors that know YAML complete and
    check with it: write `# yaml-language-server: $schema=cobot.schema.json` on the first line.
    """
    output.as_json(json_schema(_installed()))


def init(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Where to write it; it is never overwritten. A `-` is standard output.",
        ),
    ] = Path("cobot.yml"),
) -> None:
    """Write a commented cobot.yml for what is installed."""
    text = template(_installed())
    if str(file) == "-":
        sys.stdout.buffer.write(text.encode())  # a cobot.yml is UTF-8, whatever the terminal is
        sys.stdout.buffer.flush()
        return
    try:
        private = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it may hold secrets
    except FileExistsError:
        raise UsageMistake(f"{file} is there already and stays as it is; name another") from None
    except OSError as error:
        raise UsageMistake(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(private, "w", encoding="utf-8") as target:
        target.write(text)
    output.note(f"Wrote {file}. Take the # away from what you want; `cobot-session doctor` checks.")


def _installed() -> list[PluginRecord]:
    """Return the records of all installed plugins, whatever any cobot.yml says."""
    registry = Registry(load_config({}))
    logging.disable()
    try:
        registry.load()
    finally:
        logging.disable(logging.NOTSET)
    for record in registry.records.values():
        if record.state == "failed":
            output.complain(f"{record.id} is left out: {record.reason}. {record.remedy}".rstrip())
    return list(registry.records.values())
