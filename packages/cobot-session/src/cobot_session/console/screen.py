"""What the console needs of the place it runs in, be it a terminal or a pair of pipes."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

# Control characters, line separators, marks that turn the direction of writing, half characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Screen(Protocol):
    """Where a person reads and types."""

    def lines(self) -> AsyncGenerator[str, None]:
        """Yield what the person types, line by line, until they leave."""

    async def show(self, head: str, text: str) -> None:
        """Show a text after its head; return when it has been written.

        Raises:
            OSError: it cannot be written.
        """

    def refresh(self) -> None:
        """Show a changed prompt or state. Cheap; does nothing where neither is shown."""


def printable(text: str) -> str:
    """Return text that can do nothing to a terminal: what is not to be seen is spelt out."""
    text = text.replace("\r\n", "\n")
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def indented(head: str, text: str) -> str:
    """Return a text with its lines after the first below the first, not below the head."""
    return text.replace("\n", "\n" + " " * len(head))


def write(text: str) -> None:
    """Write to standard output now; what its encoding lacks is spelt out."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()
