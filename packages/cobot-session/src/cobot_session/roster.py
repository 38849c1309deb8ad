"""The plugins of one session: their supervisors, made, started, asked and stopped in order."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cobot_session.capabilities import Capabilities
from cobot_session.errors import SessionError
from cobot_session.messages import IncomingMessage, OutgoingMessage
from cobot_session.registry import BUILT_IN
from cobot_session.supervisor import Supervisor
from cobot_session.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cobot_session.house import House
    from cobot_session.registry import PluginRecord, Registry
    from cobot_session.status import ChannelState, Status

_OBSERVER_HEAD_START = 2.0
"""Seconds that observers get to start before the channels do."""


class Roster:
    """The supervisors of all plugins that run, by name, and the word on those that do not."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._supervisors: dict[str, Supervisor] = {}
        self._resting: dict[str, Vitals] = {}

    def __iter__(self) -> Iterator[Supervisor]:
        return iter(self._supervisors.values())

    def get(self, name: str) -> Supervisor | None:
        """Return the supervisor of a plugin that runs."""
        return self._supervisors.get(name)

    def with_hook(self, hook: str) -> list[Supervisor]:
        """Return the supervisors of the plugins that have a hook."""
        return [one for one in self if hook in one.record.hooks]

    # -- life

    def fill(self, house: House) -> None:
        """Make a supervisor for each plugin that can be used, dependencies first."""
        for record in self._registry.ordered():
            if record.id not in BUILT_IN:
                needs = [self._supervisors[n] for n in record.dependencies if n not in BUILT_IN]
                self._supervisors[record.id] = Supervisor(record, house, needs)
        for record in self._registry.records.values():
            if record.state in {"unconfigured", "failed"}:
                self._resting[record.id] = _resting(record)

    def start(self) -> None:
        """Start the observers, then the channels; nothing waits for one that hangs."""
        observers = [one for one in self if not one.record.is_channel]
        for observer in observers:
            observer.start()
        deadline = time.monotonic() + _OBSERVER_HEAD_START
        for observer in observers:
            observer.wait_started(deadline)
        for supervisor in self:
            if supervisor not in observers:
                supervisor.start()

    def stop(self, drain: float, patience: float) -> None:
        """Stop the channels, dependents first, then the observers.

        Args:
            drain: seconds the outboxes may take.
            patience: seconds beyond that until a plugin that does not stop is left behind.
        """
        deadline = time.monotonic() + drain + patience
        for wave in self._waves():
            for supervisor in wave:
                supervisor.stop(drain)
            for supervisor in wave:
                supervisor.join(deadline)

    def close(self) -> None:
        """Tell everyone who still waits for a receipt what is true."""
        for supervisor in self:
            supervisor.outbox.close()

    def _waves(self) -> Iterator[list[Supervisor]]:
        """Yield those that may stop together: nobody who still runs needs them."""
        for are_channels in (True, False):
            left = [one for one in self if one.record.is_channel == are_channels]
            while left:
                needed = {need for one in left for need in one.record.dependencies}
                wave = [one for one in left if one.record.id not in needed]
                yield wave
                left = [one for one in left if one not in wave]

    # -- asking

    def channels(self) -> list[str]:
        """Return the names of the channels that run."""
        return [one.record.id for one in self if one.record.is_channel]

    def capabilities(self, channel_type: str) -> Capabilities:
        """Return what a channel can do.

        Raises:
            SessionError: there is no such channel.
        """
        supervisor = self.get(channel_type)
        if supervisor is None:
            raise SessionError(self.absence(channel_type))
        return Capabilities(supervisor.record.hooks, supervisor.record.limits)

    def status(self) -> dict[str, Status]:
        """Return what is true of each plugin now."""
        running = {name: one.status() for name, one in self._supervisors.items()}
        return running | {name: vitals.status(0) for name, vitals in self._resting.items()}

    def absence(self, channel_type: str) -> str:
        """Return why there is no such channel."""
        record = self._registry.records.get(channel_type)
        if record is None:
            known = ", ".join(self.channels()) or "none"
            return f"there is no channel {channel_type!r}; there are: {known}"
        return f"the channel {channel_type!r} is {record.state}: {record.reason}"

    def holds_this_loop(self) -> bool:
        """Return whether the caller runs on the event loop of one of the plugins."""
        return any(one.on_my_loop() for one in self)

    # -- telling

    def tell(self, hook: str, *arguments: Any) -> None:
        """Tell every observer that has the hook, each with messages of its own to keep."""
        for supervisor in self.with_hook(hook):
            supervisor.news.tell(hook, *map(_copied, arguments))


def _resting(record: PluginRecord) -> Vitals:
    state: ChannelState = "unconfigured" if record.state == "unconfigured" else "failed"
    vitals = Vitals(state, lambda _: None)
    vitals.enter(state, record.reason)
    return vitals


def _copied(argument: Any) -> Any:
    if isinstance(argument, IncomingMessage | OutgoingMessage):
        return replace(argument, metadata=dict(argument.metadata))
    return argument
