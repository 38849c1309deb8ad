"""From events to incoming messages. Nothing here believes more than `parse_event` proved."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cobot_nostr import attachments, chats, giftwrap, nip19, threads
from cobot_nostr.chats import Chat
from cobot_nostr.crypto import DecryptError, is_public_key
from cobot_nostr.event import EventError
from cobot_nostr.ledger import Known
from cobot_session.messages import IncomingMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from cobot_nostr.crypto import Key
    from cobot_nostr.event import Event, Rumor

PROFILE, NOTE, OLD_DIRECT, DELETION, REACTION, GROUP_MESSAGE = 0, 1, 4, 5, 7, 9
PRIVATE_MESSAGE, PRIVATE_FILE, CHANNEL_MESSAGE = 14, 15, 42

DUPLICATE = "duplicate"
"""Why an event is dropped that is nobody's fault."""
FUTURE = "from the future"
"""Why an event is not handled yet, nor remembered: the clock that is wrong may be ours."""

_MOST_DELETIONS = 100
_HEX64 = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class Parsed:
    """What one event comes to.

    Attributes:
        messages: for the session.
        remember: ids that were handled, with what is to be known of them.
        dropped: why there is no message; empty when that is as it should be.
    """

    messages: list[IncomingMessage] = field(default_factory=list)
    remember: dict[str, Known | None] = field(default_factory=dict)
    dropped: str = ""


