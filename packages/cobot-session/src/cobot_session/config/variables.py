"""`${VAR}` and `${VAR:-default}` in the strings of a configuration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"(?P<literal>\$\$\{)|\$\{(?P<body>[^{}]*)(?P<close>\}?)")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


class InterpolationError(ValueError):
    """A reference that cannot be replaced; `rule` says why and `fix` what to do."""

    def __init__(self, rule: str, fix: str) -> None:
        self.rule = rule
        self.fix = fix
        super().__init__(f"{rule}. {fix}")


def expand(text: str, env: Mapping[str, str]) -> str:
    """Return `text` with its references replaced.

    `${VAR}` is the variable's value, `${VAR:-default}` the default when the variable is unset or
    empty (as in the shell), `$${` a literal `${`. What a variable holds is not looked at again.

    Raises:
        InterpolationError: a variable is unset, or a reference is neither of the two forms.
    """
    return _REFERENCE.sub(lambda match: _value(match, env), text)


def _value(match: re.Match[str], env: Mapping[str, str]) -> str:
    if match["literal"]:
        return "${"
    body = _BODY.fullmatch(match["body"])
    if body is None or not match["close"]:
        raise InterpolationError(
            "has a `${` that begins neither `${NAME}` nor `${NAME:-default}`",
            "Close it with `}` and use letters, digits and `_`; a literal `${` is written `$${`.",
        )
    name, default = body["name"], body["default"]
    if default is not None:
        return env.get(name) or default
    if name not in env:
        raise InterpolationError(
            f"the environment variable {name} is not set",
            f"Set {name}, or write `${{{name}:-default}}`.",
        )
    return env[name]
