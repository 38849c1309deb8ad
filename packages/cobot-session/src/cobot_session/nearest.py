"""The known word that a misspelt one was meant to be."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIKENESS = 0.6
"""Share of matching characters from which a word counts as a misspelling."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, `None` when none is like it."""
    by_folded = {name.casefold(): name for name in sorted(known)}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=_LIKENESS)
    return by_folded[found[0]] if found else None
