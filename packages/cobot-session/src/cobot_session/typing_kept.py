"""A typing indicator that stays on while an answer is in work."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from cobot_session.engine import Engine
    from cobot_session.messages import IncomingMessage
    from cobot_session.timers import Timer

_RENEW_AT = 0.8
"""Part of the time one indicator shows after which it is renewed."""


class TypingKept:
    """Shows typing in a message's chat from `with` to its end; also for `async with`."""

    def __init__(self, engine: Engine, message: IncomingMessage) -> None:
        self._engine = engine
        self._chat = message.channel_type, message.channel_id
        capabilities = engine.roster.capabilities(message.channel_type)
        self._can = "typing" in capabilities
        self._seconds = capabilities.limits.typing_seconds * _RENEW_AT
        self._lock = threading.Lock()
        self._timer: Timer | None = None
        self._on = False

    def __enter__(self) -> None:
        self._on = self._can
        self._show()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._on = False
            if self._timer is not None:
                self._timer.cancel()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def _show(self) -> None:
        with self._lock:
            if self._on:
                # a channel that does not run now may run again
                self._engine.showing.typing(*self._chat, lambda: self._on)
                self._timer = self._engine.timers.later(self._seconds, self._show)
