"""A real terminal: line editing with history, and a line being typed that nothing disturbs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from cobot_session.console.screen import indented, write

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from pathlib import Path

    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import Application

_INTERRUPT_SECONDS = 1.0
"""How long a program may take to end on Ctrl-C before there is a prompt again."""


class Terminal:
    """Prompts at the bottom of the terminal and shows everything above, also what others print.

    Args:
        prompt: returns what stands before the line being typed.
        state: returns what the bar below it says.
        history: file of what was typed before; `None`: it is not kept.
    """

    def __init__(
        self, prompt: Callable[[], str], state: Callable[[], str], history: Path | None
    ) -> None:
        self._prompt = prompt
        self._state = state
        self._history = history
        self._session: PromptSession[str] | None = None

    async def lines(self) -> AsyncGenerator[str, None]:
        """Yield each line that is typed, until Ctrl-D. Ctrl-C is what it is to other programs."""
        from prompt_toolkit.patch_stdout import patch_stdout

        session = self._new_session()
        shown = (sys.stdout, sys.stderr)
        with patch_stdout(), _logs_moved(shown, sys.stderr), session.input.raw_mode():
            self._session = session
            try:
                while (line := await _line(session)) is not None:
                    yield line
            finally:
                self._session = None

    async def show(self, head: str, text: str) -> None:
        """Write a text above the line being typed."""
        text = indented(head, text)
        if self._session is None:
            write(f"{head}{text}\n")
        else:
            _write_above(self._session.app, head, text)

    def refresh(self) -> None:
        """Draw the prompt and the bar anew."""
        if self._session is not None:
            self._session.app.invalidate()

    def _new_session(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory, History, InMemoryHistory

        history: History = InMemoryHistory()
        if self._history is not None:
            self._history.touch(mode=0o600)
            history = FileHistory(self._history)
        return PromptSession(
            self._prompt, bottom_toolbar=self._state, history=history, enable_suspend=True
        )


async def _line(session: PromptSession[str]) -> str | None:
    """Return the next line, `None` when the person leaves."""
    while True:
        try:
            return await session.prompt_async(set_exception_handler=False)
        except EOFError:
            return None
        except KeyboardInterrupt:
            _interrupt()
            await asyncio.sleep(_INTERRUPT_SECONDS)


def _write_above(app: Application[str], head: str, text: str) -> None:
    """Write while the application stays in charge of the keyboard: nothing typed is echoed."""
    from prompt_toolkit.formatted_text import FormattedText
    from prompt_toolkit.renderer import print_formatted_text
    from prompt_toolkit.styles import default_ui_style

    pieces: Any = FormattedText([("bold", head), ("", f"{text}\n")])
    if app.is_running:
        app.renderer.erase()
    print_formatted_text(app.output, pieces, default_ui_style())
    if app.is_running:
        app.renderer.reset()
        app.renderer.request_absolute_cursor_position()
        app.invalidate()


@contextmanager
def _logs_moved(before: tuple[TextIO, ...], now: TextIO) -> Iterator[None]:
    """Let log handlers that were made before write to `now`: they hold on to their stream."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    moved = [
        (handler, handler.stream)
        for logger in loggers
        for handler in getattr(logger, "handlers", ())
        if isinstance(handler, logging.StreamHandler) and handler.stream in before
    ]
    for handler, _ in moved:
        handler.setStream(now)
    try:
        yield
    finally:
        for handler, stream in moved:
            handler.setStream(stream)


def _interrupt() -> None:
    """Do what the terminal would have done, had the line editor not taken it over."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)  # the system gives it to the main thread
