"""Text that can be stored and sent on: JSON can spell halves of characters, which UTF-8 cannot."""

from __future__ import annotations

from typing import Any


def wellformed(value: Any) -> Any:
    """Return a JSON value in whose texts a replacement character stands for each lone surrogate."""
    if isinstance(value, str):
        return value if value.isascii() else _mended(value)
    if isinstance(value, dict):
        return {wellformed(name): wellformed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [wellformed(one) for one in value]
    return value


def _mended(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
