"""The parts of a session tied together, behind one thread-safe door for both faces."""

from __future__ import annotations

import logging
import math
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from cobot_session.bulletin import Bulletin
from cobot_session.consumer import Consumer
from cobot_session.dispatch import Dispatch
from cobot_session.errors import PermanentError, SessionError, WrongFace
from cobot_session.futures import done, failed, gathered, heed
from cobot_session.handling import Handler, Handling
from cobot_session.house import House
from cobot_session.inbox import Inbox
from cobot_session.lines import in_a_line
from cobot_session.plugin import PluginContext
from cobot_session.redact import Redactor, secrets_in
from cobot_session.registry import Registry
from cobot_session.roster import Roster
from cobot_session.showing import Showing
from cobot_session.spool import SqliteSpool
from cobot_session.spool.lock import ProcessLock
from cobot_session.stream import Stream
from cobot_session.timers import Timers
from cobot_session.workspace import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from cobot_session.config import Config
    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Receipt
    from cobot_session.plugin import State
    from cobot_session.session import Session
    from cobot_session.spool import Entry, Item, Spool
    from cobot_session.status import Status

SPOOL_FILE = "session.db"
LOCK_FILE = "session.lock"

_LOOK_SECONDS = 1.0
_TRIM_SECONDS = 10.0
_RUN_SECONDS = 1.5
"""How long a stop waits for a `run` in another thread to cut its handlers off."""
_PATIENCE = 8.0
_MOST_DRAIN = 86_400.0
_HURRIED_DRAIN = 0.5
_HURRIED_PATIENCE = 1.0


