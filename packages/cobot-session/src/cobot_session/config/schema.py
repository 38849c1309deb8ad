"""The JSON Schema of a whole `cobot.yml`, for editors and other programs.

It describes the file as it is written: where a number or a boolean belongs, a string with a
`${VAR}` is right, too, and where text belongs, so is an unquoted number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pydantic.errors import PydanticInvalidForJsonSchema

from cobot_session.config.load import NAME_PATTERN
from cobot_session.config.settings import CommonSettings, SessionSettings, WorkspaceSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE = {"type": "string", "pattern": r"\$\{"}
_ANNOTATIONS = {"title", "description", "default", "examples", "deprecated", "writeOnly"}
_SCALARS = ("integer", "number", "boolean")
_NARROWED = {"enum", "const", "pattern", "minLength", "maxLength"}


class Described(Protocol):
    """What the schema needs to know of a plugin; a plugin's record has it.

    Attributes:
        use: name of its entry point.
        model: the model of its settings; `None` if it has none or could not be loaded.
    """

    use: str
    model: type[BaseModel] | None


def json_schema(records: Iterable[Described] = ()) -> Schema:
    """Return the schema (draft 2020-12) of `cobot.yml` with the settings of these plugins."""
    definitions: Schema = {}
    common = _of_model("common", CommonSettings, definitions)["properties"]
    models = {record.use: record.model for record in records}
    core: dict[str, type[BaseModel]] = {"session": SessionSettings, "workspace": WorkspaceSettings}
    own = {name: model for name, model in sorted(models.items()) if name not in core}
    for name, model in own.items():
        definitions[f"block.{name}"] = _block(_of_model(name, model, definitions), common)
    definitions["block"] = _any_block(own, common)
    properties = {name: _of_model(name, model, definitions) for name, model in core.items()}
    properties |= {name: _named_block(name) for name in own}
    return {
        "$schema": DIALECT,
        "title": "cobot.yml",
        "type": "object",
        "properties": {"plugins": _plugins(properties)},
        "patternProperties": {"^x-": {"description": "For your own use, with YAML anchors."}},
        "additionalProperties": False,
        "$defs": definitions,
    }


def _plugins(properties: Schema) -> Schema:
    return {
        "type": ["object", "null"],
        "propertyNames": {"pattern": NAME_PATTERN},
        "properties": properties,
        "additionalProperties": {"$ref": "#/$defs/block"},
    }


def _block(own: Schema, common: Schema) -> Schema:
    """Return a plugin's block: its keys and the common ones; a disabled one needs none of them."""
    block = own | {"properties": own.get("properties", {}) | common}
    required = block.pop("required", None)
    if required:
        block["if"] = {"properties": {"enabled": {"const": False}}, "required": ["enabled"]}
        block["else"] = {"required": required}
    return block


def _named_block(name: str) -> Schema:
    """Return the block of a plugin's own name, which `use` can still give to another plugin."""
    block = {"$ref": f"#/$defs/block.{name}"}
    return {"if": {"required": ["use"]}, "then": {"$ref": "#/$defs/block"}, "else": block}


def _any_block(names: Iterable[str], common: Schema) -> Schema:
    """Return the block of any name, whose `use` tells the plugin."""
    known = list(names)
    if not known:
        return {"type": ["object", "null"]}
    return {
        "type": "object",
        "properties": common | {"use": {"enum": known}},
        "required": ["use"],
        "allOf": [
            {
                "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                "then": {"$ref": f"#/$defs/block.{name}"},
            }
            for name in known
        ],
    }


def _of_model(name: str, model: type[BaseModel] | None, definitions: Schema) -> Schema:
    """Return a model's schema; what it refers to goes to `definitions` under names of its own."""
    anything: Schema = {"type": ["object", "null"], "properties": {}}
    if model is None:
        return anything
    try:
        schema = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    except PydanticInvalidForJsonSchema:
        return anything
    inner = {f"{name}.{key}": item for key, item in schema.pop("$defs", {}).items()}
    definitions |= {key: _as_written(item) for key, item in inner.items()}
    for whole in (schema, *schema.get("allOf", ())):
        if "$ref" in whole:  # the model refers to itself
            schema = inner[whole["$ref"].removeprefix("#/$defs/")]
    return _as_written(schema) | {"type": ["object", "null"]}


def _as_written(schema: Schema) -> Schema:
    """Return the schema of what a person writes for what the model takes."""
    written = {key: _inner(key, item) for key, item in schema.items()}
    if "properties" in written:
        written.setdefault("additionalProperties", False)
    if written.get("type") == "string":
        written["type"] = ["string", "number"]
    if written.get("type") in _SCALARS or _NARROWED & written.keys():
        return _or_reference(written)
    return written


def _inner(key: str, item: Any) -> Any:
    if key == "properties":
        return {name: _as_written(part) for name, part in item.items()}
    if key in {"anyOf", "oneOf", "allOf", "prefixItems"}:
        return [_as_written(part) for part in item]
    nested = key in {"items", "additionalProperties"} and isinstance(item, dict)
    return _as_written(item) if nested else item


def _or_reference(schema: Schema) -> Schema:
    outside = {key: item for key, item in schema.items() if key in _ANNOTATIONS}
    inside = {key: item for key, item in schema.items() if key not in _ANNOTATIONS}
    return outside | {"anyOf": [inside, _REFERENCE]}
