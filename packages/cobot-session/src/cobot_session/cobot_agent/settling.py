"""Between the session and the agent's loop: what the agent has in hand, and how each ends."""

from __future__ import annotations

import contextlib
import dataclasses
from functools import partial
from typing import TYPE_CHECKING

from cobot_session.cobot_agent.turns import Turn, Turns
from cobot_session.errors import SessionError, SpoolError
from cobot_session.retry import patience
from cobot_session.typing_kept import TypingKept

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from cobot_session.messages import OutgoingMessage
    from cobot_session.session import Session

_BATCH = 20
"""Messages of one poll. The agent handles them one after the other, and looks no sooner again."""
_STORE_SECONDS = 10.0


class Settling:
    """Hands messages of a session to the agent's loop, and settles each when it is done with.

    Args:
        session: one that runs.
        log: the agent's log: a level and a text.
    """

    def __init__(self, session: Session, log: Callable[[str, str], None]) -> None:
        self._session = session
        self._engine = session._engine
        self._log = log
        self._turns = Turns()
        self._closed = False

    def poll(self) -> list[Turn]:
        """Return what has arrived; what the last poll returned and nobody settled is done with.

        While the agent still handles something, nothing is acknowledged and nothing is returned.

        Raises:
            SpoolError: nothing can be handed out now.
        """
        if self._turns.at_work():
            return []
        self._turns.clear()
        polled = self._session.poll_all_channels(limit=_BATCH)
        return [self._turns.take(self._engine.inbox.in_hand(message)) for message in polled]

    def turn_of(self, channel_type: str, channel_id: str, id_: str | None) -> Turn | None:
        """Return the turn of a message, by the id that the agent knows."""
        return self._turns.get(channel_type, channel_id, id_)

    def begin(self, turn: Turn, task: asyncio.Task[object]) -> None:
        """See the agent begin to handle a message, in a task that ends when it is done."""
        if turn.task is None:
            turn.task = task
            task.add_done_callback(partial(self._handled, turn))
            turn.show_typing(TypingKept(self._engine, turn.message))

    def answer(self, turn: Turn, reply: OutgoingMessage) -> bool:
        """Store an answer and the acknowledgement of what it answers together; tell whether."""
        turn.end_typing()
        name = turn.message.channel_type
        try:
            to_its_chat = dataclasses.replace(reply, channel_type="", channel_id="", reply_to=None)
            item = self._engine.dispatch.reply_item(turn.message, to_its_chat)
        except (TypeError, ValueError) as error:
            self._log("error", f"{name}: the answer cannot be sent: {error}")
            return False
        try:
            stored = self._engine.inbox.answer(turn.entry, [item], self._engine.dispatch.accept)
            stored.result(_STORE_SECONDS)
        except (SpoolError, TimeoutError) as error:
            turn.failed = True
            self._log("error", f"{name}: the answer is not stored: {error!r}")
            return False
        turn.answered = True
        if item.refusal is not None:
            self._log("error", f"{name}: the answer is a dead letter: {item.refusal}")
        return item.refusal is None

    def settle(self, turn: Turn) -> None:
        """Be done with a message that gets no answer."""
        self._engine.inbox.acknowledge([turn.entry])

    def put_back(self, turn: Turn, why: str) -> None:
        """Let a message come again after a while."""
        self._log("error", f"message {turn.message.id!r} comes again: {why}")
        with contextlib.suppress(SessionError):  # settled meanwhile
            pause = patience(turn.entry.deliveries, self._engine.config.session.redeliver_after)
            self._session.nack(turn.message, pause)

    def close(self) -> None:
        """Settle nothing more: what is not done comes again, as if unseen if it was not begun."""
        self._closed = True
        self._engine.inbox.release(self._turns.untouched(), counts=False)

    def _handled(self, turn: Turn, task: asyncio.Task[object]) -> None:
        turn.end_typing()
        if task.cancelled() or self._closed:
            return  # the agent ends
        error = task.exception()
        if turn.answered:
            return
        if error is not None:
            self.put_back(turn, f"the agent failed on it: {error!r}")
        elif turn.failed:
            self.put_back(turn, "its answer is not stored")
        else:
            self.settle(turn)
