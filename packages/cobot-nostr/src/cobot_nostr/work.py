"""NIP-13: proof of work, done for relays that ask for it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cobot_nostr.event import Rumor, serialize

if TYPE_CHECKING:
    from cobot_nostr.event import Tags

_NONCE = 10**12
"""The nonce starts here, so that all have the same number of digits."""


def bits(event_id: str) -> int:
    """Return the leading zero bits of an event id."""
    return 256 - int(event_id, 16).bit_length()


def mined(rumor: Rumor, wanted: int) -> Rumor:
    """Return the rumor with a `nonce` tag that gives its id `wanted` leading zero bits.

    It takes about 2**wanted hashes: 16 bits a tenth of a second, 20 bits two seconds.
    """
    if bits(rumor.id) >= wanted:
        return rumor
    tags = (*rumor.tags, ("nonce", str(_NONCE), str(wanted)))
    raw = serialize(rumor.pubkey, rumor.created_at, rumor.kind, tags, rumor.content)
    mark = f'["nonce","{_NONCE}",'.encode()
    head, _, rest = raw.rpartition(mark)  # a quotation mark in the content would be escaped
    start = hashlib.sha256(head + b'["nonce","')
    tail = b'",' + rest
    limit = 1 << (256 - wanted)
    nonce = _NONCE
    while True:
        digest = start.copy()
        digest.update(b"%d" % nonce + tail)
        if int.from_bytes(digest.digest(), "big") < limit:
            break
        nonce += 1
    found: Tags = (*rumor.tags, ("nonce", str(nonce), str(wanted)))
    return Rumor(
        digest.hexdigest(), rumor.pubkey, rumor.created_at, rumor.kind, found, rumor.content
    )
