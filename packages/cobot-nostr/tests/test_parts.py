"""Small rooms: chats, threads, work, addresses, the ledger."""

import ipaddress
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_nostr import addresses, chats, nip19, threads, work
from cobot_nostr.crypto import Key
from cobot_nostr.event import event_id, make_rumor
from cobot_nostr.ledger import BLOCK, KEPT_BLOCKS, Known, Ledger

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
PERSON = Key.from_hex("11" * 32).public


def note(*tags):
    return make_rumor(PERSON, 1, 1, tags, "")


@pytest.mark.parametrize(
    ("tags", "root", "parent"),
    [
        ([], None, None),
        ([["e", A]], A, A),
        ([["e", A], ["e", B]], A, B),
        ([["e", A], ["e", C], ["e", B]], A, B),
        ([["e", A, "", "root"]], A, A),
        ([["e", B, "", "reply"], ["e", A, "", "root"]], A, B),
        ([["e", B, "", "reply"]], B, B),
        ([["e", C, "", "mention"]], None, None),
        ([["e", "nonsense"], ["e"], ["e", ""]], None, None),
    ],
)
def test_places_in_threads(tags, root, parent):
    """Marked tags, bare tags by their order, and tags that are none (NIP-10)."""
    made = note(*tags)
    assert threads.place(made) == threads.Place(root or made.id, parent)


def test_an_answer_is_found_where_it_was_put():
    """The tags we write place a note where we meant it."""
    for parent in (None, A, B):
        made = note(*threads.answer_tags(A, parent, [PERSON, PERSON]))
        assert threads.place(made) == threads.Place(A, parent or A)
        assert made.values("p") == [PERSON]


@pytest.mark.parametrize(
    "text",
    [
        PERSON,
        ",".join(sorted([PERSON, Key.from_hex("22" * 32).public])),
        f"nip04/{PERSON}",
        "notes",
        f"notes/{A}",
        f"channel/{A}",
        "group/cooks",
    ],
)
def test_chat_ids_come_back(text):
    """A chat id names a chat, and the chat gives the id."""
    assert str(chats.parse(text)) == text


@pytest.mark.parametrize("bits", [1, 8, 12])
def test_work_is_real(bits):
    """A mined rumor has as many zero bits, its id is right, and it says how many were meant."""
    mined = work.mined(make_rumor(PERSON, 1, 1, [["t", '["nonce","1000000000000",']], '"'), bits)
    assert work.bits(mined.id) >= bits
    assert mined.id == event_id(PERSON, 1, 1, mined.tags, '"')


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("wss://A.example", "wss://a.example"),
        ("wss://a.example/", "wss://a.example"),
        ("wss://a.example:443/x/?y=1#z", "wss://a.example/x?y=1"),
        ("ws://[::1]:80", "ws://[::1]"),
        ("ws://127.0.0.1:7777", "ws://127.0.0.1:7777"),
        ("https://a.example", None),
        ("wss://user:pass@a.example", None),
        ("wss://", None),
        ("wss://a.example:99999", None),
        ("wss://a b", None),
        ("wss://[", None),
        ("wss://a.example/" + "x" * 300, None),
    ],
)
def test_relays_are_spelled_one_way(url, spelled):
    """Two spellings of one relay are one relay; what is none is none."""
    assert addresses.normalised(url) == spelled


@given(st.text(max_size=60))
def test_no_text_breaks_the_speller(text):
    """Whatever stands in a relay list, the answer is an address or None."""
    spelled = addresses.normalised("wss://" + text)
    assert spelled is None or addresses.normalised(spelled) == spelled


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost"])
async def test_addresses_inside_are_refused(host):
    """A stranger's address that leads inside our own network is refused."""
    with pytest.raises(OSError, match="public"):
        await addresses.checked_address(f"wss://{host}")


@pytest.mark.anyio
async def test_a_public_address_is_pinned():
    """What was checked is what is connected to."""
    found = await addresses.checked_address("wss://9.9.9.9:444")
    assert (ipaddress.ip_address(found["host"]).is_global, found["port"]) == (True, 444)


def known(number):
    return Known(kind=1, author=PERSON, chat="notes", about=f"{number}")


@settings(max_examples=20)
@given(st.lists(st.integers(1, 3 * BLOCK), max_size=6))
def test_the_ledger_survives_a_restart(sizes):
    """What was added is known, in this life and in the next, from JSON alone."""
    state, ledger, count = {}, Ledger({}), 0
    ledger = Ledger(state)
    for size in sizes:
        ledger.add({f"{n}": known(n) for n in range(count, count + size)})
        count += size
    again = Ledger(json.loads(json.dumps(state)))
    assert len(again) == len(ledger) == count
    assert all(again.known(f"{n}")["about"] == f"{n}" for n in range(count))
    assert f"{count}" not in again
    assert all(len(block["events"]) <= BLOCK for block in state.values())


def test_the_ledger_forgets_old_blocks_but_not_the_latest():
    """Blocks that no relay can repeat any more go; a few are kept for answers."""
    state = {}
    ledger = Ledger(state)
    ledger.add({f"{n}": None for n in range((KEPT_BLOCKS + 3) * BLOCK)})
    ledger.forget(before=2**40)
    assert len(state) == KEPT_BLOCKS
    assert "0" not in ledger
    assert f"{3 * BLOCK}" in ledger
    assert len(Ledger(state)) == len(ledger) == KEPT_BLOCKS * BLOCK


def test_people_who_wrote_in_public_are_known_latest_first():
    """Their deletion requests are listened for; private chats need none."""
    ledger = Ledger({})
    ledger.add(
        {
            "1": Known(kind=1, author=A, chat="notes/x", about=""),
            "2": Known(kind=14, author=B, chat=B, about=""),
            "3": Known(kind=4, author=C, chat=f"nip04/{C}", about=""),
        }
    )
    assert ledger.authors(10) == [C, A]
    assert ledger.authors(1) == [C]


def test_a_shareable_event_name_keeps_what_it_says():
    """nevent carries relays, author and kind."""
    pointer = nip19.decode(nip19.nevent(A, ("wss://a.example",), B, 30023))
    assert pointer == nip19.Pointer("nevent", A, ("wss://a.example",), B, 30023)
