"""Messages as JSON text, and back."""

from __future__ import annotations

import base64
import json
import logging
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

from cobot_session.messages import IncomingMessage, Media, OutgoingMessage

log = logging.getLogger("cobot_session.spool")

_BYTES = "$base64"
_THE_WHOLE = "[0]"
"""Stands for the one part that is the message itself."""


def dumps(value: Any) -> str:
    """Return compact JSON. What JSON lacks becomes text, so that storing never fails on it.

    Raises:
        ValueError: the value contains itself.
        RecursionError: it is nested too deeply.
    """
    return _encoder.encode(value)


def loads(text: str | None) -> Any:
    """Return the value of JSON text; `None` of no text."""
    return json.loads(text) if text else None


def dump_outgoing(message: OutgoingMessage) -> str:
    """Return an outgoing message as JSON text.

    Raises:
        ValueError, RecursionError: its metadata is nothing that can be stored.
    """
    return dumps(vars(message))


def dump_incoming(message: IncomingMessage) -> str:
    """Return a received message as JSON text; without metadata that cannot be stored."""
    try:
        return dumps(vars(message))
    except (ValueError, RecursionError) as error:
        log.error("message %r is stored without its metadata: %s", message.id, error)  # noqa: TRY400 - the text says it all
        return dumps(vars(message) | {"metadata": {}})


def clean(text: str) -> str:
    """Return text that any store takes: half a surrogate pair is no character."""
    return text.encode("utf-8", "replace").decode("utf-8")


def load_incoming(text: str) -> IncomingMessage:
    """Return the incoming message that `dump_incoming` wrote.

    Raises:
        ValueError, TypeError, KeyError: it wrote no such text.
    """
    fields = _message_fields(text)
    fields["timestamp"] = datetime.fromisoformat(fields["timestamp"])
    return IncomingMessage(**fields)


def load_outgoing(text: str) -> OutgoingMessage:
    """Return the outgoing message that `dump_outgoing` wrote.

    Raises:
        ValueError, TypeError, KeyError: it wrote no such text.
    """
    return OutgoingMessage(**_message_fields(text))


def dump_parts(parts: list[OutgoingMessage], whole: OutgoingMessage) -> str:
    """Return the parts of a message as one JSON text; a part that is the message is not repeated.

    Raises:
        ValueError, RecursionError: their metadata is nothing that can be stored.
    """
    if len(parts) == 1 and parts[0] is whole:
        return _THE_WHOLE
    return dumps([vars(part) for part in parts])


def load_parts(text: str, whole: OutgoingMessage) -> list[OutgoingMessage]:
    """Return the parts of a message that `dump_parts` wrote."""
    if text == _THE_WHOLE:
        return [whole]
    try:
        return [OutgoingMessage(**_with_media(fields)) for fields in json.loads(text)]
    except (AttributeError, RecursionError) as error:
        raise ValueError(f"these are no parts: {error}") from None


def count_parts(text: str | None) -> int:
    """Return how many parts `dump_parts` wrote; 0 of no text."""
    return len(loads(text) or ())


def _message_fields(text: str) -> dict[str, Any]:
    try:
        return _with_media(json.loads(text))
    except (AttributeError, RecursionError) as error:
        raise ValueError(f"it is no message: {error}") from None


def _with_media(fields: dict[str, Any]) -> dict[str, Any]:
    fields["media"] = [_media(one) for one in fields["media"]]
    return fields


def _media(fields: dict[str, Any]) -> Media:
    data = fields.get("data")
    if isinstance(data, dict):
        fields["data"] = base64.b64decode(data[_BYTES])
    return Media(**fields)


def _encode(value: Any) -> Any:
    if isinstance(value, Media):
        return vars(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a stranger's object; what it is says enough
        return f"<{type(value).__name__}>"


_encoder = json.JSONEncoder(separators=(",", ":"), default=_encode, skipkeys=True)
