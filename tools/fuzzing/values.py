"""Values made of a fuzzer's bytes: real ones of which some places hold something else.

Bytes alone hardly ever become an update or an event; a sample with a few changes gets past the
first look, to where mistakes are.
"""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import atheris  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Sequence

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 2**31, 2**63, -(2**65), 10**400, 1e308, float("nan")),
    *(float("inf"), "", "0", "-1", "1e9", "\ud800", "\x00", "\u202e", "٣", "a" * 300, [], {}),
    *([[]], [None], [0], [""], {"": None}, {"id": None}, "../../x", "http://[", "2026-13-99T"),
)
"""What breaks readers."""


class Source:
    """The bytes of one input.

    Args:
        data: as the fuzzer makes them.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._bytes = atheris.FuzzedDataProvider(data)

    def value(self, samples: Sequence[Any]) -> Any:
        """Return JSON that was written out, or one of the samples with changes."""
        if self._data[:1] in {b"{", b"["}:
            with suppress(ValueError, RecursionError):
                return json.loads(self._data)
        whole = [copy.deepcopy(samples[self.below(len(samples))])]
        for _ in range(self.below(6)):
            self._change(whole, samples)
        return whole[0]

    def below(self, bound: int) -> int:
        """Return a number from 0 to less than a bound."""
        return int(self._bytes.ConsumeIntInRange(0, bound - 1))

    def number(self) -> int:
        """Return a number, negative and large ones included."""
        return int(self._bytes.ConsumeIntInRange(-(2**65), 2**65))

    def text(self, most: int = 4000) -> str:
        """Return a text, with halves of characters in it."""
        return str(self._bytes.ConsumeUnicode(most))

    def rest(self) -> bytes:
        """Return what is left."""
        return bytes(self._bytes.ConsumeBytes(self._bytes.remaining_bytes()))

    def _change(self, whole: list[Any], samples: Sequence[Any]) -> None:
        """Change one place, as deep in the value as the bytes lead."""
        inside: Any = whole
        key: Any = 0
        while isinstance(inside[key], dict | list) and inside[key] and self.below(5):
            inside = inside[key]
            key = self._key(inside)
        match self.below(6):
            case 0 if inside is not whole:
                del inside[key]
            case 1:
                inside[key] = [inside[key]]
            case 2:
                inside[key] = copy.deepcopy(samples[self.below(len(samples))])
            case 3 if isinstance(inside, dict):
                inside[self.text(8)] = copy.deepcopy(ODD[self.below(len(ODD))])
            case 4:
                inside[key] = self.number() if self.below(2) else self.text(20)
            case _:
                inside[key] = copy.deepcopy(ODD[self.below(len(ODD))])

    def _key(self, inside: Any) -> Any:
        at = self.below(len(inside))
        return list(inside)[at] if isinstance(inside, dict) else at
