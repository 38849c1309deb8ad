"""The JSON Schema of `cobot.yml` describes the file as it is written."""

from __future__ import annotations

import json
from collections.abc import Callable  # noqa: TC003  # pydantic reads the annotation
from types import SimpleNamespace
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from cobot_session.config import json_schema


class Group(BaseModel):
    id: str


class Telegram(BaseModel):
    bot_token: SecretStr
    groups: list[Group] = []
    limit: Annotated[int, Field(ge=1, description="How many.")] = 5
    mode: Literal["poll", "webhook"] = "poll"


class Tree(BaseModel):
    kids: list[Tree] = []


class Strange(BaseModel):
    call: Callable[[], None] | None = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


def plugin(use: str, model: type[BaseModel] | None) -> SimpleNamespace:
    return SimpleNamespace(use=use, model=model)


@pytest.fixture
def schema():
    found = json_schema(
        [
            plugin("session", None),
            plugin("telegram", Telegram),
            plugin("telegram", Telegram),
            plugin("tree", Tree),
            plugin("strange", Strange),
            plugin("open", Open),
            plugin("broken", None),
        ]
    )
    return json.loads(json.dumps(found))


def test_it_is_a_schema_of_the_whole_file(schema):
    """It names its dialect, and of the top level only `plugins` and `x-…`."""
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(schema["properties"]) == ["plugins"]
    assert list(schema["patternProperties"]) == ["^x-"]
    assert schema["additionalProperties"] is False


def test_every_plugin_has_a_block(schema):
    """What is installed stands there by name; the session and the workspace do so always."""
    blocks = schema["properties"]["plugins"]["properties"]
    assert set(blocks) == {
        *("session", "workspace"),
        *("telegram", "tree", "strange", "open", "broken"),
    }
    assert "default_channel" in blocks["session"]["properties"]
    assert "path" in blocks["workspace"]["properties"]
    assert set(json_schema()["properties"]["plugins"]["properties"]) == {"session", "workspace"}


def test_a_block_has_its_own_and_the_common_keys(schema):
    """Unknown keys are refused, as the session does; required ones only where it is enabled."""
    block = schema["$defs"]["block.telegram"]
    assert {"bot_token", "groups", "access", "enabled", "use"} <= set(block["properties"])
    assert block["additionalProperties"] is False
    assert block["else"] == {"required": ["bot_token"]}
    assert block["if"]["properties"] == {"enabled": {"const": False}}


def test_a_block_of_another_name(schema):
    """`use` tells which plugin a block of any name belongs to."""
    other = schema["$defs"]["block"]
    assert other["required"] == ["use"]
    assert other["properties"]["use"]["enum"] == ["broken", "open", "strange", "telegram", "tree"]
    telegram = other["allOf"][3]
    assert telegram["if"]["properties"] == {"use": {"const": "telegram"}}
    assert telegram["then"] == {"$ref": "#/$defs/block.telegram"}
    named = schema["properties"]["plugins"]["properties"]["telegram"]
    assert named["if"] == {"required": ["use"]}


def test_variables_may_stand_for_anything(schema):
    """Where a number, a choice or a boolean belongs, a string with `${VAR}` is right, too."""
    properties = schema["$defs"]["block.telegram"]["properties"]
    reference = {"type": "string", "pattern": "\\$\\{"}
    assert properties["limit"]["anyOf"] == [{"minimum": 1, "type": "integer"}, reference]
    assert properties["limit"]["description"] == "How many."
    assert properties["limit"]["default"] == 5
    assert properties["mode"]["anyOf"][1] == reference
    assert properties["enabled"]["anyOf"] == [{"type": "boolean"}, reference]


def test_numbers_may_stand_for_text(schema):
    """An id need not be quoted."""
    assert schema["$defs"]["telegram.Group"]["properties"]["id"]["type"] == ["string", "number"]


def test_nested_models(schema):
    """They keep apart by plugin, refuse unknown keys, and may contain themselves."""
    assert schema["$defs"]["telegram.Group"]["additionalProperties"] is False
    kids = schema["$defs"]["block.tree"]["properties"]["kids"]
    assert kids["items"] == {"$ref": "#/$defs/tree.Tree"}


@pytest.mark.parametrize("name", ["strange", "broken", "open"])
def test_what_cannot_be_described_is_free(schema, name):
    """A model without a schema, no model, or an open one: only the common keys are described."""
    block = schema["$defs"][f"block.{name}"]
    assert block.get("additionalProperties", True) is True
    assert "poll_interval" in block["properties"]


def test_all_references_lead_somewhere(schema):
    """No `$ref` points at nothing."""

    def references(part):
        if isinstance(part, dict):
            yield from [part["$ref"]] if "$ref" in part else []
            part = list(part.values())
        for item in part if isinstance(part, list) else []:
            yield from references(item)

    found = set(references(schema))
    assert {name.removeprefix("#/$defs/") for name in found} <= set(schema["$defs"])
    assert found
