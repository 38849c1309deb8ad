"""What remains of a part when its mistakes are left out, so that the rest is looked at, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from cobot_session.config.validation import Part, check

if TYPE_CHECKING:
    from cobot_session.config.places import Steps

Model = TypeVar("Model", bound=BaseModel)

REFUSED = "\0"
"""Stands for a refused entry of a list, so that the other entries keep their places."""


def remaining(model: type[Model], part: Part, wrong: Iterable[Steps]) -> Model | None:
    """Return the settings without those that are wrong, `None` if that makes none.

    An entry of a list in which something is wrong is `REFUSED`; any other setting has its default.
    """
    data = _without(part.data, {_entry(steps) for steps in wrong})
    return check(model, Part(data, part.steps, part.places)).value


def _entry(steps: Steps) -> Steps:
    """Return the way to the innermost entry of a list on the way; without one, the way itself."""
    ends = (at for at in range(len(steps), 0, -1) if isinstance(steps[at - 1], int))
    return steps[: next(ends, len(steps))]


def _without(data: Any, wrong: set[Steps], steps: Steps = ()) -> Any:
    if isinstance(data, Mapping):
        return {
            key: _without(item, wrong, (*steps, key))
            for key, item in data.items()
            if (*steps, key) not in wrong
        }
    if isinstance(data, list):
        return [
            REFUSED if (*steps, at) in wrong else _without(item, wrong, (*steps, at))
            for at, item in enumerate(data)
        ]
    return data
