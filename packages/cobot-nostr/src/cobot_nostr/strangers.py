"""Relays that are not ours but that people read: connected to for a while, for what we send."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from cobot_nostr.addresses import checked_address
from cobot_nostr.relay import Relay

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from logging import Logger

    from cobot_nostr.crypto import Key
    from cobot_nostr.tuning import Tuning

_MOST = 64


class Strangers:
    """A bounded number of relays that people have named.

    Args:
        key: answers authentication challenges.
        log: where trouble is told.
        tuning: times and bounds.
        anywhere: connect also to addresses that are not public.
        run: begins to run a relay; the task is its caller's.
    """

    def __init__(
        self,
        key: Key,
        log: Logger,
        tuning: Tuning,
        *,
        anywhere: bool,
        run: Callable[[Relay], asyncio.Task[None]],
    ) -> None:
        self._key = key
        self._log = log
        self._tuning = tuning
        self._dial = None if anywhere else checked_address
        self._run = run
        self._relays: OrderedDict[str, tuple[Relay, asyncio.Task[None]]] = OrderedDict()

    def relay(self, url: str) -> Relay | None:
        """Return the relay at that address; `None`: too many others have work to do."""
        known = self._relays.get(url)
        if known is not None:
            return known[0]
        if len(self._relays) >= _MOST and not self._forget_one():
            return None
        relay = Relay(url, self._key, self._log, self._tuning, dial=self._dial)
        self._relays[url] = relay, self._run(relay)
        return relay

    def _forget_one(self) -> bool:
        """Let go of the one that was idle longest; false: all have work to do."""
        idle = [url for url, (relay, _) in self._relays.items() if not len(relay.outbox)]
        if not idle:
            return False
        _, task = self._relays.pop(min(idle, key=lambda url: self._relays[url][0].idle_since))
        task.cancel()
        return True
