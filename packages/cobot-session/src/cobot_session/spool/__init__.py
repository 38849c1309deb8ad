"""The durable store of messages on their way in (inbox) and out (outbox)."""

from cobot_session.spool.protocol import Spool
from cobot_session.spool.records import Backlog, DeadLetter, Entry, Item, Op
from cobot_session.spool.sqlite import SqliteSpool

__all__ = ["Backlog", "DeadLetter", "Entry", "Item", "Op", "Spool", "SqliteSpool"]
