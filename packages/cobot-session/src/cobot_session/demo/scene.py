"""What a channel brings to the demonstration: its network on this machine, and people on it.

An entry point of the group `cobot.demo`, named like the channel, names a class without arguments
that is a `Scene`. Nothing else connects the demonstration to a channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import importlib_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

GROUP = "cobot.demo"


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of the agent as a person sees it.

    Attributes:
        id: the network's.
        text: its words.
        reply_to: id of what it answers.
    """

    id: str
    text: str
    reply_to: str | None = None


class Person(Protocol):
    """Somebody who talks to the agent in private."""

    @property
    def name(self) -> str:
        """What people call them."""

    @property
    def id(self) -> str:
        """What access rules know them by."""

    def says(self, text: str, *, reply_to: str | None = None) -> str:
        """Say something, or answer a message of the agent; return the message's id."""

    def sends(self, files: Mapping[str, bytes]) -> None:
        """Send files, in one message where the network has that."""

    def edits(self, message_id: str, text: str) -> None:
        """Change what was said."""

    def reacts(self, message_id: str, emoji: str) -> None:
        """React to a message of the agent."""

    def sees(self) -> Sequence[Seen]:
        """Return what the agent has written to them, oldest first."""


class Scene(Protocol):
    """A network of the demonstration. Entered, its server runs.

    Attributes:
        offers: which of `edit` (people can change what they said) and `album` (several files are
            one message) it has.
    """

    offers: frozenset[str]

    def __enter__(self) -> Any:
        """Start the server."""

    def __exit__(self, *_: object) -> None:
        """Stop it."""

    def person(self, name: str) -> Person:
        """Return a new person."""

    def settings(self, people: Sequence[Person]) -> dict[str, Any]:
        """Return the channel's block of `cobot.yml`, which lets these people in."""

    def outage(self) -> AbstractContextManager[None]:
        """Cut the network off for as long as this is entered; people can go on talking."""

    def wait_for(self, probe: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so on the network; false when that took too long."""


Absences: TypeAlias = dict[str, str]


def found() -> tuple[dict[str, Scene], Absences]:
    """Return a scene of each installed channel that has one, and what the others lack."""
    scenes: dict[str, Scene] = {}
    absent: Absences = {}
    points = importlib_metadata.entry_points(group=GROUP)
    for point in sorted(points, key=lambda point: point.name):
        try:
            scenes[point.name] = point.load()()
        except ImportError:
            name = point.dist.name if point.dist else point.name
            absent[point.name] = f'its local server takes `pip install "{name}[testing]"`'
        except Exception as error:  # noqa: BLE001 - one that is broken leaves the others
            absent[point.name] = f"{type(error).__name__}: {error}"
    return scenes, absent
