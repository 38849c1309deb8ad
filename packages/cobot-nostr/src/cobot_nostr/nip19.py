"""Names of people, keys and events as NIP-19 writes them, and the ways a person may write one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pynostr import bech32  # type: ignore[import-untyped]

Prefix: TypeAlias = Literal["npub", "nsec", "note", "nprofile", "nevent", "naddr", "ncryptsec"]

_BARE: dict[str, int] = {"npub": 32, "nsec": 32, "note": 32, "ncryptsec": 91}
_TLV = {"nprofile", "nevent", "naddr"}
_HEX64 = re.compile(r"[0-9a-fA-F]{64}")
_NIP05 = re.compile(r"(?:[A-Za-z0-9_.+-]+@)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PRIVATE = re.compile(r"(?:nsec|ncryptsec)1[02-9ac-hj-np-z]{8,}", re.IGNORECASE)
_MAX_LENGTH = 5000
"""Characters of one identifier (NIP-19 recommends this limit)."""

_SPECIAL, _RELAY, _AUTHOR, _KIND = 0, 1, 2, 3


class IdentifierError(ValueError):
    """A text is no identifier of the kind that is needed here; it is not quoted."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a shareable identifier says.

    Attributes:
        prefix: which of NIP-19's identifiers it is.
        data: the key or event id in hexadecimal; for `naddr` its `d` tag.
        relays: where to look.
        author: the author's public key, if told.
        kind: the event's kind, if told.
    """

    prefix: str
    data: str
    relays: tuple[str, ...] = ()
    author: str | None = None
    kind: int | None = None


def encode(prefix: Prefix, data: bytes) -> str:
    """Return bytes as bech32 with that prefix."""
    text: str = bech32.bech32_encode(prefix, bech32.convertbits(data, 8, 5), bech32.Encoding.BECH32)
    return text


def npub(public: str) -> str:
    """Return a public key (64 hexadecimal digits) as `npub1…`."""
    return encode("npub", bytes.fromhex(public))


def note(event_id: str) -> str:
    """Return an event id (64 hexadecimal digits) as `note1…`."""
    return encode("note", bytes.fromhex(event_id))


def nprofile(public: str, relays: tuple[str, ...] = ()) -> str:
    """Return a public key with the relays where to find its owner, as `nprofile1…`."""
    return encode("nprofile", _entry(_SPECIAL, bytes.fromhex(public)) + _relay_entries(relays))


def nevent(
    event_id: str, relays: tuple[str, ...] = (), author: str | None = None, kind: int | None = None
) -> str:
    """Return an event id with its relays, author and kind, as `nevent1…`."""
    entries = _entry(_SPECIAL, bytes.fromhex(event_id)) + _relay_entries(relays)
    if author is not None:
        entries += _entry(_AUTHOR, bytes.fromhex(author))
    if kind is not None:
        entries += _entry(_KIND, kind.to_bytes(4, "big"))
    return encode("nevent", entries)


def _entry(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value)]) + value


def _relay_entries(relays: tuple[str, ...]) -> bytes:
    return b"".join(_entry(_RELAY, url.encode("ascii")) for url in relays)


def prefix_of(text: str) -> str:
    """Return what stands before the last `1` of a bech32 text, lower case; empty: it is none."""
    return text.lower().rpartition("1")[0]


def decode_bytes(text: str, prefix: str) -> bytes:
    """Return the bytes of a bech32 text with that prefix.

    Raises:
        IdentifierError: another prefix, a wrong checksum or a wrong length.
    """
    if len(text) > _MAX_LENGTH:
        raise IdentifierError(f"an identifier has at most {_MAX_LENGTH} characters")
    hrp, data, spec = bech32.bech32_decode(text)
    if hrp is None or spec is not bech32.Encoding.BECH32:
        raise IdentifierError(f"the checksum of this {prefix} is wrong: it was mistyped or cut off")
    if hrp != prefix:
        raise IdentifierError(f"this is an {hrp}, not an {prefix}")
    raw = bech32.convertbits(data, 5, 8, False)
    if raw is None or _BARE.get(prefix, len(raw)) != len(raw):
        raise IdentifierError(f"this {prefix} has a wrong length")
    return bytes(raw)


def decode(text: str) -> Pointer:
    """Return what an identifier says; `nostr:` before it is allowed (NIP-21).

    Raises:
        IdentifierError: it is none of NIP-19's public identifiers, or damaged.
    """
    text = text.strip().removeprefix("nostr:")
    prefix = prefix_of(text)
    if prefix in {"npub", "note"}:
        return Pointer(prefix, decode_bytes(text, prefix).hex())
    if prefix in _TLV:
        return _decode_tlv(prefix, decode_bytes(text, prefix))
    if holds_private_key(text):
        raise IdentifierError("this is a private key, which names nobody; keep it secret")
    raise IdentifierError("this is no identifier of NIP-19")


def _decode_tlv(prefix: str, raw: bytes) -> Pointer:
    entries = _entries(raw)
    special = next((value for kind, value in entries if kind == _SPECIAL), None)
    if special is None or (prefix != "naddr" and len(special) != 32):  # a key
        raise IdentifierError(f"this {prefix} names nothing")
    author = next((v.hex() for k, v in entries if k == _AUTHOR and len(v) == 32), None)
    kind = next((int.from_bytes(v, "big") for k, v in entries if k == _KIND and len(v) == 4), None)
    relays = tuple(v.decode("ascii") for k, v in entries if k == _RELAY and v.isascii())
    data = special.decode(errors="replace") if prefix == "naddr" else special.hex()
    return Pointer(prefix, data, relays, author, kind)


def _entries(raw: bytes) -> list[tuple[int, bytes]]:
    entries, at = [], 0
    while at + 2 <= len(raw):
        kind, length = raw[at], raw[at + 1]
        value = raw[at + 2 : at + 2 + length]
        if len(value) != length:
            raise IdentifierError("this identifier is cut off")
        entries.append((kind, value))
        at += 2 + length
    return entries


def person(text: str) -> str:
    """Return the public key a person wrote: `npub`, `nprofile` or hexadecimal.

    Raises:
        IdentifierError: it names no person. A NIP-05 address must be looked up first.
    """
    text = text.strip()
    if _HEX64.fullmatch(text):
        return text.lower()
    pointer = decode(text)
    if pointer.prefix not in {"npub", "nprofile"}:
        raise IdentifierError(f"this is an {pointer.prefix}, which names no person")
    return pointer.data


def event(text: str) -> str:
    """Return the event id a person wrote: `note`, `nevent` or hexadecimal.

    Raises:
        IdentifierError: it names no event.
    """
    text = text.strip()
    if _HEX64.fullmatch(text):
        return text.lower()
    pointer = decode(text)
    if pointer.prefix not in {"note", "nevent"}:
        raise IdentifierError(f"this is an {pointer.prefix}, which names no event")
    return pointer.data


def holds_private_key(text: str) -> bool:
    """Tell whether a private key as people write it (`nsec`, `ncryptsec`) stands in a text."""
    return _PRIVATE.search(text) is not None


def without_private_keys(text: str, instead: str) -> str:
    """Return a text with other words in the place of every private key."""
    return _PRIVATE.sub(instead, text)


def is_nip05(text: str) -> bool:
    """Tell whether a text has the form of a NIP-05 address (`name@example.com`)."""
    return _NIP05.fullmatch(text.strip()) is not None
