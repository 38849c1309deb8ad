"""Names and keys as people write them."""

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobot_nostr import nip19, nip49
from cobot_nostr.crypto import DecryptError, Key
from cobot_nostr.nip19 import IdentifierError

KEY = Key.from_hex("11" * 32)
HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
URL = st.sampled_from(["wss://a.example", "wss://b.example/x", "ws://127.0.0.1:7777"])


def test_the_vectors_of_nip19():
    """The examples that NIP-19 prints are read and written."""
    public = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
    assert nip19.npub(public) == "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
    text = (
        "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz"
        "4mhxue69uhkg6nzv9ejuumpv34kytnrdaksjlyr9p"
    )
    pointer = nip19.decode(text)
    assert pointer.data == "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
    assert pointer.relays == ("wss://r.x.com", "wss://djbas.sadkb.com")
    assert nip19.nprofile(pointer.data, pointer.relays) == text


@given(HEX, st.lists(URL, max_size=3), HEX, st.integers(0, 65535))
def test_identifiers_come_back(data, relays, author, kind):
    """What we write as an identifier, we read back; `nostr:` before it is allowed."""
    urls = tuple(relays)
    assert nip19.person(nip19.npub(data)) == data
    assert nip19.person("nostr:" + nip19.nprofile(data, urls)) == data
    assert nip19.event(nip19.note(data)) == data
    pointer = nip19.decode(nip19.nevent(data, urls, author, kind))
    assert (pointer.data, pointer.relays, pointer.author, pointer.kind) == (
        data,
        urls,
        author,
        kind,
    )


@given(st.integers(1, 2**255))
def test_another_implementation_writes_the_same_names(number):
    """nostr-sdk writes the same npub and note, and reads our nprofile and nevent."""
    key = Key(number.to_bytes(32, "big"))
    theirs = nostr_sdk.Keys(nostr_sdk.SecretKey.parse(number.to_bytes(32, "big").hex()))
    assert theirs.public_key().to_bech32() == nip19.npub(key.public)
    assert nostr_sdk.EventId.parse(key.public).to_bech32() == nip19.note(key.public)
    profile = nostr_sdk.Nip19Profile.from_bech32(nip19.nprofile(key.public, ("wss://a.example",)))
    assert profile.public_key().to_hex() == key.public
    event = nip19.nevent(key.public, (), key.public, 1)
    assert nostr_sdk.Nip19Event.from_bech32(event).event_id().to_hex() == key.public


@given(st.text(max_size=120))
def test_no_text_breaks_the_reader(text):
    """Whatever a person writes, the answer is a name or IdentifierError."""
    for read in (nip19.person, nip19.event, nip19.decode):
        try:
            read(text)
        except IdentifierError:
            continue


def test_a_private_key_is_never_a_name():
    """An nsec where a name belongs is called what it is, and not repeated."""
    nsec = nip19.encode("nsec", KEY.secret_bytes())
    with pytest.raises(IdentifierError, match="private key") as caught:
        nip19.person(nsec)
    assert nsec not in str(caught.value)


def test_a_mistyped_name_is_told_from_another_kind_of_name():
    """A wrong checksum and a wrong prefix have different messages."""
    good = nip19.npub(KEY.public)
    with pytest.raises(IdentifierError, match="checksum"):
        nip19.person(good[:-1] + ("q" if good[-1] != "q" else "p"))
    with pytest.raises(IdentifierError, match="names no person"):
        nip19.person(nip19.note(KEY.public))


def test_the_vector_of_nip49():
    """The encrypted key that NIP-49 prints opens with its password."""
    text = (
        "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yphnm86"
        "23nsl8xn9j4jdzz84zm3frztj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p"
    )
    secret = nip49.decrypt(text, "nostr").secret_bytes().hex()
    assert secret == "3501454135014541350145413501453fefb02227e449e57cf4d3a3ce05378683"


def test_encrypted_keys_interoperate():
    """nostr-sdk opens what we encrypt, and we open what it encrypts."""
    password = "pass\u212bwörd"
    ours = nip49.encrypt(KEY, password, log_n=4)
    theirs = nostr_sdk.EncryptedSecretKey.from_bech32(ours).decrypt(password)
    assert theirs.to_hex() == KEY.secret_bytes().hex()
    other = nostr_sdk.EncryptedSecretKey(theirs, password, 4, nostr_sdk.KeySecurity.UNKNOWN)
    assert nip49.decrypt(other.to_bech32(), password).public == KEY.public


def test_a_wrong_password_is_told():
    """A wrong password is an error that says so and nothing else."""
    with pytest.raises(DecryptError, match="password"):
        nip49.decrypt(nip49.encrypt(KEY, "right", log_n=4), "wrong")


@pytest.mark.parametrize("log_n", [0, 21, 255])
def test_no_work_and_too_much_of_it_are_refused(log_n):
    """What an encrypted key asks for is bounded on both sides, and refused in words."""
    raw = bytearray(nip19.decode_bytes(nip49.encrypt(KEY, "right", log_n=1), "ncryptsec"))
    raw[1] = log_n
    with pytest.raises(DecryptError, match=f"log_n {log_n}"):
        nip49.decrypt(nip19.encode("ncryptsec", bytes(raw)), "right")


def test_a_key_shows_its_public_half_only():
    """Neither repr, str, format, vars nor pickle shows a private key."""
    import pickle

    shown = f"{KEY!r} {KEY!s} {KEY}"
    assert KEY.secret_bytes().hex() not in shown
    assert KEY.public in shown
    assert not hasattr(KEY, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(KEY)
