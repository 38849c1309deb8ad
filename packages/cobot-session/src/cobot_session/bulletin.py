"""What a session leaves in its spool for other processes, and takes up from them."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cobot_session.futures import heed

if TYPE_CHECKING:
    from concurrent.futures import Future

    from cobot_session.inbox import Inbox
    from cobot_session.roster import Roster
    from cobot_session.spool import Backlog, Item, Spool
    from cobot_session.timers import Timers

log = logging.getLogger("cobot_session")

PUBLISH_SECONDS = 10.0
"""The status is published at least so often; an older one is stale."""
_SOON_SECONDS = 0.05
"""Changes of state that come so close together are published as one."""


class Bulletin:
    """Publishes the status, and takes up what the command line has opened again."""

    def __init__(self, spool: Spool, timers: Timers, inbox: Inbox, roster: Roster) -> None:
        self._spool = spool
        self._timers = timers
        self._inbox = inbox
        self._roster = roster
        self._is_due = False
        self._published: dict[str, Any] = {}
        self._published_at = 0.0

    def look(self) -> None:
        """Take up what others wrote; publish what has changed, or is getting old."""
        self._spool.reopened().add_done_callback(self._take_reopened)
        if time.monotonic() - self._published_at > PUBLISH_SECONDS:
            self.publish()
        else:
            self._publish_changes()

    def soon(self) -> None:
        """Publish a change of state before the next look comes to it."""
        if not self._is_due:
            self._is_due = True
            self._timers.later(_SOON_SECONDS, self._publish_changes)

    def publish(self) -> None:
        """Leave the status in the spool, and who was refused."""
        self._publish_drops()
        self._published = self._snapshot()
        self._published_at = time.monotonic()
        heed(self._spool.publish(self._published))

    def _publish_changes(self) -> None:
        self._is_due = False
        if self._snapshot() != self._published:
            self.publish()

    def _publish_drops(self) -> None:
        for supervisor in self._roster:
            drops = supervisor.gate.drops.changed()
            if drops is not None:
                heed(self._spool.note_drops(supervisor.record.id, drops))

    def restore(self, backlog: Backlog) -> None:
        """Take up open messages; what belongs to no plugin of today goes on waiting."""
        for supervisor in self._roster:
            if backlog.book is not None:
                supervisor.gate.take_up(backlog.book)
        self._inbox.add(backlog.entries)
        waiting: dict[str, int] = {}
        for item in [*backlog.items, *filter(self._may_go, backlog.posted)]:
            channel_type = item.message.channel_type
            owner = self._roster.get(channel_type)
            if owner is not None:
                owner.outbox.add(item)
            else:
                waiting[channel_type] = waiting.get(channel_type, 0) + 1
        for channel_type, count in waiting.items():
            log.warning("%d left to be sent: %s", count, self._roster.absence(channel_type))
        for supervisor in self._roster:
            supervisor.vitals.dead = backlog.dead.get(supervisor.record.id, 0)

    def _may_go(self, item: Item) -> bool:
        """Refuse, as `send` does and without a dead letter, what may not be written there."""
        its = self._roster.get(item.message.channel_type)
        why = its and its.gate.reach.refusal(item.message.channel_id)
        if not why:
            return True
        item.error = why
        heed(self._spool.finish(item, item.receipt("failed")))
        return False

    def _take_reopened(self, future: Future[Backlog]) -> None:
        if future.exception() is None:
            self.restore(future.result())

    def _snapshot(self) -> dict[str, Any]:
        return {name: asdict(status) for name, status in self._roster.status().items()}
