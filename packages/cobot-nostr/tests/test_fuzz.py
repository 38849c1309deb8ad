"""What relays and strangers send, whatever it holds: one kind of error, or nothing."""

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_nostr import giftwrap, nip44, wire
from cobot_nostr.crypto import DecryptError, Key
from cobot_nostr.event import EventError, make_event, make_rumor, parse_event
from cobot_nostr.parse import Parser

pytestmark = pytest.mark.slow

BOT, EVE = Key.from_hex("b0" * 32), Key.from_hex("e0" * 32)
NOW = int(time.time())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
TAGS = st.lists(
    st.lists(
        st.sampled_from(
            ["e", "p", "h", "q", "k", "imeta", "expiration", "root", BOT.public, EVE.public]
        )
        | st.text(max_size=70),
        max_size=5,
    ),
    max_size=6,
)
KINDS = st.sampled_from([0, 1, 4, 5, 7, 9, 14, 15, 42]) | st.integers(0, 65535)


def parser():
    return Parser(
        BOT,
        handled=lambda _: False,
        known=lambda _: None,
        name=lambda _: "somebody",
        groups=["h"],
        channels=["e"],
    )


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60) | st.binary(max_size=60) | JSON.map(json.dumps))
def test_no_frame_breaks_the_reader(frame):
    """A relay's frame is a list that begins with its name, or a `ProtocolError`."""
    with contextlib.suppress(wire.ProtocolError):
        assert isinstance(wire.parse(frame)[0], str)


@settings(deadline=None, max_examples=100)
@given(KINDS, TAGS, st.text(max_size=60))
def test_no_event_breaks_the_parser(kind, tags, content):
    """A valid signature around anything: messages of its author, or nothing."""
    try:
        event = parse_event(make_event(EVE, NOW, kind, tags, content).to_dict())
    except EventError:
        return
    own = parser()
    for message in own.parse(event, own.opened(event), "wss://relay", NOW).messages:
        assert message.sender_id == EVE.public


@settings(deadline=None, max_examples=60)
@given(KINDS, TAGS, st.text(max_size=60))
def test_no_rumor_breaks_the_parser(kind, tags, content):
    """The same in a wrap."""
    event = giftwrap.wrap(EVE, make_rumor(EVE.public, NOW, kind, tags, content), BOT.public, NOW)
    own = parser()
    for message in own.parse(event, own.opened(event), "wss://relay", NOW).messages:
        assert message.sender_id == EVE.public


@settings(deadline=None, max_examples=60)
@given(JSON.map(json.dumps) | st.text(min_size=1, max_size=60), st.booleans())
def test_nothing_in_a_wrap_breaks_it(inside, in_a_seal):
    """What was encrypted for us is a rumor of its author, or one of two errors."""
    conversation = nip44.conversation_key(EVE, BOT.public)
    if in_a_seal:
        inside = make_event(EVE, NOW, 13, [], nip44.encrypt(inside, conversation)).to_json()
    event = make_event(EVE, NOW, 1059, [["p", BOT.public]], nip44.encrypt(inside, conversation))
    with contextlib.suppress(EventError, DecryptError):
        assert giftwrap.unwrap(BOT, event).sender == EVE.public
