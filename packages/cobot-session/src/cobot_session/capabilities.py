"""What a channel can do, told before it is asked to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_session.plugin import Limits


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A channel's hooks and its physics.

    Attributes:
        hooks: names of the hooks it has, such as `session_edit`.
        limits: what its platform allows.
    """

    hooks: frozenset[str]
    limits: Limits

    def __contains__(self, verb: object) -> bool:
        """Return whether it can do a verb, such as `edit`."""
        return f"session_{verb}" in self.hooks
