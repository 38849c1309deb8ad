"""A cobot.yml to begin with: the keys of each block, commented out, with their defaults."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any, get_origin

from pydantic import SecretStr
from pydantic_core import to_jsonable_python

from cobot_session.config import AccessSettings, CommonSettings, SessionSettings, WorkspaceSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from cobot_session.registry import PluginRecord

_WIDTH = 96
_HEAD = """\
# Where people reach the agent. Every line that begins with `#` and a key can be taken into use by
# taking the `#` away; as it stands, a key says its default.
#
# ${NAME} is the value of an environment variable, ${NAME:-other} has a default, and
# `!file /run/secrets/name` is what stands in a file: no secret needs to be written here.
"""
_BEGIN = "  #   "
_COMMON = ("default_chat", "poll_interval")
_PLACEHOLDERS: dict[Any, str] = {list: '["…"]', dict: "{}", int: "0", float: "0.0", bool: "false"}
"""What stands for a required value of a type; for text it is `"…"`."""


def template(records: Iterable[PluginRecord]) -> str:
    """Return the text of a cobot.yml for these plugins."""
    lines = [_HEAD, "plugins:"]
    lines += [*_block("session", SessionSettings), "", *_block("workspace", WorkspaceSettings)]
    for record in records:
        if record.use not in {"session", "workspace"} and record.state != "failed":
            lines += ["", *_plugin(record)]
    return "\n".join(lines) + "\n"


def _block(name: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"  # {name}:"
    for key, field in model.model_fields.items():
        yield from _setting(name, key, field)


def _plugin(record: PluginRecord) -> Iterator[str]:
    yield f"  # {record.id}:  # from {record.distribution} {record.version}"
    if record.model is not None:
        for key, field in record.model.model_fields.items():
            if not any(type(one).__name__ == "SkipJsonSchema" for one in field.metadata):
                yield from _setting(record.id, field.alias or key, field)
    for key in _COMMON:
        yield from _setting(record.id, key, CommonSettings.model_fields[key])
    if "session_receive" in record.hooks:
        yield f"{_BEGIN}# Who may write to the agent, by id; `open: true` lets everybody in."
        yield f"{_BEGIN}access: {{{_ACCESS}}}"


def _setting(block: str, key: str, field: FieldInfo) -> Iterator[str]:
    """Yield a key with its default, below what it is for."""
    required = "Required. " if field.is_required() else ""
    variable = ""
    if _is_secret(field) and not field.is_required():
        variable = f" To take it from the environment: `{_variable(block, key)}`."
    about = f"{required}{field.description or ''}{variable}".strip()
    for line in textwrap.wrap(about, _WIDTH - len(_BEGIN)):
        yield f"{_BEGIN}# {line}"
    yield f"{_BEGIN}{key}: {_value(block, key, field)}".rstrip()


def _value(block: str, key: str, field: FieldInfo) -> str:
    if _is_secret(field) and field.is_required():
        return _variable(block, key)
    if field.examples:
        return _yaml(field.examples[0])
    if field.is_required():
        return _PLACEHOLDERS.get(get_origin(field.annotation) or field.annotation, '"…"')
    default = field.get_default(call_default_factory=True)
    return _yaml(to_jsonable_python(default, fallback=str))


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr.__name__ in str(field.annotation)


def _variable(block: str, key: str) -> str:
    """Return how a secret is taken from the environment, which has to have it then."""
    name = re.sub(r"\W", "_", f"{block}_{key}").upper()
    return f"${{{name}}}"


def _yaml(value: Any) -> str:
    """Return a value as YAML in one line, which JSON is."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)


_ACCESS = ", ".join(
    f"{key}: {_yaml(value) or 'null'}"
    for key, value in AccessSettings().model_dump(exclude={"rates"}).items()
)
