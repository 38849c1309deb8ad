"""Chat ids: where a message came from, which is also how to answer it.

<pubkey>             a private chat with one person (NIP-17)
<pubkey>,<pubkey>    a private room with several
nip04/<pubkey>       a person whose client still writes NIP-04
notes                public notes; a message sent here begins a thread
notes/<event id>     the thread that begins with that note
channel/<event id>   a public channel (NIP-28)
group/<id>           a group kept by relays (NIP-29)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cobot_nostr import nip19
from cobot_nostr.crypto import is_public_key
from cobot_nostr.nip19 import IdentifierError

Place: TypeAlias = Literal["private", "nip04", "notes", "channel", "group"]

MOST_PEOPLE = 20
"""People in one private room; each gets a copy of each message."""


@dataclass(frozen=True, slots=True)
class Chat:
    """One place.

    Attributes:
        place: what kind it is.
        people: of a private one, the public keys of the others, sorted.
        id: of a public one, its id; empty: all notes.
    """

    place: Place
    people: tuple[str, ...] = ()
    id: str = ""

    @property
    def is_private(self) -> bool:
        """What is said there is encrypted."""
        return self.place in {"private", "nip04"}

    def __str__(self) -> str:
        if self.place == "private":
            return ",".join(self.people)
        rest = ",".join(self.people) or self.id
        return f"{self.place}/{rest}" if rest else self.place


def private(people: set[str]) -> Chat:
    """Return the private chat with these people."""
    return Chat("private", tuple(sorted(people)))


def parse(channel_id: str) -> Chat:
    """Return the chat that an id names; where a key or an event stands, NIP-19 ids do, too.

    Raises:
        IdentifierError: it names no chat.
    """
    place, slash, rest = channel_id.strip().partition("/")
    match place:
        case "nip04" if slash:
            return Chat("nip04", (person(rest),))
        case "notes":
            return Chat("notes", id=nip19.event(rest) if rest else "")
        case "channel" if slash:
            return Chat("channel", id=nip19.event(rest))
        case "group" if rest and not nip19.holds_private_key(rest):
            return Chat("group", id=rest)
    if nip19.prefix_of(channel_id.removeprefix("nostr:")) in {"note", "nevent"}:
        return Chat("notes", id=nip19.event(channel_id))
    return _room(channel_id)


def _room(channel_id: str) -> Chat:
    people = {person(one) for one in channel_id.split(",")}
    if len(people) > MOST_PEOPLE:
        raise IdentifierError(f"a private room has at most {MOST_PEOPLE} people")
    return private(people)


def person(text: str) -> str:
    """Return the public key that a person wrote, in digits.

    Raises:
        IdentifierError: it is none: no identifier of a person, or no point of the curve.
    """
    public = nip19.person(text)
    if not is_public_key(public):
        raise IdentifierError(
            "this is nobody's public key: it is no x coordinate of the curve secp256k1 (BIP-340);"
            " copy the whole npub again from the person's profile"
        )
    return public
