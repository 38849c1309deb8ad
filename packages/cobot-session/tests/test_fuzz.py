"""Whatever a channel hands over costs at most itself: normalising, judging, storing."""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_session.config.settings import AccessSettings
from cobot_session.gate.drops import Drops
from cobot_session.gate.flood import Flood
from cobot_session.gate.rules import Rules
from cobot_session.normalise import incoming
from cobot_session.spool.codec import dump_incoming, load_incoming

pytestmark = pytest.mark.slow

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
JSON = st.recursive(
    SCALARS | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
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
CLOSED = Rules(users=frozenset({"the owner, and nobody else"}))
LOG = logging.getLogger("cobot_session.plugin.fuzz")


def message_of(fields: dict[str, Any]) -> Any:
    """Return what the session makes of it; `None`: it is malformed, and told so."""
    with contextlib.suppress(ValueError, TypeError, OverflowError, AttributeError, OSError):
        return incoming(SimpleNamespace(**fields), "fuzz")
    return None


@settings(deadline=None, max_examples=100)
@given(st.fixed_dictionaries(GOOD) | ODD)
def test_no_message_breaks_the_gate_or_opens_it(fields: dict[str, Any]) -> None:
    """What becomes a message is judged without an exception, and is none of the owner's."""
    message = message_of(fields)
    if message is not None:
        Flood(AccessSettings().rates).too_fast(message, admitted=True)
        Drops(LOG).note("stranger", message)
        assert not CLOSED.admit(message)


@settings(deadline=None, max_examples=100)
@given(st.fixed_dictionaries(GOOD) | ODD)
def test_what_becomes_a_message_can_be_stored(fields: dict[str, Any]) -> None:
    """It is read back as it was, but for metadata that no JSON can hold."""
    message = message_of(fields)
    if message is not None:
        again = load_incoming(dump_incoming(message))
        for name in ("channel_id", "sender_id", "kind", "direct", "space_id", "roles", "timestamp"):
            assert getattr(again, name) == getattr(message, name)
        assert isinstance(again.timestamp, datetime)
