"""pydantic's errors as a rule and a fix, without ever repeating what was entered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from cobot_session.config.unknown import key_names
from cobot_session.nearest import nearest

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from cobot_session.config.places import Steps

HIDDEN = "…"

_OPENINGS = ("Value error, ", "Assertion failed, ", "Input ")
_FIXES = {
    "bool": "Write true or false.",
    "int": "Write a whole number.",
    "float": "Write a number.",
    "number": "Write a number.",
    "string_type": "Put it in quotes.",
    "list": "Write a list: one entry a line, each after `- `.",
    "tuple": "Write a list: one entry a line, each after `- `.",
    "set": "Write a list: one entry a line, each after `- `.",
    "dict": "Write `key: value` lines under it.",
    "model": "Write `key: value` lines under it.",
    "url": "Write a whole URL, such as `https://example.org`.",
    "path": "Write the path of a file or folder.",
}
_RULES = {
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), "should be a list"),
    **dict.fromkeys(("dict_type", "mapping_type"), "should be a mapping"),
    **dict.fromkeys(("model_type", "model_attributes_type"), "should be a mapping"),
}
_SHORT = 6
"""What is shorter is hidden only where it stands as a word, or it would shred the sentence."""


def rule_of(error: ErrorDetails) -> str:
    """Return what is wrong, as a sentence without a full stop and without the input."""
    if error["input"] is None:
        return "has no value"
    message = _RULES.get(error["type"], error["msg"])
    if error["type"] == "string_pattern_mismatch":
        message = f"does not have the form `{error['ctx']['pattern']}`"
    for opening in _OPENINGS:
        message = message.removeprefix(opening)
    return _hidden(message, error["input"]).rstrip(".")


def fix_of(error: ErrorDetails, model: type[BaseModel], steps: Steps) -> str:
    """Return what to do: the nearest allowed word, the form that is wanted, or what it is for.

    A validator's own fix goes before: `fix` in the context of a `PydanticCustomError`.

    Args:
        error: as pydantic tells it.
        model: what it was found with.
        steps: the way to the setting within the model.
    """
    if error["input"] is None:
        return "Give it a value, or take the line out."
    own = error.get("ctx", {}).get("fix")
    if isinstance(own, str):
        return _hidden(own, error["input"])
    expected = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    if expected:
        meant = nearest(str(error["input"]), expected)
        return f"Did you mean `{meant}`?" if meant else f"Write {_either(expected)}."
    kind = error["type"]
    if kind == "string_type" and isinstance(error["input"], (Mapping, list)):
        return "Write one value, in quotes."
    keys = _keys_wanted(error, model, steps)
    if keys:
        return f"Write `{keys}`."
    about = _description(model, steps)
    fix = _FIXES.get(kind) or _FIXES.get(kind.split("_")[0])
    return fix or (f"Write what belongs here: {about}" if about else "Change it.")


def unknown_fix(key: str, known: frozenset[str]) -> str:
    """Return the fix for a key that is not known."""
    meant = nearest(key, known)
    if meant:
        return f"Did you mean `{meant}`?"
    return f"Known here: {', '.join(sorted(known))}." if known else "Take it out."


def _keys_wanted(error: ErrorDetails, model: type[BaseModel], steps: Steps) -> str:
    """Return the keys that a model needs, else the one whose name stands in their place."""
    models = [one for field in _fields_at(model, steps) for one in _models_in(field.annotation)]
    name = error.get("ctx", {}).get("class_name")
    inner = next((one for one in models if one.__name__ == name), None)
    pairs = [] if inner is None else _pairs(inner, error["input"])
    if not pairs:
        return ""
    if isinstance(steps[-1], str):
        return f"{steps[-1]}: {{{', '.join(pairs)}}}"
    return f"- {pairs[0]}" if len(pairs) == 1 else f"- {{{', '.join(pairs)}}}"


def _pairs(model: type[BaseModel], written: Any) -> list[str]:
    fields = {min(key_names(key, field, model)): field for key, field in model.model_fields.items()}
    needed = [key for key, field in fields.items() if field.is_required()]
    named = [key for key in fields if key == written]
    return [f"{key}: {_sample(fields[key])}" for key in needed or named]


def _sample(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "true"
    return str(field.examples[0]) if field.examples else "…"


def _description(model: type[BaseModel], steps: Steps) -> str | None:
    """Return what a model, or one inside it, says of its setting at `steps`."""
    return next(filter(None, (field.description for field in _fields_at(model, steps))), None)


def _fields_at(model: type[BaseModel], steps: Steps) -> list[FieldInfo]:
    """Return the fields that a model, or those inside it, has at `steps`."""
    *way, last = [step for step in steps if isinstance(step, str)] or [""]
    models = [model]
    for name in way:
        fields = [one.model_fields[name] for one in models if name in one.model_fields]
        models = [inner for field in fields for inner in _models_in(field.annotation)]
    return [one.model_fields[last] for one in models if last in one.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in a type, such as `list[Group] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _either(words: list[str]) -> str:
    return " or ".join(f"`{word}`" for word in words)


def _hidden(message: str, value: Any) -> str:
    """Return the message without any part of the input: validators like to repeat it."""
    for text in sorted(filter(None, set(_scalars(value))), key=len, reverse=True):
        pattern = re.escape(text)
        if len(text) < _SHORT:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        message = re.sub(pattern, HIDDEN, message)
    return message


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _scalars(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _scalars(item)
    elif isinstance(value, BaseModel):
        yield from _scalars(dict(value))
    elif hasattr(value, "get_secret_value"):
        yield from _scalars(value.get_secret_value())
    elif isinstance(value, str) or len(str(value)) >= _SHORT:
        yield str(value)
