"""The parts of a session tied together, behind one thread-safe door for both faces."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from cobot_session.capabilities import Capabilities
from cobot_session.consumer import Consumer
from cobot_session.dispatch import Dispatch
from cobot_session.errors import PermanentError, SessionError, WrongFace
from cobot_session.futures import done, gathered
from cobot_session.handling import Handler, Handling
from cobot_session.house import House
from cobot_session.inbox import Inbox
from cobot_session.plugin import PluginContext
from cobot_session.redact import Redactor, secrets_in
from cobot_session.registry import Registry
from cobot_session.spool import SqliteSpool
from cobot_session.spool.lock import ProcessLock
from cobot_session.stream import Stream
from cobot_session.supervisor import Supervisor
from cobot_session.timers import Timers
from cobot_session.vitals import Vitals
from cobot_session.workspace import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from cobot_session.config import Config
    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Receipt
    from cobot_session.plugin import State
    from cobot_session.registry import PluginRecord
    from cobot_session.session import Session
    from cobot_session.spool import Backlog, Entry, Item, Spool
    from cobot_session.status import Status

log = logging.getLogger("cobot_session")

SPOOL_FILE = "session.db"
LOCK_FILE = "session.lock"

_OBSERVER_HEAD_START = 2.0
"""Seconds that observers get to start before the channels do."""
_FOREIGN_SECONDS = 1.0
_PUBLISH_SECONDS = 10.0
_TRIM_SECONDS = 10.0
_PATIENCE = 8.0
_HURRIED_DRAIN = 0.5
_HURRIED_PATIENCE = 1.0


class Engine:
    """Everything behind a session's faces. Verbs may be called from any thread.

    Args:
        config: what to run.
        face: the sync face, given to plugins.
        plugins: factories of plugins beside the installed ones.
        spool: another store than the one in the workspace.
    """

    def __init__(
        self,
        config: Config,
        face: Session,
        plugins: Mapping[str, Callable[[], object]] | None = None,
        spool: Spool | None = None,
    ) -> None:
        self.config = config
        self.registry = Registry(config, plugins)
        self._face = face
        self._given_spool = spool
        self._redactor = Redactor()
        self._supervisors: dict[str, Supervisor] = {}
        self._resting: dict[str, Vitals] = {}
        self._lock = threading.Lock()
        self._phase = "new"
        self._process_lock: ProcessLock | None = None
        self._published: tuple[float, Any] = (0.0, None)

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
            self._build()
        except BaseException:
            self._phase = "stopped"
            self._let_go()
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
        with self._lock:
            if self._phase != "running":
                return
            self._phase = "stopping"
        drain = self.config.session.drain if drain is None else drain
        self.consumer.close()
        self._stop_plugins(drain, patience)
        self._publish()
        self._phase = "stopped"
        self._let_go()

    def leave(self, error: BaseException | None) -> None:
        """End a `with` block: left cleanly, what was polled is acknowledged.

        After Ctrl-C there is little time: the rest is sent after the next start.
        """
        if self._phase != "running":
            return
        if error is None:
            self.consumer.acknowledge_batch()
        if isinstance(error, KeyboardInterrupt):
            self.stop(min(_HURRIED_DRAIN, self.config.session.drain), _HURRIED_PATIENCE)
        else:
            self.stop()

    def _build(self) -> None:
        settings = self.config.session
        folder = self._folder()
        self.registry.load()
        self._redact_secrets()
        self.spool = self._given_spool or SqliteSpool(
            folder / SPOOL_FILE,
            durability=settings.durability,
            retain_days=settings.retain_days,
            retain_count=settings.retain_count,
        )
        self.timers = Timers()
        backlog = self.spool.load().result()
        self.inbox = Inbox(self.spool, self.timers, settings.max_deliveries, settings.max_pending)
        self.inbox.on_dead = self._entry_died
        self.house = House(
            settings=settings,
            spool=self.spool,
            inbox=self.inbox,
            timers=self.timers,
            context=self._context,
            tell=self.tell,
            on_end=self._item_ended,
            redact=self._redactor.redact,
            states=backlog.states,
        )
        self.consumer = Consumer(self.inbox, self.timers)
        self._make_supervisors()
        self.dispatch = Dispatch(self.house, self._supervisors, self._absent)
        self.registry.set_plugin("session", self._face)
        self._restore(backlog)
        self._start_plugins()
        self.timers.every(_FOREIGN_SECONDS, self._look_for_foreign_writes)
        self.timers.every(_TRIM_SECONDS, lambda: _heed(self.spool.trim()))

    def _folder(self) -> Path:
        folder = private_folder(self.config.workspace.folder)
        if self._given_spool is None:
            self._process_lock = ProcessLock(folder / LOCK_FILE)
        return folder

    def _make_supervisors(self) -> None:
        for record in self.registry.ordered():
            if record.factory is None or record.id in {"session", "workspace"}:
                continue
            needs = [self._supervisors[n] for n in record.dependencies if n in self._supervisors]
            self._supervisors[record.id] = Supervisor(record, self.house, needs)
        for record in self.registry.records.values():
            if record.state in {"unconfigured", "failed"}:
                vitals = Vitals("starting", lambda _: None)
                vitals.enter(record.state, record.reason)
                self._resting[record.id] = vitals

    def _restore(self, backlog: Backlog) -> None:
        """Take up what the last run left open; what belongs to no plugin of today waits."""
        self.inbox.add(backlog.entries)
        for item in backlog.items:
            supervisor = self._supervisors.get(item.message.channel_type)
            if supervisor is not None:
                supervisor.outbox.add(item)
            else:
                log.warning(
                    "message %s waits for the channel %r, which is not running",
                    item.id,
                    item.message.channel_type,
                )
        self._count_dead(backlog)

    def _start_plugins(self) -> None:
        supervisors = list(self._supervisors.values())
        observers = [one for one in supervisors if not one.record.is_channel]
        for observer in observers:
            observer.start()
        deadline = time.monotonic() + _OBSERVER_HEAD_START
        for observer in observers:
            observer.wait_started(deadline)
        for supervisor in supervisors:
            if supervisor not in observers:
                supervisor.start()

    def _stop_plugins(self, drain: float, patience: float) -> None:
        """Stop the channels, dependents first, then the observers."""
        deadline = time.monotonic() + drain + patience
        for wave in self._stop_waves():
            for supervisor in wave:
                supervisor.stop(drain)
            for supervisor in wave:
                supervisor.join(deadline)

    def _stop_waves(self) -> Iterable[list[Supervisor]]:
        left = list(self._supervisors.values())
        for are_channels in (True, False):
            kind = [one for one in left if one.record.is_channel == are_channels]
            while kind:
                needed = {need for one in kind for need in one.record.dependencies}
                wave = [one for one in kind if one.record.id not in needed] or kind
                yield wave
                kind = [one for one in kind if one not in wave]

    def _let_go(self) -> None:
        for supervisor in self._supervisors.values():
            supervisor.outbox.close()
        if hasattr(self, "timers"):
            self.timers.close()
        if hasattr(self, "spool") and self._given_spool is None:
            self.spool.close()
        if self._process_lock is not None:
            self._process_lock.release()
        self._redactor.uninstall()

    # -- what plugins get

    def _context(self, plugin_id: str, state: State) -> PluginContext:
        folder = private_folder(self.config.workspace.folder / "plugins" / plugin_id)
        return PluginContext(
            channel_type=plugin_id,
            log=self.plugin_log(plugin_id),
            workspace=folder,
            state=state,
            session=self._face,
        )

    def plugin_log(self, plugin_id: str) -> logging.Logger:
        """Return the logger of a plugin."""
        return logging.getLogger(f"cobot_session.plugin.{plugin_id}")

    def refuse_channel_loop(self, verb: str) -> None:
        """Refuse a blocking verb on a channel's own event loop.

        Raises:
            WrongFace: it would wait for the very loop that it holds up.
        """
        if any(supervisor.on_my_loop() for supervisor in self._supervisors.values()):
            raise WrongFace(
                f"`session.{verb}` blocks, and this is the channel's event loop:"
                f" write `await session.aio.{verb}(...)`, or make the hook a `def`"
            )

    # -- asking

    def require_running(self) -> None:
        """Refuse to work before the start and after the stop.

        Raises:
            SessionError: the session is not running.
        """
        if self._phase != "running":
            raise SessionError(
                f"the session is {self._phase}; use it inside `with session:` or after `start()`"
            )

    def channels(self) -> list[str]:
        """Return the names of the channels that run."""
        return [one.record.id for one in self._supervisors.values() if one.record.is_channel]

    def capabilities(self, channel_type: str) -> Capabilities:
        """Return what a channel can do.

        Raises:
            SessionError: there is no such channel.
        """
        supervisor = self._supervisors.get(channel_type)
        if supervisor is None:
            raise SessionError(self._absent(channel_type))
        return Capabilities(supervisor.record.hooks, supervisor.record.limits)

    def status(self) -> dict[str, Status]:
        """Return what is true of each plugin now."""
        found = {name: one.status() for name, one in self._supervisors.items()}
        return found | {name: vitals.status(0) for name, vitals in self._resting.items()}

    def _absent(self, channel_type: str) -> str:
        """Return why there is no such channel."""
        record: PluginRecord | None = self.registry.records.get(channel_type)
        if record is None:
            known = ", ".join(self.channels()) or "none"
            return f"there is no channel {channel_type!r}; there are: {known}"
        return f"the channel {channel_type!r} is {record.state}: {record.reason}"

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
        """Put a message that is in hand back."""
        self.inbox.release([self.inbox.in_hand(message)], delay)

    # -- doing without waiting

    def preview(self, channel_type: str, channel_id: str, msg_id: str, content: str) -> None:
        """Show a text in place of a message; it is stored nowhere and nobody waits for it."""
        supervisor = self._supervisors[channel_type]
        supervisor.aside(lambda door: door.edit(channel_id, msg_id, content))

    def typing(self, channel_type: str, channel_id: str) -> bool:
        """Show that an answer is being written; false when the channel cannot, or is not up."""
        supervisor = self._supervisors.get(channel_type)
        if supervisor is None or "session_typing" not in supervisor.record.hooks:
            return False
        return supervisor.aside(lambda door: door.typing(channel_id))

    def presence(self, status: str) -> bool:
        """Wish for a presence on every channel that has it; false when none has."""
        if status not in {"online", "offline", "away", "busy"}:
            raise ValueError(f"presence is one of online, away, busy and offline, not {status!r}")
        self.house.presence = status
        able = [one for one in self._supervisors.values() if "session_presence" in one.record.hooks]
        for supervisor in able:
            supervisor.aside(lambda door: door.presence(status))
        return bool(able)

    def fetch(self, media: Media) -> Future[bytes]:
        """Return the content of an attachment."""
        supervisor = self._supervisors.get(media.channel_type)
        if media.data is not None:
            return done(media.data)
        if supervisor is None or "session_fetch" not in supervisor.record.hooks:
            answer: Future[bytes] = Future()
            answer.set_exception(
                PermanentError(f"the channel {media.channel_type!r} cannot fetch attachments")
            )
            return answer
        return supervisor.call(lambda door: door.fetch(media))

    def broadcast(
        self, content: str | OutgoingMessage, exclude_channel: str | None, wait: float | None
    ) -> Future[dict[str, Receipt]]:
        """Send to the default chat of every channel that can send."""
        return gathered(self.dispatch.broadcast(content, exclude_channel, wait))

    # -- telling

    def tell(self, hook: str, *arguments: Any) -> None:
        """Tell every observer."""
        for supervisor in self._supervisors.values():
            supervisor.news.tell(hook, *arguments)

    def _item_ended(self, item: Item, receipt: Receipt) -> None:
        if item.op == "send":
            self.tell("session_on_send", replace(item.message), receipt)

    def _entry_died(self, entry: Entry) -> None:
        supervisor = self._supervisors.get(entry.message.channel_type)
        if supervisor is not None:
            supervisor.vitals.count(dead=1)

    # -- beside other processes

    def _look_for_foreign_writes(self) -> None:
        self.spool.reopened().add_done_callback(self._take_reopened)
        self._publish_if_due()

    def _take_reopened(self, future: Future[Backlog]) -> None:
        if future.exception() is None and self._phase == "running":
            backlog = future.result()
            self._restore(backlog)

    def _count_dead(self, backlog: Backlog) -> None:
        for name, supervisor in self._supervisors.items():
            supervisor.vitals.dead = backlog.dead.get(name, 0)

    def _publish_if_due(self) -> None:
        at, last = self._published
        if time.monotonic() - at > _PUBLISH_SECONDS or self._snapshot() != last:
            self._publish()

    def _publish(self) -> None:
        snapshot = self._snapshot()
        self._published = (time.monotonic(), snapshot)
        _heed(self.spool.publish(snapshot))

    def _snapshot(self) -> dict[str, Any]:
        return {name: asdict(status) for name, status in self.status().items()}

    def _redact_secrets(self) -> None:
        for record in self.registry.records.values():
            for secret in secrets_in(record.config):
                self._redactor.add(secret)
        self._redactor.install(["cobot_session", *self._plugin_logs()])

    def _plugin_logs(self) -> list[str]:
        return [f"cobot_session.plugin.{name}" for name in self.registry.records]


def _heed(future: Future[Any]) -> None:
    """Log what a write that nobody waits for raised."""

    def check(done: Future[Any]) -> None:
        if (error := done.exception()) is not None:
            log.warning("the spool: %s", error)

    future.add_done_callback(check)
