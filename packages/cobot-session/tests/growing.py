"""What the tests of growing answers share, be they shown by edits or as drafts."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cobot_session import IncomingMessage, Limits, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cobot_session.testing import FakeChannel

BOUND = 30.0
QUICK = Limits(edit_seconds=0.01)
SMALL = Limits(text=40, edit_seconds=0.01)
CODE = "Look:\n\n```python\nprint('one')\nprint('two')\nprint('three')\n```\n\nThat is `it`.\n"


def wait_for(probe: Callable[[], Any]) -> Any:
    for _ in range(int(BOUND / 0.005)):
        if found := probe():
            return found
        threading.Event().wait(0.005)
    raise TimeoutError("it did not happen")


def new_session(path: Path, factory: Callable[[], Any], **access: Any) -> Session:
    block = {"access": access or {"open": True}}
    plugins = {"workspace": {"path": str(path)}, "fake": block}
    return Session({"plugins": plugins}, plugins={"fake": factory})


@contextmanager
def running(
    path: Path, fake: FakeChannel, handler: Any, factory: Any = None, **access: Any
) -> Iterator[Session]:
    """A session whose agent answers with the handler."""
    with new_session(path, factory or fake.plugin, **access) as session:
        runner = threading.Thread(target=session.run, args=(handler,))
        runner.start()
        try:
            yield session
        finally:
            session.stop()
            runner.join(BOUND)
            assert not runner.is_alive()


def seen(fake: FakeChannel) -> list[str]:
    """Return what stands in the chat."""
    return [post.text for post in list(fake.posts.values())]


def typing_code(shown: Callable[[], int]) -> Callable[[IncomingMessage], Iterator[str]]:
    """Return a handler that writes `CODE` letter by letter, and sees it shown at least six times.

    Args:
        shown: how often something was shown so far.
    """

    def handle(message: IncomingMessage) -> Iterator[str]:
        before = 0
        for number, character in enumerate(CODE):
            yield character
            if number < 60 and number % 10 == 4:
                wait_for(lambda before=before: shown() > before)
                before = shown()
            else:
                threading.Event().wait(0.002)

    return handle
