"""Keys that no setting has: found through the whole model, whether it forbids them or not."""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, AliasPath, BaseModel, RootModel

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from cobot_session.config.places import Steps


def unknown_keys(
    kind: Any, value: Any, steps: Steps = ()
) -> Iterator[tuple[Steps, frozenset[str]]]:
    """Yield each key of `value` that `kind` does not have, with the keys it has.

    Args:
        kind: a pydantic model, or any annotation with models in it.
        value: what the file says there.
        steps: the way to `value`, for the answer.
    """
    kind = getattr(kind, "__value__", kind)  # of a `type` statement
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        yield from _of_union(arguments, value, steps)
    elif origin is Annotated:
        yield from unknown_keys(arguments[0], value, steps)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from _of_model(kind, value, steps)
    elif isinstance(value, Mapping) and len(arguments) == 2:
        for key, item in value.items():
            yield from unknown_keys(arguments[1], item, (*steps, key))
    elif isinstance(value, list) and arguments:
        for at, item in enumerate(value):
            yield from unknown_keys(arguments[0], item, (*steps, at))


def key_names(name: str, field: FieldInfo, model: type[BaseModel]) -> set[str]:
    """Return every key by which the file may give a field."""
    by_alias = set(_alias_names(field.validation_alias or field.alias))
    by_name = model.model_config.get("populate_by_name") or model.model_config.get(
        "validate_by_name"
    )
    return by_alias | {name} if by_name or not by_alias else by_alias


def _of_model(
    model: type[BaseModel], value: Any, steps: Steps
) -> Iterator[tuple[Steps, frozenset[str]]]:
    if issubclass(model, RootModel):
        yield from unknown_keys(model.model_fields["root"].annotation, value, steps)
        return
    if not isinstance(value, Mapping):
        return
    fields = {
        key: field.annotation
        for name, field in model.model_fields.items()
        for key in key_names(name, field, model)
    }
    for key, item in value.items():
        if key in fields:
            yield from unknown_keys(fields[key], item, (*steps, key))
        elif model.model_config.get("extra") != "allow":
            yield (*steps, key), frozenset(fields)


def _of_union(
    kinds: Iterable[Any], value: Any, steps: Steps
) -> Iterator[tuple[Steps, frozenset[str]]]:
    """Take the member that leaves the fewest keys unknown: it is the one that was meant."""
    found = [list(unknown_keys(kind, value, steps)) for kind in kinds if _fits(kind, value)]
    yield from min(found, key=len, default=[])


def _fits(kind: Any, value: Any) -> bool:
    """Tell whether a member of a union could be meant by a mapping or a list."""
    plain = get_origin(kind) or kind
    if plain is Annotated:
        return _fits(get_args(kind)[0], value)
    if not isinstance(plain, type):
        return True
    if issubclass(plain, RootModel):
        return _fits(plain.model_fields["root"].annotation, value)
    if issubclass(plain, (BaseModel, Mapping)):
        return isinstance(value, Mapping)
    return isinstance(value, list) and issubclass(plain, Collection) and plain not in {str, bytes}


def _alias_names(alias: str | AliasPath | AliasChoices | None) -> Iterator[str]:
    if isinstance(alias, str):
        yield alias
    elif isinstance(alias, AliasPath):
        yield str(alias.path[0])
    elif isinstance(alias, AliasChoices):
        for choice in alias.choices:
            yield from _alias_names(choice)
