"""What time it is at Discord, whatever the clock of this machine shows.

Discord's ids tell when they were made, and only Discord's own time compares with them. It is told
in the `Date` of each answer (RFC 9110, 6.6.1) and carried on by the monotonic clock, which nobody
sets.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from cobot_discord.parse import snowflake_at
from cobot_discord.places import MALFORMED


def wall() -> float:
    """Return the seconds since 1970 by this machine's clock, which may be wrong or be set."""
    return time.time()


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in the life of this process.

    Attributes:
        at: Discord's time.
        ticks: seconds of the monotonic clock.
        shown: seconds since 1970 by this machine's clock.
    """

    at: datetime
    ticks: float
    shown: float


class Clock:
    """Discord's time, up to a second late; this machine's as long as no answer has told it."""

    def __init__(self) -> None:
        self._heard: tuple[datetime, float] | None = None

    def hear(self, date: str | None) -> None:
        """Take over the `Date` of an answer that has just come; what is none tells nothing."""
        try:
            at = parsedate_to_datetime(date or "")
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            is_possible = 0 < snowflake_at(at) < 2**63
        except MALFORMED:
            return
        if is_possible:
            self._heard = at.astimezone(UTC), time.monotonic()

    def now(self) -> datetime:
        """Return Discord's time."""
        if self._heard is None:
            return datetime.fromtimestamp(wall(), UTC)
        at, ticks = self._heard
        return at + timedelta(seconds=time.monotonic() - ticks)

    def moment(self) -> Moment:
        """Return this moment, to ask for its age later."""
        return Moment(self.now(), time.monotonic(), wall())

    def age(self, moment: Moment) -> float:
        """Return the seconds that have passed, rather too many than too few.

        The monotonic clock stands while the machine sleeps; this machine's may be set back.
        """
        return max(time.monotonic() - moment.ticks, wall() - moment.shown)

    def start_of(self, moment: Moment) -> datetime:
        """Return Discord's time of a moment, rather too early than too late.

        What has been told since may know better: a monotonic clock that was not asked for days may
        run ahead by then.
        """
        passed = timedelta(seconds=time.monotonic() - moment.ticks)
        return min(moment.at, self.now() - passed)
