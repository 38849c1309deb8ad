"""NIP-42: telling a relay who we are, when it wants to know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cobot_nostr.event import make_event

if TYPE_CHECKING:
    from cobot_nostr.line import Line

AUTH_KIND = 22242


class Login:
    """The state of authentication in one connection.

    Attributes:
        done: the relay has accepted us.
        refused: why it has not, or empty.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self.reset()

    def reset(self) -> None:
        """Forget what was said in the connection before."""
        self._challenge = ""
        self._wanted = False
        self._asked = ""
        self.done = False
        self.refused = ""

    @property
    def possible(self) -> bool:
        """It makes sense to try."""
        return not self.done and not self.refused

    def challenged(self, challenge: str, *, willing: bool) -> None:
        """Take a challenge; answer it if we are willing, or were asked to before it came."""
        self._challenge = challenge
        self.done = False
        if willing or self._wanted:
            self.log_in()

    def log_in(self) -> None:
        """Answer the challenge, as soon as there is one."""
        self._wanted = True
        if not self._challenge or self._asked:
            return
        tags = [("relay", self._line.url), ("challenge", self._challenge)]
        event = make_event(self._line.key, int(time.time()), AUTH_KIND, tags, "")
        self._asked = event.id
        self._line.send("AUTH", event.to_dict())

    def is_about(self, event_id: str) -> bool:
        """Tell whether an OK answers our login."""
        return bool(event_id) and event_id == self._asked

    def answered(self, accepted: bool, reason: str) -> None:  # as on the wire
        """Take the relay's word."""
        self._asked = ""
        self.done = accepted
        if not accepted:
            self._challenge = ""
            self.refused = reason or "authentication refused"
            self._line.problem = f"authentication refused: {reason}"
