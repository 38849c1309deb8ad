"""What the session reads: attachments, messages of any channel, settings, rows, long texts."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cobot_session.attachments import MAX_NAME, is_public, safe_filename, safe_mime_type, safe_url
from cobot_session.config.yamlfile import Reader
from cobot_session.errors import ConfigError
from cobot_session.gate.rules import Rules
from cobot_session.normalise import incoming
from cobot_session.spool.codec import dump_incoming, load_incoming, load_outgoing, load_parts
from cobot_session.text import join, length, split
from fuzzing.values import Source

STORED: list[Any] = [
    {
        "id": "1", "channel_type": "wire", "channel_id": "7", "sender_id": "5",
        "sender_name": "Ann", "content": "hello", "reply_to": None,
        "timestamp": "2026-01-01T00:00:00+00:00",
        "media": [{"kind": "image", "id": "x", "url": None, "path": None, "filename": "a.png",
                   "data": {"$base64": "aGk="}, "mime_type": "image/png", "size": 2}],
        "metadata": {"a": [1]}, "kind": "message", "key": "k", "direct": True,
        "space_id": None, "roles": ["r"],
    },
    {"channel_type": "wire", "channel_id": "7", "content": "hello", "media": [], "id": "abc"},
]  # fmt: skip
UNREADABLE = (ValueError, TypeError, KeyError)
"""What makes a row a dead letter, in `spool/rows.py`."""
CLOSED = Rules(users=frozenset({"the owner, and nobody else"}))
UNITS = ("codepoint", "utf16", "byte")


def attachment(data: bytes) -> None:
    """What a stranger says of a file: its name, its type, its address."""
    source = Source(data)
    text = source.text()
    name = safe_filename(text)
    if (
        not name
        or name in {".", ".."}
        or set(name) & set("/\\\0\n")
        or len(name.encode()) > MAX_NAME
    ):
        raise AssertionError(f"{name!r} is no name")
    safe_mime_type(text)
    safe_url(text)
    safe_url(f"https://{text}")
    with suppress(ValueError):
        is_public(text)


def message(data: bytes) -> None:
    """What a channel hands over: it becomes a message that can be stored, and opens no gate."""
    fields = Source(data).value(STORED)
    if not isinstance(fields, dict):
        return
    with suppress(ValueError, TypeError, KeyError, OverflowError):
        fields["timestamp"] = datetime.fromisoformat(fields["timestamp"]).astimezone(UTC)
    try:
        made = incoming(SimpleNamespace(**{str(name): one for name, one in fields.items()}), "fuzz")
    except (ValueError, TypeError, OverflowError, AttributeError, OSError):
        return
    if CLOSED.admit(made):
        raise AssertionError("a stranger came in")
    load_incoming(dump_incoming(made))


def settings(data: bytes) -> None:
    """A `cobot.yml`."""
    with suppress(ConfigError):
        Reader(Path("cobot.yml"), {}).read(data.decode("utf-8", "replace"))


def spool(data: bytes) -> None:
    """A row that another version wrote, or somebody has tampered with."""
    source = Source(data)
    text = json.dumps(source.value(STORED))
    for load in (load_incoming, load_outgoing):
        with suppress(*UNREADABLE):
            load(text)
    with suppress(*UNREADABLE):
        load_parts(json.dumps([json.loads(text)]), load_outgoing(json.dumps(STORED[1])))
    with suppress(*UNREADABLE):
        load_incoming(source.rest().decode("utf-8", "replace"))


def cuts(data: bytes) -> None:
    """A long text, cut for a platform and put together again."""
    source = Source(data)
    unit: Any = UNITS[source.below(3)]
    limit = 4 + source.below(80)
    text = source.text(2000).encode("utf-8", "replace").decode()
    parts = split(text, limit, unit)
    if join(parts) != text or any(length(part, unit) > limit for part in parts):
        raise AssertionError("a part is too long, or something is lost")
