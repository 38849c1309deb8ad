"""Events are what NIP-01 says, and nothing else is believed."""

import contextlib
import json

import nostr_sdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_nostr.crypto import Key
from cobot_nostr.event import EventError, event_id, make_event, make_rumor, matches, parse_event

KEY = Key.from_hex("11" * 32)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
PRINTABLE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(n) for n in range(32)]),
    max_size=60,
)
TAGS = st.lists(st.lists(PRINTABLE, min_size=1, max_size=4), max_size=4)


def signed(**changes):
    event = make_event(KEY, 1_700_000_000, 1, [["t", "x"]], "hello").to_dict()
    return {**event, **changes}


def test_a_known_event_is_serialised_as_nip01_says():
    """The seven characters of NIP-01 are escaped and every other one stands as it is."""
    text = '\n"\\\r\t\b\f/\x01\x7f é☃'
    wanted = '[0,"aa",5,1,[],"\\n\\"\\\\\\r\\t\\b\\f/\x01\x7f é☃"]'
    from hashlib import sha256

    assert event_id("aa", 5, 1, (), text) == sha256(wanted.encode()).hexdigest()


@given(TEXT, TAGS)
def test_events_survive_the_way_over_json(content, tags):
    """Whatever we sign, we can read back from JSON unchanged."""
    event = make_event(KEY, 1_700_000_000, 1, tags, content)
    assert parse_event(json.loads(event.to_json())) == event


@given(PRINTABLE, TAGS)
def test_another_implementation_accepts_our_events(content, tags):
    """nostr-sdk computes the same id and verifies our signature."""
    event = make_event(KEY, 1_700_000_000, 1, tags, content)
    assert nostr_sdk.Event.from_json(event.to_json()).verify()


@given(TEXT)
def test_we_accept_the_events_of_another_implementation(content):
    """An event of nostr-sdk is read, control characters included, which it escapes differently."""
    keys = nostr_sdk.Keys.generate()
    event = nostr_sdk.EventBuilder(nostr_sdk.Kind(1), content).finalize(keys)
    assert parse_event(json.loads(event.as_json())).content == content


@pytest.mark.parametrize(
    "changes",
    [
        {"content": "hellO"},
        {"created_at": 1_700_000_001},
        {"created_at": 1.5},
        {"created_at": True},
        {"created_at": -1},
        {"kind": 65536},
        {"kind": "1"},
        {"tags": [["t", 1]]},
        {"tags": [[]]},
        {"tags": "t"},
        {"tags": [["t"] * 65]},
        {"content": None},
        {"content": "\ud800"},
        {"pubkey": "AA" * 32},
        {"pubkey": "00" * 32},
        {"sig": "00" * 64},
        {"sig": None},
        {"id": "00" * 32},
        {"id": 7},
    ],
)
def test_an_event_that_was_changed_is_refused(changes):
    """Any change to a signed event, and any wrong shape, makes it invalid."""
    assert parse_event(signed()).content == "hello"
    with pytest.raises(EventError):
        parse_event(signed(**changes))


def test_a_signature_of_another_author_is_refused():
    """A valid signature by another key does not make it the author's event."""
    other = make_event(Key(), 1_700_000_000, 1, [["t", "x"]], "hello")
    with pytest.raises(EventError, match="signature"):
        parse_event(signed(sig=other.sig))


@pytest.mark.parametrize("value", [None, [], "x", 5, {}, {"id": "x"}])
def test_what_is_no_event_is_refused(value):
    """JSON that is no event gives one kind of error, whatever it is."""
    with pytest.raises(EventError):
        parse_event(value)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(["id", "pubkey", "created_at", "kind", "tags", "content", "sig"]),
)
def test_no_json_breaks_the_parser(value, field):
    """Whatever stands in a field, the parser answers with the event or with EventError."""
    with contextlib.suppress(EventError):
        assert parse_event(signed(**{field: value})).to_dict() == signed()


def test_filters_select_as_nip01_says():
    """Ids, authors, kinds and tags are alternatives inside a field and conditions across fields."""
    event = make_rumor("aa" * 32, 100, 1, [["p", "bb"], ["e", "cc", "x"]], "")
    assert matches(event, [{"kinds": [0, 1], "#p": ["zz", "bb"]}])
    assert matches(event, [{"kinds": [7]}, {"since": 100, "until": 100}])
    assert not matches(event, [{"kinds": [1], "#p": ["cc"]}])
    assert not matches(event, [{"#e": ["x"]}])
    assert not matches(event, [{"since": 101}])
    assert not matches(event, [{"ids": [], "kinds": [1]}])
    assert not matches(event, [])
