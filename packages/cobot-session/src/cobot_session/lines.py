"""What others say, as it is told in a log, a receipt or the status."""

from __future__ import annotations

_LONGEST = 500


def in_a_line(words: object) -> str:
    """Return words in one line of bounded length that commands no terminal.

    Secrets are taken out before: half of one would not be known.
    """
    text = str(words)
    shown = "".join(it if it.isprintable() else " " for it in text[: 2 * _LONGEST])
    line = " ".join(shown.split())
    return line if len(line) <= _LONGEST and len(text) <= 2 * _LONGEST else f"{line[:_LONGEST]}…"
