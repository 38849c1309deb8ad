"""The way of one message out: by a session of its own, or by the one that runs already."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from cobot_session.cli.choice import only
from cobot_session.cli.errand import errand_pid, is_free, on_errand
from cobot_session.cli.naming import known_channel
from cobot_session.cli.outcome import UsageMistake
from cobot_session.cli.place import Place
from cobot_session.config import BUILT_IN
from cobot_session.engine import LOCK_FILE, SPOOL_FILE
from cobot_session.errors import CobotError, SpoolBusy
from cobot_session.messages import Receipt, new_id
from cobot_session.registry import Registry
from cobot_session.session import Session
from cobot_session.spool.beside import Beside, SpoolTooOld
from cobot_session.spool.lock import running_pid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cobot_session.config import Config
    from cobot_session.messages import OutgoingMessage
    from cobot_session.status import ChannelState

_LOST: frozenset[ChannelState] = frozenset({"failed", "unconfigured"})
"""States of a channel that sends nothing and will not."""
_LOOK_SECONDS = 0.05
_TURN_SECONDS = 0.25
"""Between looks at the lock: each keeps others from taking it, for a moment."""
_PATIENCE = 10.0
"""Seconds until a message whose turn has not come is left in the spool."""


def deliver(message: OutgoingMessage, config: Config, timeout: float) -> Receipt:
    """Let a message out, whoever runs a session; returns what is true `timeout` seconds later.

    A session that runs takes it. Else a session of its own does; while another `send` has one that
    cannot take it, it waits for some seconds, and is then left in the spool.

    Raises:
        UsageMistake: there is no such channel; or the message names no chat, and only the session
            that runs knows the default one.
        CobotError: the session that runs does not run the channel.
        ConfigError: the settings have mistakes.
        SpoolError: the spool cannot be used.
    """
    message.id = new_id()
    way = _Way(message, config, timeout)
    patience = time.monotonic() + _PATIENCE
    while time.monotonic() < max(patience, way.due):
        with contextlib.suppress(SpoolBusy, SpoolTooOld):  # somebody else has just begun
            if (receipt := way.tried()) is not None:
                return receipt
        time.sleep(_TURN_SECONDS)
    return way.left()


class _Way:
    """One message, and how it may go out.

    Args:
        message: has an id, by which it is known however often it is tried.
        config: the configuration.
        timeout: seconds to wait for its outcome, once somebody has it.

    Attributes:
        due: when its outcome is waited for no longer, of `time.monotonic`; 0: nobody has it yet.
    """

    def __init__(self, message: OutgoingMessage, config: Config, timeout: float) -> None:
        self.due = 0.0
        self._message = message
        self._config = config
        self._timeout = timeout

    def tried(self) -> Receipt | None:
        """Send it in one of the ways; `None`: it is not settled, and nobody runs who could."""
        place = Place.of(self._config)
        if place.pid is None:
            return self._alone(place)
        if not self.due:
            if not self._is_ready(place):
                return None
            try:
                _check_runs(self._message.channel_type, place)
            except CobotError:
                if running_pid(place.folder / LOCK_FILE) == place.pid:
                    raise
                return None  # who told so is gone
            self._hand_over(place.beside)
        return self._outcome(place)

    def left(self) -> Receipt:
        """Leave it in the spool, and return what is true."""
        beside = Beside(self._config.workspace.folder / SPOOL_FILE)
        if not self.due:
            self._hand_over(beside)
        return self._receipt(beside)

    def _alone(self, place: Place) -> Receipt:
        needed = with_needs(self._config, self._message.channel_type)
        with on_errand(place.folder), Session(needed) as session:
            self.due = self.due or time.monotonic() + self._timeout
            receipt = session.send(self._message, max(0.0, self.due - time.monotonic()))
        latest = place.beside.receipt(receipt.id)  # it may have gone out at the very end
        return receipt if latest is None else latest

    def _is_ready(self, place: Place) -> bool:
        """Tell whether a message can be handed to the session that runs, as far as is known yet."""
        if errand_pid(place.folder) is None:
            return place.told_at is not None or not place.starting
        told = place.statuses.get(self._message.channel_type)
        runs_it = told is not None and told.state not in _LOST
        return runs_it and not place.starting and bool(self._chat())

    def _chat(self) -> str | None:
        if self._message.channel_id:
            return self._message.channel_id
        block = self._config.blocks.get(self._message.channel_type)
        return block.common.default_chat if block else None

    def _hand_over(self, beside: Beside) -> None:
        chat = self._chat()
        if chat is None:
            channel = self._message.channel_type
            raise UsageMistake(
                f"name the chat, as in `send {channel} CHAT TEXT`: beside a session that runs, the"
                f" default one is known only if `plugins.{channel}.default_chat` says it"
            )
        self._message.channel_id = chat
        if self._config.session.format == "text":
            self._message.metadata["format"] = "text"
        beside.post(self._message)
        self.due = time.monotonic() + self._timeout

    def _outcome(self, place: Place) -> Receipt | None:
        """Return what is true when it is settled or due; `None`: nobody runs any more."""
        looked = time.monotonic()
        while True:
            receipt = self._receipt(place.beside)
            now = time.monotonic()
            if receipt.status != "queued" or now >= self.due:
                return receipt
            if now - looked >= _TURN_SECONDS:
                looked = now
                if is_free(place.folder):
                    return None
            time.sleep(_LOOK_SECONDS)

    def _receipt(self, beside: Beside) -> Receipt:
        known = beside.receipt(self._message.id)
        return Receipt(self._message.id, "queued") if known is None else known


def _check_runs(channel: str, place: Place) -> None:
    who = f"the session that runs (process {place.pid or 'unknown'})"
    status = place.statuses.get(channel)
    if status is None and not place.starting:
        known = ", ".join(sorted(place.statuses)) or "none"
        raise CobotError(f"{who} has no channel `{channel}`; it has: {known}")
    if status is not None and status.state in _LOST:
        why = f": {status.last_error}" if status.last_error else ""
        raise CobotError(f"the channel `{channel}` of {who} is {status.state}{why}")


def with_needs(config: Config, channel: str) -> Config:
    """Return a configuration for this channel and the plugins that it depends on.

    Raises:
        UsageMistake: there is no such channel.
        ConfigError: its settings have mistakes.
    """
    known_channel(config, channel)
    names: set[str] = set()
    needed = {channel}
    while not needed <= names:
        names |= needed
        registry = Registry(only(config, names))
        _load_silently(registry)
        metas = (record.meta for record in registry.records.values() if record.id in names)
        needed = {name for meta in metas if meta for name in _meant(meta.dependencies, config)}
    return only(config, names)


def _load_silently(registry: Registry) -> None:
    """Load; the session that follows logs what there is to log."""
    logging.disable()
    try:
        registry.load()
    finally:
        logging.disable(logging.NOTSET)


def _meant(dependencies: Iterable[str], config: Config) -> Iterator[str]:
    """Yield the blocks that dependencies stand for."""
    for name in set(dependencies).difference(BUILT_IN):
        yield name
        yield from (block.name for block in config.blocks.values() if block.use == name)
