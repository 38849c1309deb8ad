"""Events as NIP-01 defines them, computed and checked here and nowhere else.

A relay is a stranger: nothing looks at an event before `parse_event` has returned it. What it
returns has the right shape, its id is the hash of its content and its author signed that id.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from cobot_nostr import crypto

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Tags: TypeAlias = tuple[tuple[str, ...], ...]

MAX_CONTENT = 512 * 1024
"""Characters of content that are looked at; relays commonly take 64 to 128 KiB."""
MAX_TAGS = 5000
MAX_TAG_ITEMS = 64
MAX_TAG_ITEM = 16 * 1024

_HEX64 = re.compile(r"[0-9a-f]{64}")
_HEX128 = re.compile(r"[0-9a-f]{128}")
_MAX_KIND = 65535
_MAX_TIME = 2**53 - 1
_ESCAPES = str.maketrans(
    {
        "\n": "\\n",
        '"': '\\"',
        "\\": "\\\\",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\f": "\\f",
    }
)
_CONTROL = re.compile(r"[\x00-\x07\x0b\x0e-\x1f]")


class EventError(ValueError):
    """An event breaks a rule; the text names the rule and never quotes the event."""


@dataclass(frozen=True, slots=True)
class Rumor:
    """An event without a signature (NIP-59 calls it so).

    Attributes:
        id: the event id, 64 hexadecimal digits.
        pubkey: who claims to have written it.
        created_at: Unix time in seconds.
        kind: what it is.
        tags: each a name and its values.
        content: arbitrary text.
    """

    id: str
    pubkey: str
    created_at: int
    kind: int
    tags: Tags
    content: str

    def values(self, name: str) -> list[str]:
        """Return the first value of each tag of that name."""
        return [tag[1] for tag in self.tags if len(tag) > 1 and tag[0] == name]

    def value(self, name: str) -> str | None:
        """Return the first value of the first tag of that name."""
        return next(iter(self.values(name)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that relays and other clients exchange."""
        return {
            "id": self.id,
            "pubkey": self.pubkey,
            "created_at": self.created_at,
            "kind": self.kind,
            "tags": [list(tag) for tag in self.tags],
            "content": self.content,
        }

    def to_json(self) -> str:
        """Return `to_dict` as compact JSON text."""
        return json.dumps(self.to_dict(), separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Event(Rumor):
    """A signed event: its id is right and its author signed it, when it came from `parse_event`."""

    sig: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that relays and other clients exchange."""
        return {**Rumor.to_dict(self), "sig": self.sig}


def serialize(pubkey: str, created_at: int, kind: int, tags: Tags, content: str) -> bytes:
    """Return the bytes whose SHA-256 is the event's id (NIP-01).

    Seven characters are escaped, all others stand verbatim, control characters included.
    """
    inner = ",".join("[" + ",".join(map(_quote, tag)) + "]" for tag in tags)
    text = f"[0,{_quote(pubkey)},{created_at},{kind},[{inner}],{_quote(content)}]"
    return text.encode()


def _quote(text: str) -> str:
    return '"' + text.translate(_ESCAPES) + '"'


def event_id(pubkey: str, created_at: int, kind: int, tags: Tags, content: str) -> str:
    """Return the id of an event: 64 hexadecimal digits."""
    return hashlib.sha256(serialize(pubkey, created_at, kind, tags, content)).hexdigest()


def _possible_ids(pubkey: str, created_at: int, kind: int, tags: Tags, content: str) -> set[str]:
    r"""Return the ids that commit to exactly this event.

    Clients that serialise with an ordinary JSON library write control characters as `\\u0001`,
    against NIP-01. Their events are readable here too: `\\u` never occurs in the other form, so
    each of the two still stands for one event only.
    """
    exact = serialize(pubkey, created_at, kind, tags, content)
    ids = {hashlib.sha256(exact).hexdigest()}
    if _CONTROL.search(exact.decode()):
        escaped = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", exact.decode())
        ids.add(hashlib.sha256(escaped.encode()).hexdigest())
    return ids


def make_rumor(
    pubkey: str, created_at: int, kind: int, tags: Iterable[Iterable[str]], content: str
) -> Rumor:
    """Return an event without a signature, with its id computed."""
    shaped = tuple(tuple(tag) for tag in tags)
    identity = event_id(pubkey, created_at, kind, shaped, content)
    return Rumor(identity, pubkey, created_at, kind, shaped, content)


def make_event(
    key: crypto.Key, created_at: int, kind: int, tags: Iterable[Iterable[str]], content: str
) -> Event:
    """Return an event signed by `key`."""
    return sign(key, make_rumor(key.public, created_at, kind, tags, content))


def sign(key: crypto.Key, rumor: Rumor) -> Event:
    """Return the rumor, signed.

    Raises:
        ValueError: the rumor names another author.
    """
    if rumor.pubkey != key.public:
        raise ValueError("an event is signed by its author only")
    signature = key.sign(bytes.fromhex(rumor.id))
    return Event(
        rumor.id, rumor.pubkey, rumor.created_at, rumor.kind, rumor.tags, rumor.content, signature
    )


def parse_event(value: object) -> Event:
    """Return the event a relay sent, after checking shape, id and signature.

    Raises:
        EventError: it breaks a rule of NIP-01; nothing in it can be believed.
    """
    fields = _checked_fields(value)
    given = value["id"] if isinstance(value, dict) else None
    if not isinstance(given, str) or given not in _possible_ids(*fields):
        raise EventError("the id is not the hash of the event")
    sig = value.get("sig") if isinstance(value, dict) else None
    if not isinstance(sig, str) or not _HEX128.fullmatch(sig):
        raise EventError("sig must be 128 lower-case hexadecimal digits")
    if not crypto.verify(fields[0], bytes.fromhex(given), sig):
        raise EventError("the signature is not the author's")
    return Event(given, *fields, sig)


def parse_rumor(value: object) -> Rumor:
    """Return a rumor from inside a seal, after checking its shape and its id if it has one.

    Raises:
        EventError: the shape is wrong, or the id is not the hash of the rest.
    """
    fields = _checked_fields(value, needs_id=False)
    given = value.get("id") if isinstance(value, dict) else None
    if given is None:
        return Rumor(event_id(*fields), *fields)
    if not isinstance(given, str) or given not in _possible_ids(*fields):
        raise EventError("the id is not the hash of the event")
    return Rumor(given, *fields)


def _checked_fields(value: object, *, needs_id: bool = True) -> tuple[str, int, int, Tags, str]:
    if not isinstance(value, dict):
        raise EventError("an event must be an object")
    wanted = {"pubkey", "created_at", "kind", "tags", "content"} | ({"id"} if needs_id else set())
    if not wanted <= value.keys():
        raise EventError("a field is missing")
    return (
        _hex_key(value["pubkey"]),
        _bounded_int(value["created_at"], _MAX_TIME, "created_at"),
        _bounded_int(value["kind"], _MAX_KIND, "kind"),
        _shaped_tags(value["tags"]),
        _text(value["content"], MAX_CONTENT, "content"),
    )


def _hex_key(value: object) -> str:
    if not isinstance(value, str) or not _HEX64.fullmatch(value):
        raise EventError("pubkey must be 64 lower-case hexadecimal digits")
    return value


def _bounded_int(value: object, most: int, name: str) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise EventError(f"{name} must be a whole number from 0 to {most}")
    return value


def _text(value: object, most: int, name: str) -> str:
    if not isinstance(value, str):
        raise EventError(f"{name} must be a string")
    if len(value) > most:
        raise EventError(f"{name} is longer than {most} characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise EventError(f"{name} has half a surrogate pair") from None
    return value


def _shaped_tags(value: object) -> Tags:
    if not isinstance(value, list) or len(value) > MAX_TAGS:
        raise EventError(f"tags must be a list of at most {MAX_TAGS}")
    return tuple(_shaped_tag(tag) for tag in value)


def _shaped_tag(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_TAG_ITEMS:
        raise EventError(f"a tag must be a list of 1 to {MAX_TAG_ITEMS} strings")
    return tuple(_text(item, MAX_TAG_ITEM, "a tag") for item in value)


def matches(event: Rumor, filters: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether one of the filters asks for this event (NIP-01; `limit` is not looked at)."""
    return any(_matches_one(event, one) for one in filters)


def _matches_one(event: Rumor, one: Mapping[str, Any]) -> bool:
    listed = {"ids": event.id, "authors": event.pubkey, "kinds": event.kind}
    return (
        all(value in one[name] for name, value in listed.items() if name in one)
        and one.get("since", 0) <= event.created_at <= one.get("until", _MAX_TIME)
        and all(
            not set(wanted).isdisjoint(event.values(name[1:]))
            for name, wanted in one.items()
            if name.startswith("#")
        )
    )
