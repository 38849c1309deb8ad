"""Messages that are neither text nor file, in words: a place, a contact, a poll, a die."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Described:
    """What such a message says.

    Attributes:
        field: its field in the Message object, and its key in `metadata`.
        value: what stands there.
        text: the same for a reader.
    """

    field: str
    value: Any
    text: str


def _place(value: Mapping[str, Any]) -> str:
    return f"{value['latitude']}, {value['longitude']}"


def _venue(value: Mapping[str, Any]) -> str:
    return f"{value['title']}, {value['address']} ({_place(value['location'])})"


def _contact(value: Mapping[str, Any]) -> str:
    names = (value.get("first_name"), value.get("last_name"), value.get("phone_number"))
    return " ".join(str(name) for name in names if name)


def _poll(value: Mapping[str, Any]) -> str:
    options = "".join(f"\n- {option['text']}" for option in value.get("options", []))
    return f"{value['question']}{options}"


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "venue": _venue,
    "location": _place,
    "contact": _contact,
    "poll": _poll,
    "dice": lambda value: f"{value['emoji']} {value['value']}",
}
"""A venue also comes as a location, so it stands first."""


def described(message: Mapping[str, Any]) -> Described | None:
    """Return what a message without text or file says; `None`: it is no such message.

    Raises:
        KeyError, TypeError: it is malformed.
    """
    for field, words in _WORDS.items():
        if isinstance(value := message.get(field), dict):
            return Described(field, value, words(value))
    return None
