"""Whatever a channel hands over costs at most itself: normalising, judging, storing."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_session import OutgoingMessage
from cobot_session.config.settings import AccessSettings
from cobot_session.gate.drops import Drops
from cobot_session.gate.flood import Flood
from cobot_session.gate.rules import Rules
from cobot_session.normalise import incoming
from cobot_session.spool import Item, SqliteSpool
from cobot_session.spool.codec import dump_incoming, load_incoming

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

LETTERS = st.characters(exclude_categories=["Cs"])
"""All that can be encoded; to ask for an encoding takes Hypothesis ten seconds of looking."""
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(LETTERS, max_size=40)
JSON = st.recursive(
    SCALARS | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(LETTERS, max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
TEXT = st.text(st.characters(codec=None), max_size=40)
GOOD = {
    "id": TEXT | st.integers(),
    "channel_id": TEXT | st.integers(),
    "sender_id": TEXT | st.integers() | st.none(),
    "sender_name": TEXT,
    "content": TEXT | st.none(),
    "timestamp": st.datetimes() | st.datetimes(timezones=st.just(UTC)) | st.floats(),
    "reply_to": TEXT | st.none(),
    "media": st.lists(st.fixed_dictionaries({"url": TEXT, "filename": TEXT, "size": JSON})),
    "metadata": st.dictionaries(TEXT, JSON, max_size=3),
    "kind": st.sampled_from(["message", "edit", "reaction", "deletion", "callback"]),
    "direct": st.booleans(),
    "space_id": TEXT | st.none(),
    "roles": st.lists(TEXT | st.integers(), max_size=3),
    "key": TEXT | st.none(),
}
ODD = st.fixed_dictionaries({}, optional={name: good | JSON for name, good in GOOD.items()})
SAID = {"id": "m", "channel_id": "1", "sender_id": "5", "content": "x", "timestamp": 0.0}
CLOSED = Rules(users=frozenset({"the owner, and nobody else"}))
LOG = logging.getLogger("cobot_session.plugin.fuzz")


def message_of(fields: dict[str, Any]) -> Any:
    """Return what the session makes of it; `None`: it is malformed, and told so."""
    with contextlib.suppress(ValueError, TypeError, OverflowError, AttributeError, OSError):
        return incoming(SimpleNamespace(**fields), "fuzz")
    return None


@settings(max_examples=100)
@given(st.fixed_dictionaries(GOOD) | ODD)
def test_no_message_breaks_the_gate_or_opens_it(fields: dict[str, Any]) -> None:
    """What becomes a message is judged without an exception, and is none of the owner's."""
    message = message_of(fields)
    if message is not None:
        Flood(AccessSettings().rates).too_fast(message, admitted=True)
        Drops(LOG).note("stranger", message)
        assert not CLOSED.admit(message)


@settings(max_examples=100)
@given(st.fixed_dictionaries(GOOD) | ODD)
def test_what_becomes_a_message_can_be_stored(fields: dict[str, Any]) -> None:
    """It is read back as it was, but for metadata that no JSON can hold."""
    message = message_of(fields)
    if message is not None:
        again = load_incoming(dump_incoming(message))
        for name in ("channel_id", "sender_id", "kind", "direct", "space_id", "roles", "timestamp"):
            assert getattr(again, name) == getattr(message, name)
        assert isinstance(again.timestamp, datetime)


@pytest.mark.parametrize("odd", [{"$base64": None}, {"$base64": "x"}, "text", 7, [1]], ids=repr)
def test_what_an_attachment_holds_is_bytes(odd: Any) -> None:
    """Anything else that a channel puts there is left out: it could not be read back."""
    message = message_of({**SAID, "media": [{"kind": "image", "data": odd}]})
    assert message.media[0].data is None
    assert load_incoming(dump_incoming(message)).media == message.media


UNREADABLE = [
    '{"new": 1}',
    "[]",
    "7",
    '{"media": [7], "content": "x", "timestamp": "2026-01-01"}',
    '{"media": {"a": 1}, "content": "x"}',
    '{"media": null, "content": "x"}',
    '{"media": [], "content": "x", "timestamp": 5}',
    "[" * 5000,
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_row_that_cannot_be_read_stops_no_start(tmp_path: Path, body: str) -> None:
    """It becomes a dead letter, whatever stands in it; what is beside it is taken up."""
    path = tmp_path / "session.db"
    with closing(SqliteSpool(path)) as spool:
        spool.load().result(20)
        for name in ("bad", "good"):
            spool.enqueue(Item("send", OutgoingMessage("wire", "1", "x", id=name), 1.0)).result(20)
            spool.store("wire", [message_of({**SAID, "key": name})], {}).result(20)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE inbox SET body = ? WHERE key = 'bad'", (body,))
        db.execute("UPDATE outbox SET body = ? WHERE id = 'bad'", (body,))
    with closing(SqliteSpool(path)) as spool:
        backlog = spool.load().result(20)
    assert (len(backlog.entries), len(backlog.items), backlog.dead) == (1, 1, {"wire": 2})
