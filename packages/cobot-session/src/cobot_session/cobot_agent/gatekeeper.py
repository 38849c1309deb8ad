"""The agent's pairing plugin, asked about each message before the agent sees it.

In cobot 0.2.0 it has no part in any extension point of the loop, so nobody else asks it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_session.cobot_agent.agent import Context, PairingPlugin, Registry

_ASK_SECONDS = 30.0


class Gatekeeper:
    """Asks a pairing plugin in a thread of its own: it is a coroutine, and a poll is none."""

    def __init__(self, pairing: PairingPlugin) -> None:
        self._pairing = pairing
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="cobot-pairing")

    def lets_in(self, context: Context) -> bool:
        """Tell whether the agent may see a message; if not, its sender has been told the code.

        Raises:
            Exception: whatever the plugin raises; `TimeoutError` when it does not answer.
        """
        asked = self._worker.submit(lambda: asyncio.run(self._pairing.on_message_received(context)))
        return not asked.result(_ASK_SECONDS).get("abort")

    def close(self) -> None:
        """Ask no more."""
        self._worker.shutdown(wait=False, cancel_futures=True)


def gatekeeper_of(registry: Registry | None) -> Gatekeeper | None:
    """Return who asks the agent's pairing plugin; `None`: there is none, or it asks by itself."""
    pairing = registry.get_by_capability("pairing") if registry is not None else None
    if pairing is None or "loop.on_message" in pairing.meta.implements:
        return None
    return Gatekeeper(pairing)
