"""Encrypted payloads are NIP-44 version 2: the official vectors, and another implementation."""

import base64
import hashlib
import json
import os
from pathlib import Path

import nostr_sdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_nostr import nip44
from cobot_nostr.crypto import DecryptError, Key

ALICE, BOB = Key.from_hex("11" * 32), Key.from_hex("22" * 32)
CONVERSATION = nip44.conversation_key(ALICE, BOB.public)
BOUNDARIES = sorted(
    {
        edge + step
        for power in range(5, 16)
        for edge in (1 << power, 3 << (power - 1))
        for step in (-1, 0, 1)
    }
    | {1, 2, 65407, 65408}
)


def vectors():
    """Return the official vectors: beside the repository, or where COBOT_NIP44_VECTORS says."""
    given = os.environ.get("COBOT_NIP44_VECTORS")
    beside = (up / "shared/data/nip44.vectors.json" for up in Path(__file__).resolve().parents)
    path = Path(given) if given else next((one for one in beside if one.is_file()), None)
    if path is None:
        pytest.skip("the official vectors are not here: name the file in COBOT_NIP44_VECTORS")
    return json.loads(path.read_text("utf-8"))["v2"]


def test_official_conversation_keys():
    """Both sides derive the conversation keys of the official vectors."""
    cases = vectors()["valid"]["get_conversation_key"]
    for case in cases:
        key = nip44.conversation_key(Key.from_hex(case["sec1"]), case["pub2"])
        assert key.hex() == case["conversation_key"]
    assert len(cases) == 35


def test_official_message_keys():
    """The keys of single messages are those of the official vectors."""
    cases = vectors()["valid"]["get_message_keys"]
    conversation = bytes.fromhex(cases["conversation_key"])
    for case in cases["keys"]:
        keys = nip44.message_keys(conversation, bytes.fromhex(case["nonce"]))
        wanted = (case["chacha_key"], case["chacha_nonce"], case["hmac_key"])
        assert tuple(key.hex() for key in keys) == wanted
    assert len(cases["keys"]) == 32


def test_official_padding():
    """Texts are padded to the lengths of the official vectors."""
    cases = vectors()["valid"]["calc_padded_len"]
    assert [nip44.padded_length(length) for length, _ in cases] == [padded for _, padded in cases]
    assert len(cases) == 24


def test_official_messages():
    """The official messages are encrypted to the same payloads, and back."""
    cases = vectors()["valid"]["encrypt_decrypt"]
    for case in cases:
        conversation = bytes.fromhex(case["conversation_key"])
        public = Key.from_hex(case["sec2"]).public
        assert nip44.conversation_key(Key.from_hex(case["sec1"]), public) == conversation
        nonce = bytes.fromhex(case["nonce"])
        assert nip44.encrypt(case["plaintext"], conversation, nonce) == case["payload"]
        assert nip44.decrypt(case["payload"], conversation) == case["plaintext"]
    assert len(cases) == 10


def test_official_long_messages():
    """The official messages of nearly 64 KiB give the same payloads, and come back."""
    cases = vectors()["valid"]["encrypt_decrypt_long_msg"]
    for case in cases:
        text = case["pattern"] * case["repeat"]
        assert hashlib.sha256(text.encode()).hexdigest() == case["plaintext_sha256"]
        conversation = bytes.fromhex(case["conversation_key"])
        payload = nip44.encrypt(text, conversation, bytes.fromhex(case["nonce"]))
        assert hashlib.sha256(payload.encode()).hexdigest() == case["payload_sha256"]
        assert nip44.decrypt(payload, conversation) == text
    assert len(cases) == 3


def test_official_invalid_keys():
    """Keys that are no keys are refused, as the official vectors ask."""
    cases = vectors()["invalid"]["get_conversation_key"]
    for case in cases:
        with pytest.raises(ValueError, match=r"private key|point of the curve"):
            nip44.conversation_key(Key.from_hex(case["sec1"]), case["pub2"])
    assert len(cases) == 8


def test_official_invalid_payloads():
    """Payloads that are damaged, forged or of another version are refused, each for its reason."""
    cases = vectors()["invalid"]["decrypt"]
    for case in cases:
        with pytest.raises(DecryptError):
            nip44.decrypt(case["payload"], bytes.fromhex(case["conversation_key"]))
    assert len(cases) == 12


