"""Gift wraps hide who writes to whom, and prove it to the receiver."""

import asyncio
import json

import nostr_sdk
import pytest

from cobot_nostr import giftwrap, nip44
from cobot_nostr.crypto import DecryptError, Key
from cobot_nostr.event import EventError, make_event, make_rumor, parse_event

ALICE, BOB, EVE = (Key.from_hex(digit * 64) for digit in "123")
NOW = 1_700_000_000


def rumor(key=ALICE, text="hi"):
    return make_rumor(key.public, NOW, 14, [["p", BOB.public]], text)


def test_a_wrap_opens_for_its_receiver_only():
    """The receiver learns rumor and sender; nobody else can open it; nothing outside tells who."""
    wrap = giftwrap.wrap(ALICE, rumor(), BOB.public, NOW)
    opened = giftwrap.unwrap(BOB, parse_event(json.loads(wrap.to_json())))
    assert (opened.sender, opened.rumor) == (ALICE.public, rumor())
    assert ALICE.public not in wrap.to_json()
    with pytest.raises(DecryptError):
        giftwrap.unwrap(EVE, wrap)


def test_wraps_are_dated_back_up_to_two_days():
    """Seal and wrap have times of their own, never later than now."""
    wraps = [giftwrap.wrap(ALICE, rumor(), BOB.public, NOW) for _ in range(20)]
    assert all(NOW - giftwrap.BACKDATED <= wrap.created_at <= NOW for wrap in wraps)
    assert len({wrap.created_at for wrap in wraps}) > 10


def test_a_seal_by_another_hand_is_refused():
    """Eve cannot make Bob believe that Alice wrote something."""
    forged = make_rumor(ALICE.public, NOW, 14, [["p", BOB.public]], "send money to Eve")
    sealed = nip44.encrypt(forged.to_json(), nip44.conversation_key(EVE, BOB.public))
    seal = make_event(EVE, NOW, giftwrap.SEAL, (), sealed)
    content = nip44.encrypt(seal.to_json(), nip44.conversation_key(EVE, BOB.public))
    wrap = make_event(EVE, NOW, giftwrap.GIFT_WRAP, [["p", BOB.public]], content)
    with pytest.raises(EventError, match="another author"):
        giftwrap.unwrap(BOB, wrap)


@pytest.mark.parametrize("inside", ["not json", "[" * 100_000, "[]", '{"kind": 13}', "null"])
def test_rubbish_in_a_wrap_is_refused(inside):
    """Whatever is encrypted to us, the answer is an error of ours."""
    content = nip44.encrypt(inside, nip44.conversation_key(EVE, BOB.public))
    wrap = make_event(EVE, NOW, giftwrap.GIFT_WRAP, [["p", BOB.public]], content)
    with pytest.raises(EventError):
        giftwrap.unwrap(BOB, wrap)


def test_an_unsigned_seal_is_refused():
    """A seal proves the author by its signature; without one it proves nothing."""
    sealed = nip44.encrypt(rumor().to_json(), nip44.conversation_key(ALICE, BOB.public))
    seal = make_event(ALICE, NOW, giftwrap.SEAL, (), sealed).to_dict()
    seal["sig"] = "00" * 64
    content = nip44.encrypt(json.dumps(seal), nip44.conversation_key(EVE, BOB.public))
    wrap = make_event(EVE, NOW, giftwrap.GIFT_WRAP, [["p", BOB.public]], content)
    with pytest.raises(EventError, match="signature"):
        giftwrap.unwrap(BOB, wrap)


def test_another_implementation_opens_our_wraps():
    """nostr-sdk opens our gift wrap and finds the sender proven."""

    async def opened():
        bob = nostr_sdk.Keys(nostr_sdk.SecretKey.parse("2" * 64))
        wrap = giftwrap.wrap(ALICE, rumor(text="grüße\n☃"), BOB.public, NOW)
        return await nostr_sdk.UnwrappedGift.from_gift_wrap_async(
            bob, nostr_sdk.Event.from_json(wrap.to_json())
        )

    gift = asyncio.run(opened())
    assert gift.sender().to_hex() == ALICE.public
    assert gift.rumor().content() == "grüße\n☃"


def test_we_open_the_wraps_of_another_implementation():
    """We open nostr-sdk's private message and find its rumor, id included."""
    alice = nostr_sdk.Keys(nostr_sdk.SecretKey.parse("1" * 64))
    event = nostr_sdk.nip17_make_private_msg(alice, nostr_sdk.PublicKey.parse(BOB.public), "hé")
    opened = giftwrap.unwrap(BOB, parse_event(json.loads(event.as_json())))
    assert opened.sender == ALICE.public
    assert (opened.rumor.kind, opened.rumor.content) == (14, "hé")


def test_old_direct_messages_interoperate():
    """NIP-04 is read and written as nostr-sdk does."""
    theirs = nostr_sdk.SecretKey.parse("2" * 64)
    alice = nostr_sdk.PublicKey.parse(ALICE.public)
    assert nostr_sdk.nip04_decrypt(theirs, alice, ALICE.encrypt_nip04("hé", BOB.public)) == "hé"
    assert ALICE.decrypt_nip04(nostr_sdk.nip04_encrypt(theirs, alice, "hé"), BOB.public) == "hé"
    for rubbish in ("", "x", "x?iv=x", "AAAA?iv=AAAA", "?iv=" + "A" * 24):
        with pytest.raises(DecryptError):
            ALICE.decrypt_nip04(rubbish, BOB.public)
