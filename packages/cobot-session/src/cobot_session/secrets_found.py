"""Which values of a configuration are secret: by their type, or by their name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

_SECRET = frozenset(
    {"token", "secret", "password", "passwd", "passphrase", "key", "apikey", "nsec", "credentials"}
)
_PUBLIC = frozenset({"public", "pub"})


def secrets_in(settings: object) -> set[str]:
    """Return the secrets in validated settings, or in the dict of a plugin without a model.

    A secret is what pydantic holds as one (`SecretStr`, `SecretBytes`, `Secret[…]`), and every
    text whose key names one: `bot_token`, `apiKey`, `password`.
    """
    return {secret for secret in _found(settings, secret=False, seen=set()) if secret}


def _found(value: Any, *, secret: bool, seen: set[int]) -> Iterator[str]:
    if hasattr(value, "get_secret_value"):
        yield from _found(value.get_secret_value(), secret=True, seen=seen)
    elif isinstance(value, str | bytes):
        if secret:
            yield value if isinstance(value, str) else value.decode(errors="replace")
    elif secret and isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif id(value) not in seen:
        seen.add(id(value))
        for name, item in _items(value):
            yield from _found(item, secret=secret or _names_a_secret(name), seen=seen)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(name), item) for name, item in value.items())
    elif isinstance(value, BaseModel):
        yield from value
    elif is_dataclass(value) and not isinstance(value, type):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, Collection):
        yield from (("", item) for item in value)


def _names_a_secret(name: str) -> bool:
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    return bool(words & _SECRET) and not words & _PUBLIC