class Engine:
    """Everything behind a session's faces. Verbs may be called from any thread.

    Args:
        config: what to run.
        face: the sync face, given to plugins.
        plugins: factories of plugins beside the installed ones.
    """

    def __init__(
        self,
        config: Config,
        face: Session,
        plugins: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        self.config = config
        self.registry = Registry(config, plugins)
        self.roster = Roster(self.registry)
        self._face = face
        self._redactor = Redactor()
        self._lock = threading.Lock()
        self._phase = "new"
        self._held = ExitStack()
        """What was opened, each with how it is let go."""
        self.is_hurried = False
        """A person, or the system, has asked for the end of a `run`."""

    # -- life

    def start(self) -> None:
        """Open the spool, load the plugins, start them. Channels connect by themselves.

        Raises:
            ConfigError: the configuration has mistakes.
            PluginError: with `strict`, a plugin cannot be used.
            SpoolError: the spool cannot be used; `SpoolBusy` names the process that runs it.
            SessionError: it has been started before.
        """
        with self._lock:
            if self._phase != "new":
                raise SessionError("a session is started once; make a new one")
            self._phase = "starting"
        try:
            self._open()
        except BaseException:
            self._phase = "stopped"
            self._held.close()
            raise
        self._phase = "running"

    def stop(self, drain: float | None = None, patience: float = _PATIENCE) -> None:
        """Receive no more, send what can be sent, stop every plugin, close the spool.

        Args:
            drain: seconds the outbox may take; default `session.drain`.
            patience: seconds beyond that until plugins that do not stop are left behind.

        A second call does nothing.
        """
        self.refuse_channel_loop("stop")
        drain = min(self.config.session.drain if drain is None else float(drain), _MOST_DRAIN)
        with self._lock:
            if self._phase != "running":
                return
            self._phase = "stopping"
        try:
            self._wind_down(drain, patience)
        finally:
            self._phase = "stopped"
            self._held.close()

    def _wind_down(self, drain: float, patience: float) -> None:
        self.consumer.close()
        self.consumer.wait_for_run(_RUN_SECONDS)
        self.roster.stop(drain, patience)
        self._bulletin.publish()

    def leave(self, error: BaseException | None) -> None:
        """End a `with` block: left cleanly, what was polled is acknowledged.

        After Ctrl-C there is little time: the rest is sent after the next start.
        """
        if self._phase != "running":
            return
        if error is None:
            self.consumer.acknowledge_batch()
        if self.is_hurried or isinstance(error, KeyboardInterrupt):
            self.stop(min(_HURRIED_DRAIN, self.config.session.drain), _HURRIED_PATIENCE)
        else:
            self.stop()

    def _open(self) -> None:
        settings = self.config.session
        self.registry.load()
        self._held.callback(self._redactor.uninstall)
        self._redact_secrets()
        folder = private_folder(self.config.workspace.folder)
        lock = ProcessLock(folder / LOCK_FILE)
        self._held.callback(lock.release)
        spool = self._open_spool(folder)
        self.timers = Timers()
        self._held.callback(self.timers.close)
        self._held.callback(self.roster.close)
        backlog = spool.load().result()
        self.inbox = Inbox(spool, self.timers, settings.max_deliveries, settings.max_pending)
        self.inbox.on_dead = self._entry_died
        self.house = House(
            settings=settings,
            spool=spool,
            inbox=self.inbox,
            timers=self.timers,
            context=self._context,
            tell=self.roster.tell,
            on_status=self._status_changed,
            on_end=self._item_ended,
            told=lambda words: in_a_line(self._redactor.redact(str(words))),
            states=backlog.states,
            heard=backlog.heard,
            drops=backlog.drops,
        )
        self.consumer = Consumer(self.inbox, self.timers)
        self._bulletin = Bulletin(spool, self.timers, self.inbox, self.roster)
        self.roster.fill(self.house)
        self.dispatch = Dispatch(self.house, self.roster)
        self.showing = Showing(self.house, self.roster)
        self._bulletin.restore(backlog)
        self.registry.set_plugin("session", self._face)
        self.roster.start()
        self._bulletin.publish()
        self.timers.every(_LOOK_SECONDS, self._bulletin.look)
        self.timers.every(_LOOK_SECONDS, lock.keep)
        self.timers.every(_TRIM_SECONDS, lambda: heed(spool.trim()))

    def _open_spool(self, folder: Path) -> Spool:
        settings = self.config.session
        spool = SqliteSpool(
            folder / SPOOL_FILE,
            durability=settings.durability,
            retain_days=settings.retain_days,
            retain_count=settings.retain_count,
        )
        self._held.callback(spool.close)
        return spool

    def _redact_secrets(self) -> None:
        for record in self.registry.records.values():
            for secret in secrets_in(record.config):
                self._redactor.add(secret)
        names = [f"cobot_session.plugin.{name}" for name in self.registry.records]
        self._redactor.install(["cobot_session", *names])

    def _context(self, plugin_id: str, state: State) -> PluginContext:
        return PluginContext(
            channel_type=plugin_id,
            log=logging.getLogger(f"cobot_session.plugin.{plugin_id}"),
            workspace=private_folder(self.config.workspace.folder / "plugins" / plugin_id),
            state=state,
            session=self._face,
        )

    # -- who may call

    def refuse_channel_loop(self, verb: str) -> None:
        """Refuse a blocking verb on a channel's own event loop.

        Raises:
            WrongFace: it would wait for the very loop that it holds up.
        """
        if self.roster.holds_this_loop():
            raise WrongFace(
                f"`session.{verb}` blocks, and this is the channel's event loop:"
                f" write `await session.aio.{verb}(...)`, or make the hook a `def`"
            )

    def require_running(self) -> None:
        """Refuse to work before the start and after the stop.

        Raises:
            SessionError: the session is not running.
        """
        if self._phase != "running":
            raise SessionError(
                f"the session is {self._phase}; use it inside `with session:` or after `start()`"
            )

    # -- messages

    def handling(self, handler: Handler, concurrency: int) -> Handling:
        """Return what runs a handler."""
        return Handling(self, handler, concurrency)

    def stream(self, message: IncomingMessage) -> Stream:
        """Return a growing answer to a message."""
        return Stream(self, message)

    def ack(self, message: IncomingMessage) -> Future[Any]:
        """Be done with a message that is in hand."""
        return self.inbox.acknowledge([self.inbox.in_hand(message)])

    def nack(self, message: IncomingMessage, delay: float) -> None:
        """Put a message that is in hand back.

        Raises:
            TypeError, ValueError: `delay` is no number of seconds. Nothing happened.
        """
        if not 0 <= float(delay) < math.inf:
            raise ValueError(f"`delay` is a number of seconds, 0 or more, not {delay!r}")
        self.inbox.release([self.inbox.in_hand(message)], float(delay))

    def broadcast(
        self, content: str | OutgoingMessage, exclude_channel: str | None, wait: float | None
    ) -> Future[dict[str, Receipt]]:
        """Send to the default chat of every channel that can send."""
        return gathered(self.dispatch.broadcast(content, exclude_channel, wait))

    def fetch(self, media: Media) -> Future[bytes]:
        """Return the content of an attachment."""
        if media.data is not None:
            return done(media.data)
        supervisor = self.roster.get(media.channel_type)
        if supervisor is None or "session_fetch" not in supervisor.record.hooks:
            why = f"the channel {media.channel_type!r} cannot fetch attachments"
            return failed(PermanentError(why))
        return supervisor.call(lambda door: door.fetch(media))

    # -- what is told

    def _status_changed(self, name: str, status: Status) -> None:
        self._bulletin.soon()
        self.roster.tell("session_on_status", name, status)

    def _item_ended(self, item: Item, receipt: Receipt) -> None:
        if item.is_message:
            self.roster.tell("session_on_send", item.message, receipt)

    def _entry_died(self, entry: Entry) -> None:
        supervisor = self.roster.get(entry.message.channel_type)
        if supervisor is not None:
            supervisor.vitals.count(dead=1)
