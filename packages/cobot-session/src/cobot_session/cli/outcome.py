"""How a command ends when something is wrong: one line for a person, and an exit code."""

from __future__ import annotations

from cobot_session.cli.output import complain
from cobot_session.errors import CobotError, ConfigError

FAILED = 1
MISTAKEN = 2


class UsageMistake(CobotError):
    """The command was given something that cannot be; the text says what to write."""


def told(error: CobotError) -> int:
    """Tell a person of an error; returns the exit code."""
    if isinstance(error, ConfigError):
        for problem in error.problems:
            complain(str(problem), prefix="")
        return MISTAKEN
    complain(str(error))
    return MISTAKEN if isinstance(error, UsageMistake) else FAILED
