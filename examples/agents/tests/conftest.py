"""The examples, importable, and what runs an agent for the time of a test."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cobot_session import Session

pytest_plugins = ["cobot_session.testing"]
FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))


@pytest.fixture
def folder() -> Path:
    """Where the examples lie."""
    return FOLDER


@pytest.fixture
def serving(session: Session) -> Callable[[Callable[..., object]], object]:
    """Run a handler on the session for the time of a `with` block."""

    @contextmanager
    def run(handler: Callable[..., object]) -> Iterator[None]:
        thread = threading.Thread(target=session.run, args=(handler,))
        thread.start()
        try:
            yield
        finally:
            session.stop()
            thread.join(40)
            assert not thread.is_alive()

    return run
