"""The contract as a test class: an author derives one, and gives it a channel and a wire."""

from __future__ import annotations

from typing import Any

from cobot_session.testing.configuring import Configuring
from cobot_session.testing.gating import Gating
from cobot_session.testing.living import Living
from cobot_session.testing.packaging import Packaging
from cobot_session.testing.receiving import Receiving
from cobot_session.testing.sending import Sending
from cobot_session.testing.showing import Showing

PARTS = (Packaging, Configuring, Receiving, Sending, Showing, Living, Gating)


class ChannelContract(Packaging, Configuring, Receiving, Sending, Showing, Living, Gating):
    """Derive `class TestMine(ChannelContract)` and give it the fixtures `channel` and `wire`.

    Each test's docstring says what to do when it fails. None can be left out: what the channel
    does not have is skipped by itself, and what is known to fail is overridden with
    `@pytest.mark.xfail(reason="…")`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in contract_tests():
            if name in vars(cls) and not _excused(vars(cls)[name]):
                raise TypeError(
                    f"{cls.__name__}.{name} overrides a test of the contract. If it is known to"
                    ' fail, mark it `@pytest.mark.xfail(reason="…")`; otherwise take it out'
                )
        if any(mark.name in {"skip", "skipif"} for mark in _marks(cls)):
            raise TypeError(f"{cls.__name__} skips the contract as a whole; take the mark off")


def contract_tests() -> list[str]:
    """Return the names of all tests of the contract."""
    return [name for part in PARTS for name in vars(part) if name.startswith("test_")]


def part_of(test: str) -> str:
    """Return the name of the part that a test belongs to."""
    return next((part.__name__ for part in PARTS if test in vars(part)), "")


def _excused(override: object) -> bool:
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in _marks(override))


def _marks(marked: object) -> list[Any]:
    marks = getattr(marked, "pytestmark", [])
    return list(marks) if isinstance(marks, list | tuple) else [marks]
