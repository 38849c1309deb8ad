"""What relays, and people by way of them, send: frames, events, wraps, ids, documents."""

from __future__ import annotations

import base64
import hmac
import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

from cobot_nostr import attachments, chats, directory, giftwrap, nip19, nip44, nip49, threads, wire
from cobot_nostr.addresses import normalised
from cobot_nostr.crypto import DecryptError, Key
from cobot_nostr.event import (
    Event,
    EventError,
    Rumor,
    make_event,
    make_rumor,
    parse_event,
    parse_rumor,
)
from cobot_nostr.parse import Parser
from cobot_nostr.work import bits
from cobot_session.errors import PermanentError
from fuzzing.values import Source

BOT, EVE = Key.from_hex("b0" * 32), Key.from_hex("e0" * 32)
TOGETHER = nip44.conversation_key(EVE, BOT.public)
NOW = 1767225600
TAGS = [
    ["p", BOT.public], ["e", "0" * 64, "wss://relay.example", "root", EVE.public], ["h", "g"],
    ["q", "1" * 64], ["k", "1"], ["expiration", "9"], ["subject", "s"], ["nonce", "1", "20"],
    ["imeta", "url https://a.example/b.png", "m image/png", "size 3"], ["relay", "wss://a.example"],
    ["decryption-key", "00" * 32], ["decryption-nonce", "00" * 12], ["x", "0" * 64],
    ["encryption-algorithm", "aes-gcm"], ["file-type", "image/png"], ["size", "3"],
]  # fmt: skip
KINDS = (0, 1, 4, 5, 7, 9, 13, 14, 15, 42, 1059, 10050)
EVENTS: list[Any] = [
    make_event(EVE, NOW, 1, TAGS, "hello nostr:npub1x").to_dict(),
    make_rumor(EVE.public, NOW, 14, TAGS, "hello").to_dict(),
]
FRAMES: list[Any] = [
    ["EVENT", "sub", EVENTS[0]],
    ["OK", "0" * 64, False, "pow: difficulty 30"],
    ["CLOSED", "sub", "auth-required: x"],
    ["AUTH", "challenge"],
]
DOCUMENT = {"limitation": {"max_limit": 5, "max_event_tags": 1, "max_message_length": 9}}
PREFIXES = ("npub", "nsec", "note", "nprofile", "nevent", "naddr", "ncryptsec")
PARSER = Parser(
    BOT,
    handled=lambda _: False,
    known=lambda _: None,
    name=lambda _: "somebody",
    groups=["g"],
    channels=["0" * 64],
)


def nostr_frame(data: bytes) -> None:
    """A frame of a relay, its document, and an event or rumor as it comes."""
    source = Source(data)
    with suppress(wire.ProtocolError):
        wire.parse(json.dumps(source.value(FRAMES)))
    with suppress(EventError):
        parse_event(source.value(EVENTS))
    with suppress(EventError):
        _told(parse_rumor(source.value(EVENTS)))
    wire.RelayLimits.of(source.value([DOCUMENT]))
    with suppress(wire.ProtocolError):
        wire.parse(source.rest())


def nostr_event(data: bytes) -> None:
    """Anything that its author signed: messages of that author, or nothing."""
    source = Source(data)
    kind = KINDS[source.below(len(KINDS))]
    tags = source.value([TAGS])
    content = source.text(200)
    try:
        event = parse_event(make_event(EVE, NOW, kind, tags, content).to_dict())
    except (EventError, TypeError, AttributeError, UnicodeEncodeError):
        return  # what cannot even be signed
    _told(event)
    directory.relays_in(event)
    directory._name_in(event)
    _are_of_their_author(event)


def nostr_wrap(data: bytes) -> None:
    """What was encrypted for us: a rumor of who sealed it, or one of two errors."""
    source = Source(data)
    inside = json.dumps(source.value(EVENTS)) if source.below(4) else source.text(200) or "x"
    sealed = source.below(3)
    with suppress(ValueError):  # too long to be encrypted, or not to be spelled
        if sealed:
            inside = make_event(EVE, NOW, 13, [], nip44.encrypt(inside, TOGETHER)).to_json()
        wrap = make_event(EVE, NOW, 1059, [["p", BOT.public]], nip44.encrypt(inside, TOGETHER))
        _are_of_their_author(parse_event(wrap.to_dict()))
        with suppress(EventError, DecryptError):
            if giftwrap.unwrap(BOT, wrap).sender != EVE.public:
                raise AssertionError("somebody spoke for another")


def _are_of_their_author(event: Event) -> None:
    for message in PARSER.parse(event, PARSER.opened(event), "wss://relay", NOW).messages:
        if message.sender_id != EVE.public:
            raise AssertionError("somebody spoke for another")


def _told(rumor: Rumor) -> None:
    for media in attachments.media_of(rumor):
        with suppress(PermanentError):
            attachments.decrypted(media, b"data")
    threads.place(rumor)
    bits(rumor.id)


def nostr_id(data: bytes) -> None:
    """An id as people write it, with a checksum that is right as often as not; an address."""
    source = Source(data)
    prefix: Any = PREFIXES[source.below(len(PREFIXES))]
    text = source.text(100) if source.below(2) else nip19.encode(prefix, source.rest())
    for read in (nip19.decode, nip19.person, nip19.event, chats.parse):
        with suppress(nip19.IdentifierError):
            read(text)
    nip19.holds_private_key(text)
    nip19.is_nip05(text)
    normalised(f"wss://{text}")


def nostr_cipher(data: bytes) -> None:
    """Payloads of NIP-44, NIP-04 and NIP-49: also those whose seal is right and nothing else."""
    source = Source(data)
    way = source.below(4)
    raw = source.rest()
    text = raw.decode("utf-8", "replace")
    with suppress(DecryptError, nip19.IdentifierError):
        match way:
            case 0:
                nip44.decrypt(text, TOGETHER)
            case 1:
                nip44.decrypt(_authentic(raw), TOGETHER)
            case 2:
                BOT.decrypt_nip04(text if len(raw) % 2 else _old(raw), EVE.public)
            case _:
                held = bytearray(raw[:91].ljust(91, b"\x02"))
                held[1] = held[1] % 3 if held[1] <= nip49.MAX_LOG_N else held[1]  # little work
                nip49.decrypt(nip19.encode("ncryptsec", bytes(held)), "password")


def _authentic(padded: bytes) -> str:
    """Return bytes as somebody who has the key would send them, whatever they hold."""
    nonce = bytes(32)
    cipher_key, cipher_nonce, mac_key = nip44.message_keys(TOGETHER, nonce)
    ciphertext = nip44._chacha20(cipher_key, cipher_nonce, padded)
    mac = hmac.digest(mac_key, nonce + ciphertext, "sha256")
    return base64.b64encode(b"\x02" + nonce + ciphertext + mac).decode()


def _old(raw: bytes) -> str:
    return f"{base64.b64encode(raw).decode()}?iv={base64.b64encode(raw[:16]).decode()}"


def nostr_profile(data: bytes) -> None:
    """A profile, and a list of relays that somebody names."""
    source = Source(data)
    content = json.dumps(source.value([{"name": "Ann", "display_name": "A"}, ["x"], "x"]))
    event = cast("Event", SimpleNamespace(content=content if source.below(4) else source.text(90)))
    directory._name_in(event)
    normalised(source.text(320))
