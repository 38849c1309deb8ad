"""What the session needs of a durable store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from cobot_session.messages import IncomingMessage, Receipt
    from cobot_session.spool.access import Request
    from cobot_session.spool.records import Backlog, Chat, DeadLetter, Entry, Item


class Spool(Protocol):
    """A durable store. Verbs may be called from any thread and never block.

    What a future tells outlasts a power cut, as far as the store is made to. What it tells sooner
    to `written`, in a thread of its own, outlasts the process: enough to go on with, and not to be
    told to anybody outside. A future's exception is a `SpoolError`; the verb is then called again
    or was in vain.
    """

    def load(self) -> Future[Backlog]:
        """Return everything open. Called once, before any other verb."""

    def store(
        self,
        channel_type: str,
        messages: Sequence[IncomingMessage],
        state: Mapping[str, Any],
        heard: Sequence[str] = (),
        *,
        foreseen: bool = False,
        written: Callable[[list[Entry]], object] | None = None,
    ) -> Future[list[Entry]]:
        """Store a received batch and the state that goes with it; return those that were new.

        With `foreseen` they are stored as handed out, since that is what is about to happen:
        `hand_out` then has nothing to record, or `release` takes it back.

        The chats in `heard` are noted as such that the agent may write to.

        A message whose `(channel_type, key)` was stored before is left out. A state value of
        `None` removes the name.
        """

    def hand_out(self, entries: Sequence[Entry]) -> Future[None]:
        """Record that entries are in hand, and one more delivery of each.

        This need not outlast a power cut: it counts how often an agent did not outlast a message.
        """

    def settle(
        self,
        entries: Sequence[Entry],
        replies: Sequence[Item] = (),
        *,
        written: Callable[[list[Item]], object] | None = None,
    ) -> Future[list[Item]]:
        """Take entries out of the inbox and put replies in the outbox, in one transaction.

        Returns the replies that were new, with `seq` set; those whose id was known are left out.
        """

    def release(self, entries: Sequence[Entry]) -> Future[None]:
        """Put handed-out entries back with the `deliveries` and `not_before` they carry."""

    def bury_entry(self, entry: Entry, reason: str) -> Future[None]:
        """Make an entry a dead letter."""

    def enqueue(
        self, item: Item, *, written: Callable[[Receipt | None], object] | None = None
    ) -> Future[Receipt | None]:
        """Put an item in the outbox and set its `seq`.

        Returns `None`, or, when its id is known, the receipt of that one and stores nothing.
        """

    def progress(self, item: Item) -> Future[None]:
        """Record how far an item has come."""

    def finish(self, item: Item, receipt: Receipt, dead: str | None = None) -> Future[None]:
        """Take an item out of the outbox; with a reason in `dead` it becomes a dead letter.

        The `standing` of an edit or an answer becomes the `message_ids` of the message that it was
        about.
        """

    def receipt(self, message_id: str, chat: Chat | None = None) -> Future[Receipt | None]:
        """Return the receipt of an id, as far as it is remembered; of one chat, when named."""

    def set_state(self, channel_type: str, state: Mapping[str, Any]) -> Future[None]:
        """Change a plugin's state outside a batch."""

    def ask(self, request: Request) -> Future[None]:
        """Note that a stranger was given a pairing code."""

    def note_drops(self, channel_type: str, drops: Sequence[dict[str, Any]]) -> Future[None]:
        """Keep whom a channel has refused last, for another process to read."""

    def dead_letters(self) -> Future[list[DeadLetter]]:
        """Return all dead letters, oldest first."""

    def replay(self, dead_id: str) -> Future[bool]:
        """Open a dead letter again; false when there is none of that id."""

    def drop(self, dead_id: str) -> Future[bool]:
        """Give up a dead letter; false when there is none of that id.

        Its key, or id, is remembered as any other: what comes again is a duplicate.
        """

    def reopened(self) -> Future[Backlog]:
        """Return what others have opened again or posted since the last call, and dead counts."""

    def publish(self, status: Mapping[str, Any]) -> Future[None]:
        """Leave the session's status where another process can read it."""

    def lasting(self) -> Future[None]:
        """Tell when all that has been written outlasts a power cut."""

    def trim(self) -> Future[None]:
        """Forget settled entries and finished items that are past their retention."""

    def close(self) -> None:
        """Commit what is waiting and let go of the store. Blocks, for a bounded time."""
