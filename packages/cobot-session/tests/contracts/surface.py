"""The public surface as plain values: what a published channel or agent may rely on.

Run as a program it prints the surface of what is installed; that is how `surface.json` of a new
minor version is made.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

import cobot_session
from cobot_session import Limits, hookspecs, messages, plugin, status

DATA = (
    *(messages.IncomingMessage, messages.OutgoingMessage, messages.Media, messages.Receipt),
    *(messages.Sent, Limits, plugin.PluginMeta, plugin.PluginContext),
    *(status.Health, status.Status),
)


def surface() -> dict[str, Any]:
    """Return names, hooks with their arguments, fields in order, and errors with their bases."""
    errors = [
        value
        for value in map(cobot_session.__dict__.get, cobot_session.__all__)
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    return {
        "contract": hookspecs.CONTRACT,
        "names": sorted(cobot_session.__all__),
        "hooks": {name: parameters(getattr(hookspecs, name)) for name in sorted(hookspecs.HOOKS)},
        "fields": {one.__name__: fields(one) for one in DATA},
        "errors": {one.__name__: [base.__name__ for base in one.__mro__] for one in errors},
        "verbs": {
            face.__name__: {name: parameters(verb) for name, verb in verbs(face)}
            for face in (cobot_session.Session, cobot_session.AsyncSession)
        },
    }


def parameters(function: Any) -> list[str]:
    """Return the names of a function's arguments, optional ones with a `?`."""
    return [
        name if parameter.default is parameter.empty else f"{name}?"
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    ]


def fields(data: Any) -> list[str]:
    """Return the names of a dataclass's fields in order, optional ones with a `?`."""
    return [
        one.name
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        else f"{one.name}?"
        for one in dataclasses.fields(data)
    ]


def verbs(face: type) -> list[tuple[str, Any]]:
    """Return the public methods of a face of the session."""
    return [
        (name, value)
        for name, value in sorted(vars(face).items())
        if inspect.isfunction(value) and not name.startswith("_")
    ]


if __name__ == "__main__":
    print(json.dumps(surface(), indent=2))