def test_lengths_that_are_refused():
    """An empty text and one above our bound are refused.

    The vectors also list 65,536 and 100,000 bytes; the NIP allows them since 2026-06-28.
    """
    assert vectors()["invalid"]["encrypt_msg_lengths"] == [0, 65536, 100_000, 10_000_000]
    for length in (0, 10_000_000):
        with pytest.raises(ValueError, match="1 to"):
            nip44.encrypt("x" * length, CONVERSATION)


@pytest.mark.parametrize(
    ("length", "digest"),
    [
        (65535, "6d8c2810d1e870fbaa1f0a0937126cca837a15f9260e27060c331d70a3c0bc84"),
        (65536, "b7b4edb36ba92e267d322d56d9aebc22e7fa96ff52e3c12adc07f07a43cbc616"),
        (65537, "eeb7c7c5373894ea2c1547cfd3ccb15d5a0b2d619da852e5c79df792dcc9e435"),
    ],
)
def test_the_long_prefix_begins_where_the_nip_says(length, digest):
    """The three payloads around 64 KiB that 44.md lists come out exactly, and come back."""
    conversation = bytes.fromhex("c41c775356fd92eadc63ff5a0dc1da211b268cbea22316767095b2871ea1412d")
    payload = nip44.encrypt("a" * length, conversation, bytes(31) + b"\x01")
    assert hashlib.sha256(payload.encode()).hexdigest() == digest
    assert nip44.decrypt(payload, conversation) == "a" * length


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_what_we_encrypt_another_implementation_reads(text):
    """nostr-sdk decrypts our payloads."""
    theirs = nostr_sdk.SecretKey.parse("22" * 32)
    payload = nip44.encrypt(text, CONVERSATION)
    assert nostr_sdk.nip44_decrypt(theirs, public(ALICE), payload) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_what_another_implementation_encrypts_we_read(text):
    """We decrypt nostr-sdk's payloads."""
    theirs = nostr_sdk.SecretKey.parse("22" * 32)
    payload = nostr_sdk.nip44_encrypt(theirs, public(ALICE), text, nostr_sdk.Nip44Version.V2)
    assert nip44.decrypt(payload, CONVERSATION) == text


@pytest.mark.parametrize("length", [n for n in BOUNDARIES if n <= 65408])
def test_every_boundary_length_interoperates(length):
    """At each length where padding changes, both implementations read each other."""
    theirs = nostr_sdk.SecretKey.parse("22" * 32)
    text = "é" * (length // 2) + "x" * (length % 2)
    ours = nip44.encrypt(text, CONVERSATION)
    assert nostr_sdk.nip44_decrypt(theirs, public(ALICE), ours) == text
    other = nostr_sdk.nip44_encrypt(theirs, public(ALICE), text, nostr_sdk.Nip44Version.V2)
    assert len(other) == len(ours)
    assert nip44.decrypt(other, CONVERSATION) == text


@settings(max_examples=30)
@given(st.integers(1, 200_000), st.integers(0))
def test_long_texts_come_back_and_damage_shows(length, at):
    """A text of any length comes back, and one flipped bit anywhere is noticed."""
    text = "x" * length
    payload = nip44.encrypt(text, CONVERSATION)
    assert nip44.decrypt(payload, CONVERSATION) == text
    raw = bytearray(base64.b64decode(payload))
    raw[at % len(raw)] ^= 1
    with pytest.raises(DecryptError):
        nip44.decrypt(base64.b64encode(raw).decode(), CONVERSATION)


@given(st.text(max_size=400) | st.binary(max_size=300).map(lambda b: base64.b64encode(b).decode()))
def test_no_payload_breaks_the_reader(payload):
    """Whatever a relay sends as a payload, the answer is DecryptError."""
    with pytest.raises(DecryptError):
        nip44.decrypt(payload, CONVERSATION)


def test_a_short_text_with_the_long_prefix_is_refused():
    """One text has one encoding: the long prefix on a short text is wrong padding."""
    nonce = bytes(32)
    cipher_key, cipher_nonce, mac_key = nip44.message_keys(CONVERSATION, nonce)
    padded = bytes(2) + (5).to_bytes(4, "big") + b"short" + bytes(27)
    ciphertext = nip44._chacha20(cipher_key, cipher_nonce, padded)
    import hmac

    mac = hmac.digest(mac_key, nonce + ciphertext, "sha256")
    with pytest.raises(DecryptError, match="padding"):
        nip44.decrypt(base64.b64encode(b"\x02" + nonce + ciphertext + mac).decode(), CONVERSATION)


def public(key):
    return nostr_sdk.PublicKey.parse(key.public)
