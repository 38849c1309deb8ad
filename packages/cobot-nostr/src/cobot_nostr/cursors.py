"""Until when each relay was read, and how much of that can be believed of a clock that was wrong.

What other people wrote is the witness: so far at least it was read, whatever our clock said.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

_STORED_SECONDS = 30
_STEP = 60
"""Seconds that a right clock may be put back."""
_CURSORS, _WITNESSED = "cursors", "witnessed"


class Cursors:
    """The cursors of one identity, in the channel's durable state.

    Args:
        state: of the channel.
        catch_up: seconds that the first reading of a relay reaches back.
    """

    def __init__(self, state: MutableMapping[str, Any], catch_up: int) -> None:
        self._state = state
        self._catch_up = catch_up
        self._stored_at = 0
        self._witnessed: int = state.get(_WITNESSED, 0)
        self._at_start: dict[str, int] = dict(state.get(_CURSORS, {}))

    def at_start(self) -> dict[str, int]:
        """Return where to begin at each relay that was read before.

        While we were away the time of a clock that was ahead may have come, so that its cursor
        looks well: what was witnessed tells, as far back as `catch_up` reaches.
        """
        return {url: self._at_start_of(cursor) for url, cursor in self._at_start.items()}

    def _at_start_of(self, cursor: int) -> int:
        return max(min(cursor, self._witnessed or cursor), cursor - self._catch_up)

    def first(self, relay: str = "") -> int:
        """Return the Unix time from which on a relay's events are wanted."""
        return 0 if relay in self._at_start else int(time.time()) - self._catch_up

    def believed(self, cursor: int) -> int:
        """Return a cursor, or where to begin when a clock that was ahead made it."""
        now = int(time.time())
        if cursor <= now + _STEP:
            return cursor
        return min(cursor, (self._witnessed or now) - self._catch_up)

    def witness(self, written_at: int) -> None:
        """Take the Unix time at which somebody else wrote what was just handled."""
        at = min(written_at, int(time.time()))
        if at > self._witnessed:
            self._witnessed = self._state[_WITNESSED] = at

    def keep(self, cursors: Mapping[str, int], *, urgent: bool, doubtful: bool) -> int | None:
        """Store the cursors, now and then or when it is urgent; return the earliest time in them.

        Args:
            cursors: of the pool.
            urgent: something was handled.
            doubtful: something is from the future. As long as nothing was witnessed, the clock may
                be years behind, and a relay that was never read stays so.
        """
        now = int(time.time())
        if not urgent and now - self._stored_at < _STORED_SECONDS:
            return None
        known = self._at_start if doubtful and not self._witnessed else cursors
        self._state[_CURSORS] = {url: at for url, at in cursors.items() if url in known}
        self._stored_at = now
        return min([now, self._witnessed or now, *cursors.values()])
