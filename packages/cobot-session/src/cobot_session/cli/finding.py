"""What `doctor` tells of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: `ok`; `warning`: it works, maybe not as meant; `error`: it does not.
        about: what was looked at.
        finding: what was seen.
        remedy: what to do about it.
    """

    state: Literal["ok", "warning", "error"]
    about: str
    finding: str
    remedy: str = ""