class Parser:
    """Reads events for one identity.

    Args:
        key: decrypts.
        handled: tells whether an event or rumor was handled before.
        known: returns what is remembered of an event.
        name: returns a person's name for showing.
        groups: NIP-29 groups we take part in.
        channels: NIP-28 channels we take part in.
        clock_skew: seconds an event may be dated into the future.
    """

    def __init__(
        self,
        key: Key,
        *,
        handled: Callable[[str], bool],
        known: Callable[[str], Known | None],
        name: Callable[[str], str],
        groups: Collection[str] = (),
        channels: Collection[str] = (),
        clock_skew: int = 900,
    ) -> None:
        self._key = key
        self._handled = handled
        self._known = known
        self._name = name
        self._groups = groups
        self._channels = channels
        self._clock_skew = clock_skew

    def opened(self, event: Event) -> Rumor | None:
        """Return the rumor in a gift wrap, any other event as it is; `None`: not for us."""
        if event.kind != giftwrap.GIFT_WRAP:
            return event
        try:
            return giftwrap.unwrap(self._key, event).rumor
        except (DecryptError, EventError):
            return None

    def parse(self, event: Event, rumor: Rumor | None, relay: str, now: int) -> Parsed:
        """Return what an event comes to.

        Args:
            event: as it was delivered.
            rumor: from `opened`.
            relay: url of the relay that delivered it.
            now: Unix time.
        """
        parsed = Parsed(remember={event.id: None})
        reason = self._unusable(event, rumor, now)
        if reason or rumor is None:
            parsed.dropped = reason or "unreadable"
            if reason == FUTURE:
                parsed.remember = {}
            return parsed
        parsed.remember[rumor.id] = None
        wrapped = rumor is not event
        if rumor.kind == DELETION:
            parsed.messages = self._deletions(rumor)
        elif rumor.kind == REACTION:
            self._reaction(rumor, parsed, wrapped=wrapped)
        else:
            self._message(rumor, parsed, wrapped=wrapped)
        for message in parsed.messages:
            message.metadata |= {"relay": relay, "nostr_kind": rumor.kind}
        if rumor.pubkey == self._key.public:
            parsed.messages = []  # ours, from here or from another device: known, not news
        return parsed

    def _unusable(self, event: Event, rumor: Rumor | None, now: int) -> str:
        if rumor is None:
            return "unreadable"
        if rumor is not event and self._handled(rumor.id):
            return DUPLICATE
        if max(rumor.created_at, event.created_at) > now + self._clock_skew:
            return FUTURE
        expiration = event.value("expiration") or rumor.value("expiration") or ""
        if expiration.isascii() and expiration.isdecimal() and int(expiration[:20]) <= now:
            return "expired"
        return ""

    # -- messages

    def _message(self, rumor: Rumor, parsed: Parsed, *, wrapped: bool) -> None:
        chat = self._chat_of(rumor, wrapped=wrapped)
        if chat is None:
            parsed.dropped = "of no use"
            return
        content = self._text(rumor)
        if content is None:
            parsed.dropped = "unreadable"
            return
        root = chat.id if rumor.kind == NOTE else ""
        parsed.remember[rumor.id] = Known(
            kind=rumor.kind, author=rumor.pubkey, chat=str(chat), about=root
        )
        message = self._incoming(rumor, chat, content)
        message.reply_to = _answered(rumor, chat)
        message.media = attachments.media_of(rumor)
        subject = rumor.value("subject")
        if subject:
            message.metadata["subject"] = subject
        parsed.messages = [message]

    def _text(self, rumor: Rumor) -> str | None:
        """Return what a message says; `None`: it cannot be read."""
        if rumor.kind == PRIVATE_FILE:
            return ""
        if rumor.kind != OLD_DIRECT:
            return rumor.content
        try:
            return self._key.decrypt_nip04(rumor.content, self._other(rumor))
        except (DecryptError, ValueError):
            return None

    def _chat_of(self, rumor: Rumor, *, wrapped: bool) -> Chat | None:
        """Return where a message was said; `None`: nowhere we take part in."""
        if wrapped:
            return self._room(rumor) if rumor.kind in {PRIVATE_MESSAGE, PRIVATE_FILE} else None
        mentioned = self._key.public in rumor.values("p") or rumor.pubkey == self._key.public
        match rumor.kind:
            case 4 if mentioned:
                return Chat("nip04", (self._other(rumor),))
            case 1 if mentioned:
                return Chat("notes", id=threads.place(rumor).root)
            case 42:
                channel = threads.place(rumor).root
                return Chat("channel", id=channel) if channel in self._channels else None
            case 9:
                group = rumor.value("h") or ""
                return Chat("group", id=group) if group in self._groups else None
        return None

    def _room(self, rumor: Rumor) -> Chat | None:
        named = {rumor.pubkey, *rumor.values("p")}
        if len(named) > chats.MOST_PEOPLE + 1:
            return None
        people = {one for one in named if is_public_key(one)} - {self._key.public}
        return chats.private(people or {self._key.public})

    def _other(self, rumor: Rumor) -> str:
        """Return whom a NIP-04 message was exchanged with."""
        if rumor.pubkey != self._key.public:
            return rumor.pubkey
        return rumor.value("p") or rumor.pubkey

    # -- reactions and deletions

    def _reaction(self, rumor: Rumor, parsed: Parsed, *, wrapped: bool) -> None:
        targets = [one for one in rumor.values("e") if _HEX64.fullmatch(one)]
        if not targets:
            parsed.dropped = "of no use"
            return
        known = self._known(targets[-1])
        chat = chats.parse(known["chat"]) if known is not None else None
        if chat is None or not self._is_in(chat, rumor.pubkey):
            # about something older than what is remembered, or in a chat of others
            chat = chats.private({rumor.pubkey}) if wrapped else Chat("notes", id=targets[-1])
        parsed.remember[rumor.id] = Known(
            kind=REACTION, author=rumor.pubkey, chat=str(chat), about=targets[-1]
        )
        message = self._incoming(rumor, chat, _emoji(rumor.content))
        message.kind = "reaction"
        message.reply_to = targets[-1]
        parsed.messages = [message]

    def _is_in(self, chat: Chat, person: str) -> bool:
        """Tell whether a person can speak in a chat: who knows a message's id may not read it."""
        return not chat.is_private or person in {*chat.people, self._key.public}

    def _deletions(self, rumor: Rumor) -> list[IncomingMessage]:
        """Return what an author takes back of their own (NIP-09)."""
        messages = []
        for target in rumor.values("e")[:_MOST_DELETIONS]:
            known = self._known(target)
            if known is None or known["author"] != rumor.pubkey:
                continue
            message = self._incoming(rumor, chats.parse(known["chat"]), "")
            message.key = f"{rumor.id}:{target}"
            if known["kind"] == REACTION:
                message.kind = "reaction"
                message.reply_to = known["about"]
            else:
                message.kind = "deletion"
                message.id = target
            messages.append(message)
        return messages

    def _incoming(self, rumor: Rumor, chat: Chat, content: str) -> IncomingMessage:
        metadata: dict[str, Any] = {"npub": nip19.npub(rumor.pubkey)}
        return IncomingMessage(
            id=rumor.id,
            channel_type="",
            channel_id=str(chat),
            sender_id=rumor.pubkey,
            sender_name=self._name(rumor.pubkey),
            content=content,
            timestamp=datetime.fromtimestamp(rumor.created_at, UTC),
            metadata=metadata,
            key=rumor.id,
            direct=chat.is_private and len(chat.people) == 1,
        )


def _answered(rumor: Rumor, chat: Chat) -> str | None:
    """Return the id of the message that this one answers."""
    if rumor.kind in {NOTE, CHANNEL_MESSAGE}:
        parent = threads.place(rumor).parent
        return parent if rumor.kind == NOTE or parent != chat.id else None
    if rumor.kind == GROUP_MESSAGE:
        return rumor.value("q") or rumor.value("e")
    return rumor.value("e")


def _emoji(content: str) -> str:
    """Return the emoji of a reaction (NIP-25): `+` and nothing are a like, `-` the opposite."""
    return {"": "👍", "+": "👍", "-": "👎"}.get(content.strip(), content.strip()[:64])
