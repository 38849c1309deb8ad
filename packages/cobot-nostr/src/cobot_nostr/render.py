"""From an outgoing message to signed events: the parts that are stored are what is published.

A retry publishes the same bytes, and relays tell an event they have from a new one by its id; so
sending twice has the effect of sending once.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from cobot_nostr import giftwrap, nip19, threads
from cobot_nostr.event import Event, Rumor, make_rumor, sign
from cobot_nostr.nip19 import IdentifierError
from cobot_nostr.work import mined
from cobot_session import text as core_text
from cobot_session.plugin import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_nostr.chats import Chat
    from cobot_nostr.crypto import Key
    from cobot_nostr.ledger import Known
    from cobot_session.messages import OutgoingMessage

LIMITS = Limits(text=20_000, unit="byte", files=0, idempotent=True, send_seconds=60.0)
"""Encrypted twice, 20,000 bytes stay below 64 KiB, which is what most relays take."""

NOTE, OLD_DIRECT, PRIVATE_MESSAGE, GROUP_MESSAGE, CHANNEL_MESSAGE = 1, 4, 14, 9, 42
METADATA = "nostr"
"""Where in a part's metadata its events are."""

_TIGHT_BYTES = 10_000
_MOST_JSON = 28_000
_MOST_DRIFT = 60
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MENTION = re.compile(r"nostr:((?:npub|nprofile)1[a-z0-9]+)")


@dataclass(frozen=True, slots=True)
class Letter:
    """One event and who has to get it.

    Attributes:
        event: signed.
        to: the person in whose inbox relays it belongs; `None`: ours.
    """

    event: Event
    to: str | None


class Renderer:
    """Makes events. Thread-safe as far as one chat is rendered by one thread at a time.

    Args:
        key: signs.
        known: returns what is remembered of an event.
        work: returns the bits of work the relays ask for.
    """

    def __init__(
        self, key: Key, known: Callable[[str], Known | None], work: Callable[[], int]
    ) -> None:
        self._key = key
        self._known = known
        self._work = work
        self._stamps: dict[str, int] = {}

    def render(self, message: OutgoingMessage, chat: Chat) -> list[OutgoingMessage]:
        """Return the parts of a message, each with its signed events in the metadata."""
        clean = replace(message, content=cleaned(message.content))
        parts = core_text.render(clean, LIMITS)
        if any(_json_size(part.content) > _MOST_JSON for part in parts):
            parts = core_text.render(clean, replace(LIMITS, text=_TIGHT_BYTES))
        return [self._signed(part, chat, number) for number, part in enumerate(parts)]

    def _signed(self, part: OutgoingMessage, chat: Chat, number: int) -> OutgoingMessage:
        stamp = self._stamp(str(chat))
        tags = [*_own_tags(part, number), *self._tags(part, chat)]
        letters, rumor = self._letters(chat, stamp, tags, part.content, _expiration(part))
        envelope = {
            "id": rumor.id,
            "letters": [{"to": one.to, "event": one.event.to_dict()} for one in letters],
        }
        return replace(part, metadata={**part.metadata, METADATA: envelope})

    def _stamp(self, chat: str) -> int:
        """Return a time later than that of the chat's message before, so that order shows."""
        now = int(time.time())
        stamp = min(max(now, self._stamps.get(chat, 0) + 1), now + _MOST_DRIFT)
        self._stamps[chat] = stamp
        return stamp

    def _letters(
        self, chat: Chat, stamp: int, tags: list[list[str]], content: str, expiration: int | None
    ) -> tuple[list[Letter], Rumor]:
        if chat.place == "private":
            rumor = make_rumor(self._key.public, stamp, PRIVATE_MESSAGE, tags, content)
            return self.sealed(rumor, chat, expiration), rumor
        kinds = {"nip04": OLD_DIRECT, "notes": NOTE, "channel": CHANNEL_MESSAGE}
        if chat.place == "nip04":
            content = self._key.encrypt_nip04(content, chat.people[0])
        if expiration is not None:
            tags = [*tags, ["expiration", str(expiration)]]
        kind = kinds.get(chat.place, GROUP_MESSAGE)
        event = self.public(make_rumor(self._key.public, stamp, kind, tags, content))
        return [Letter(event, chat.people[0] if chat.people else None)], event

    def sealed(
        self, rumor: Rumor, chat: Chat, expiration: int | None = None, work: int | None = None
    ) -> list[Letter]:
        """Return a rumor wrapped for each of the others, and for us: other devices show it."""
        wanted = self._work() if work is None else work
        return [
            Letter(
                giftwrap.wrap(
                    self._key,
                    rumor,
                    person,
                    int(time.time()),
                    expiration=expiration,
                    work=wanted,
                ),
                person,
            )
            for person in (*chat.people, self._key.public)
        ]

    def public(self, rumor: Rumor, work: int | None = None) -> Event:
        """Return a rumor of ours signed, with the work that relays ask for."""
        wanted = self._work() if work is None else work
        return sign(self._key, mined(rumor, wanted) if wanted else rumor)

    # -- tags

    def _tags(self, part: OutgoingMessage, chat: Chat) -> list[list[str]]:
        reply_to = _event_id(part.reply_to)
        match chat.place:
            case "private" | "nip04":
                tags = [["p", person] for person in chat.people]
                return [*tags, ["e", reply_to]] if reply_to else tags
            case "notes":
                return self._note_tags(part, chat, reply_to)
            case "channel":
                return threads.answer_tags(chat.id, reply_to, self._people(part, reply_to))
            case "group":
                author = self._author(reply_to) if reply_to else ""
                quoted = [["q", reply_to, "", author]] if reply_to else []
                return [["h", chat.id], *quoted, *self._p_tags(part, reply_to)]

    def _note_tags(
        self, part: OutgoingMessage, chat: Chat, reply_to: str | None
    ) -> list[list[str]]:
        known = self._known(reply_to) if reply_to else None
        root = chat.id or (known["about"] if known is not None else "") or reply_to
        people = self._people(part, reply_to or root)
        if not root:
            return [["p", person] for person in people]
        return threads.answer_tags(root, reply_to, people)

    def _author(self, event_id: str | None) -> str:
        known = self._known(event_id) if event_id else None
        return known["author"] if known is not None else ""

    def _p_tags(self, part: OutgoingMessage, reply_to: str | None) -> list[list[str]]:
        return [["p", person] for person in self._people(part, reply_to)]

    def _people(self, part: OutgoingMessage, answered: str | None) -> list[str]:
        """Return whom a public message tells: who is answered, and who is named in it (NIP-27)."""
        people = [self._author(answered)]
        for found in _MENTION.findall(part.content):
            try:
                people.append(nip19.person(found))
            except IdentifierError:
                continue
        return list(dict.fromkeys(one for one in people if one and one != self._key.public))


