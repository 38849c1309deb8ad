"""A cobot.yml to begin with: everything that can be set, commented out, with its default."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined, to_jsonable_python

from cobot_session.config import AccessSettings, CommonSettings, SessionSettings, WorkspaceSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
_COMMON = ("default_chat", "poll_interval")


def template(records: Iterable[PluginRecord]) -> str:
    """Return the text of a cobot.yml for these plugins."""
    lines = [_HEAD, "plugins:"]
    lines += _block("session", SessionSettings)
    lines += _block("workspace", WorkspaceSettings)
    for record in records:
        if record.use not in {"session", "workspace"} and record.state != "failed":
            lines += ["", *_plugin(record)]
    return "\n".join(lines) + "\n"


def _block(name: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"  # {name}:"
    for key, field in model.model_fields.items():
        yield from _setting(name, key, field)
    if name == "session":
        yield ""


def _plugin(record: PluginRecord) -> Iterator[str]:
    yield f"  # {record.id}:  # from {record.distribution} {record.version}"
    if record.model is not None:
        for key, field in record.model.model_fields.items():
            yield from _setting(record.id, field.alias or key, field)
    for key in _COMMON:
        yield from _setting(record.id, key, CommonSettings.model_fields[key])
    if "session_receive" in record.hooks:
        yield "  #   access:"
        for key, field in AccessSettings.model_fields.items():
            yield from _setting(record.id, key, field, indent=6)


def _setting(block: str, key: str, field: FieldInfo, indent: int = 4) -> Iterator[str]:
    """Yield a key with its default, below what it is for."""
    begin = f"  # {' ' * (indent - 2)}"
    required = "Required. " if field.is_required() else ""
    about = f"{required}{field.description or ''}".strip()
    for line in textwrap.wrap(about, _WIDTH - len(begin)):
        yield f"{begin}# {line}"
    yield f"{begin}{key}: {_value(block, key, field)}".rstrip()


def _value(block: str, key: str, field: FieldInfo) -> str:
    if _is_secret(field):
        return f"${{{_variable(block, key)}}}"
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return f"${{{_variable(block, key)}}}"
    return _yaml(to_jsonable_python(default, fallback=str))


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr.__name__ in str(field.annotation)


def _variable(block: str, key: str) -> str:
    return re.sub(r"\W", "_", f"{block}_{key}").upper()


def _yaml(value: Any) -> str:
    """Return a value as YAML in one line, which JSON is."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)
