"""NIP-59: a rumor in a seal in a gift wrap, so that no relay learns who writes to whom.

rumor   what is said, unsigned
seal    kind 13: the rumor encrypted from author to receiver, signed by the author
wrap    kind 1059: the seal encrypted and signed by a key made for this one wrap
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cobot_nostr import nip44
from cobot_nostr.crypto import DecryptError, Key
from cobot_nostr.event import (
    Event,
    EventError,
    Rumor,
    make_event,
    make_rumor,
    parse_event,
    parse_rumor,
    sign,
)
from cobot_nostr.work import mined

if TYPE_CHECKING:
    from collections.abc import Callable

SEAL = 13
GIFT_WRAP = 1059
BACKDATED = 2 * 24 * 3600
"""Seconds that seal and wrap may be dated back (NIP-59), so that their time tells nothing."""


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What was inside a gift wrap; `sender` is proven by the seal's signature."""

    sender: str
    rumor: Rumor


def wrap(
    key: Key,
    rumor: Rumor,
    receiver: str,
    now: int,
    *,
    expiration: int | None = None,
    work: int = 0,
    backdate: Callable[[int], int] = secrets.randbelow,
) -> Event:
    """Return `rumor`, which `key` wrote, wrapped for one receiver.

    Args:
        key: the author's.
        rumor: what to say; its author must be `key`.
        receiver: a public key.
        now: Unix time; seal and wrap are dated up to two days before it.
        expiration: Unix time after which relays forget the wrap (NIP-40).
        work: leading zero bits of the wrap's id (NIP-13).
        backdate: takes a bound, returns seconds below it; random unless a test says otherwise.
    """
    if rumor.pubkey != key.public:
        raise ValueError("a rumor is sealed by its author only")
    sealed = nip44.encrypt(rumor.to_json(), nip44.conversation_key(key, receiver))
    seal = make_event(key, now - backdate(BACKDATED), SEAL, (), sealed)
    once = Key()
    wrapped = nip44.encrypt(seal.to_json(), nip44.conversation_key(once, receiver))
    tags = [("p", receiver)]
    if expiration is not None:
        tags.append(("expiration", str(expiration)))
    outer = make_rumor(once.public, now - backdate(BACKDATED), GIFT_WRAP, tags, wrapped)
    return sign(once, mined(outer, work) if work else outer)


def unwrap(key: Key, event: Event) -> Unwrapped:
    """Return what a gift wrap for `key` says and who says it.

    Raises:
        DecryptError: it is not for this key, or damaged.
        EventError: the seal is not signed, or the rumor names another author than the seal.
    """
    if event.kind != GIFT_WRAP:
        raise EventError("a gift wrap has kind 1059")
    seal = parse_event(_open(key, event))
    if seal.kind != SEAL:
        raise EventError("a seal has kind 13")
    rumor = parse_rumor(_open(key, seal))
    if rumor.pubkey != seal.pubkey:
        raise EventError("the rumor names another author than the seal")
    return Unwrapped(seal.pubkey, rumor)


def _open(key: Key, event: Event) -> object:
    try:
        conversation = nip44.conversation_key(key, event.pubkey)
    except ValueError:
        raise DecryptError("NIP-44: the author is not a public key") from None
    text = nip44.decrypt(event.content, conversation)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise EventError("what was encrypted is not JSON") from None
