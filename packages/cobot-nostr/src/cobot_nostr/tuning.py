"""How patient a relay's connection is, and how much it holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Times in seconds and bounds of a relay's connection.

    Attributes:
        backoff: the first pause after a connection ended; doubles up to `backoff_most`.
        idle: silence after which the relay is asked for a sign of life.
        patience: how long an answer, a connection attempt or a write may take.
        penalty: least pause for a relay that was cut off for sending rubbish.
        rubbish: bad messages in one connection after which it is cut off.
        queue: events that wait to be taken; then the relay is read no further.
        backlog: events that wait for the relay's answer; then the oldest is given up.
        linger: how long a relay that is not ours stays connected without work.
        overlap: how far back a subscription reaches, whatever was read.
    """

    backoff: float = 1.0
    backoff_most: float = 300.0
    idle: float = 30.0
    patience: float = 15.0
    penalty: float = 300.0
    rubbish: int = 1000
    queue: int = 5000
    backlog: int = 1000
    linger: float = 60.0
    overlap: int = 300
