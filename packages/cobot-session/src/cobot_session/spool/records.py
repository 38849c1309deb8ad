"""What a spool holds: entries of the inbox, items of the outbox, dead letters."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cobot_session.messages import Receipt

if TYPE_CHECKING:
    from cobot_session.messages import IncomingMessage, OutgoingMessage, ReceiptStatus
    from cobot_session.spool.access import Book

Op: TypeAlias = Literal["send", "edit", "delete", "react", "preview", "answer"]
"""A preview is a first part of an answer that is not whole yet; an answer takes its place."""
Chat: TypeAlias = tuple[str, str]
"""`(channel_type, channel_id)`."""


@dataclass(slots=True, eq=False)
class Entry:
    """One message in the inbox.

    Attributes:
        seq: order of arrival over all channels.
        message: the message as the agent gets it.
        deliveries: how many times it was handed out.
        suspect: it was in hand when a process died, so it is handed out alone.
        not_before: epoch seconds; a nacked message waits until then.
        due: the same by the monotonic clock, which nobody sets; this process goes by it.
        answers: how many growing answers it has had since it was handed out.
        put_back: it was in hand, and was put back.
        failure: what its handler raised last, secrets removed.
        foreseen: the spool has its first hand-out, which has yet to come.
    """

    seq: int
    message: IncomingMessage
    deliveries: int = 0
    suspect: bool = False
    not_before: float = 0.0
    due: float = 0.0
    answers: int = 0
    put_back: bool = False
    failure: str = ""
    foreseen: bool = False

    def rest(self, seconds: float) -> None:
        """Be due in so many seconds."""
        self.not_before = time.time() + seconds if seconds > 0 else 0.0
        self.due = time.monotonic() + seconds if seconds > 0 else 0.0

    @property
    def chat(self) -> Chat:
        """The chat it arrived in."""
        return self.message.channel_type, self.message.channel_id


@dataclass(slots=True, eq=False)
class Item:
    """One thing to do in a chat's lane, and how far it has come.

    Attributes:
        op: what to do.
        message: what to send; for an edit `content`, for a reaction `content` is the emoji.
        created: epoch seconds.
        since: the same by the monotonic clock, which nobody sets; this process goes by it.
        seq: order of acceptance; 0 until it is stored.
        target: for edit, delete and react: a platform message id or a `Receipt.id`; for an answer
            the id of its first preview, which need not be there.
        parts: what `session_render` made of it; `None` until then.
        parts_stored: the spool has the parts.
        refusal: why it cannot be done at all; it is stored only to become a dead letter.
        lasts: it outlasts a power cut that it was accepted.
        done: how many parts are delivered.
        message_ids: the platform's ids of the delivered parts.
        attempts: calls of the channel so far.
        in_flight: the current part may have left.
        not_before: epoch seconds of the next attempt.
        due: the same by the monotonic clock.
        whole_channel: the pause until `not_before` holds the whole channel.
        error: the latest trouble.
        detail: facts of the channel for the receipt.
        standing: the platform's ids of what an edited message consists of now; `None`: as before.
    """

    op: Op
    message: OutgoingMessage
    created: float
    seq: int = 0
    target: str | None = None
    parts: list[OutgoingMessage] | None = None
    parts_stored: bool = False
    refusal: str | None = None
    lasts: bool = True
    done: int = 0
    message_ids: list[str] = field(default_factory=list)
    attempts: int = 0
    in_flight: bool = False
    not_before: float = 0.0
    whole_channel: bool = False
    error: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)
    due: float = 0.0
    standing: list[str] | None = None

    def rest(self, seconds: float) -> None:
        """Be due in so many seconds."""
        self.not_before = time.time() + seconds
        self.due = time.monotonic() + seconds

    @property
    def is_message(self) -> bool:
        """Whether it is a whole message, to be counted, told of, and kept when it is given up."""
        return self.op in {"send", "answer"}

    @property
    def id(self) -> str:
        """The message's id, which is the receipt's."""
        return self.message.id

    @property
    def chat(self) -> Chat:
        """The chat whose lane it waits in."""
        return self.message.channel_type, self.message.channel_id

    def receipt(self, status: ReceiptStatus) -> Receipt:
        """Return what is true of it now, as a receipt of the given status."""
        return Receipt(
            id=self.id,
            status=status,
            message_ids=tuple(self.message_ids),
            error=None if status == "sent" else self.error,
            attempts=self.attempts,
            detail=dict(self.detail),
        )


@dataclass(slots=True)
class Backlog:
    """Everything open in a spool, as found at start."""

    entries: list[Entry] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)
    heard: dict[str, list[str]] = field(default_factory=dict)
    drops: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    posted: list[Item] = field(default_factory=list)
    """What another process left to be sent, and was not told of yet: it may still be refused."""
    book: Book | None = None
    """Who is paired and who has asked; `None`: as before."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up, kept for a person to look at.

    Attributes:
        id: `in-7` or `out-<message id>`; what `replay` and `drop` take.
        direction: which way it was going.
        channel_type: its channel.
        channel_id: its chat.
        reason: why it was given up.
        attempts: how often it was handed out, or tried.
        at: epoch seconds when it was given up.
        content: its text.
        status: what is known of one to be sent: `failed`, `partial`, or `unknown`: it may have
            arrived. `None`: it was received.
    """

    id: str
    direction: Literal["in", "out"]
    channel_type: str
    channel_id: str
    reason: str
    attempts: int
    at: float
    content: str
    status: ReceiptStatus | None = None
