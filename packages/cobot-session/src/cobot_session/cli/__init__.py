"""The command `cobot-session`. Nothing else of this package imports typer or rich."""

from __future__ import annotations

import sys

from cobot_session.cli.output import into_nothing
from cobot_session.errors import CobotError


def main() -> int:
    """Run one command of the command line; returns its exit code.

    0: fine. 1: something failed. 2: a mistake in the command or in `cobot.yml`. 130: Ctrl-C.
    """
    try:
        from cobot_session.cli.app import app
        from cobot_session.cli.outcome import told

        app(prog_name="cobot-session", standalone_mode=True)
    except CobotError as error:
        return told(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        into_nothing(sys.stdout)
        return 1
    return 0
