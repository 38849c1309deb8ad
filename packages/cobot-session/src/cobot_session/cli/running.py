"""What is told of the channels of a session that runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cobot_session.cli import output
from cobot_session.cli.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cobot_session.cli.place import Place
    from cobot_session.spool.counting import Pause
    from cobot_session.status import Status


def channel_findings(place: Place) -> Iterator[Finding]:
    """Repeat for `doctor` what a session says of channels that are not well.

    Nothing else here asks a platform, so that a token which is refused is known only from there.
    """
    if not place.is_fresh:
        return
    for name, told in place.statuses.items():
        if told.state in {"failed", "reconnecting", "starting"}:
            yield _unwell(name, told)
    for name, counts in place.counts.items():
        if counts.pause is not None:
            yield Finding("warning", f"channel {name}", pause_words(counts.pause))


def _unwell(name: str, told: Status) -> Finding:
    words = f"{told.state} for {output.span(time.time() - told.since.timestamp())}"
    finding = f"{words}: {told.last_error}" if told.last_error else words
    if told.state != "failed":
        return Finding("warning", f"channel {name}", finding)
    return Finding("error", f"channel {name}", finding, "Mend it and start the session anew.")


def pause_words(pause: Pause) -> str:
    """Return who is not written to, how long and why."""
    left = output.span(pause.until - time.time())
    if pause.whole_channel:
        whom = f"no chat is written to for {left}"
    elif pause.chats == 1:
        whom = f"1 chat is not written to for {left}"
    else:
        whom = f"{pause.chats} chats are not written to for up to {left}"
    why = f": {pause.error}" if pause.error else ""
    return f"paused: {whom}{why}"