def letters(part: OutgoingMessage) -> tuple[str, list[Letter]]:
    """Return the message id and the events of a rendered part.

    Raises:
        ValueError: it was not rendered by this channel.
    """
    envelope = part.metadata.get(METADATA)
    if not isinstance(envelope, dict):
        raise ValueError("this part has no events: it was not rendered by this channel")
    return str(envelope["id"]), [
        Letter(_event(one["event"]), one["to"]) for one in envelope["letters"]
    ]


def _event(value: dict[str, Any]) -> Event:
    tags = tuple(tuple(tag) for tag in value["tags"])
    return Event(
        value["id"],
        value["pubkey"],
        value["created_at"],
        value["kind"],
        tags,
        value["content"],
        value["sig"],
    )


def cleaned(content: str) -> str:
    """Return a text without control characters and half surrogate pairs.

    Clients disagree on how the former enter an event's id, so some would refuse the event.
    """
    return _CONTROL.sub("", content).encode("utf-8", "replace").decode()


def _json_size(content: str) -> int:
    escaped = sum(content.count(char) for char in '"\\\n\r\t')
    return len(content.encode()) + escaped


def _own_tags(part: OutgoingMessage, number: int) -> list[list[str]]:
    """Return a tag that tells two equal texts of one second apart, and the subject if given."""
    source = f"{part.id or secrets.token_hex(8)}:{number}"
    tags = [["cobot", blake2b(source.encode(), digest_size=8).hexdigest()]]
    subject = part.metadata.get("subject")
    return [*tags, ["subject", cleaned(str(subject))[:200]]] if subject else tags


def _expiration(part: OutgoingMessage) -> int | None:
    value = part.metadata.get("expiration")
    return int(value) if isinstance(value, int | float) and value > 0 else None


def _event_id(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return nip19.event(text)
    except IdentifierError:
        return None
