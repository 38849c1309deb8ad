"""Calling code that is not ours: whatever it raises becomes a reason and a remedy."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cobot_session.errors import ConfigError, PluginError
from cobot_session.registry.installed import GIVEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST = 300
PATIENCE = 30.0
"""Seconds that importing and making a plugin may take."""

T = TypeVar("T")

log = logging.getLogger(__name__)


@contextmanager
def guarded(doing: str, distribution: str, *, secrets: bool = False) -> Iterator[None]:
    """Turn what a plugin raises, `SystemExit` included, into a `PluginError`.

    Args:
        doing: what was tried, such as `it cannot be imported`.
        distribution: whose code it is.
        secrets: it was given settings, so nothing that it says is repeated.
    """
    try:
        yield
    except (PluginError, ConfigError):
        raise
    except (Exception, SystemExit) as error:
        log.debug("%s: %s", distribution, doing, exc_info=not secrets)
        said = type(error).__name__ if secrets else _said(error)
        failure = PluginError(f"{doing}: {said}", _remedy(error, distribution))
    else:
        return
    raise failure


def bounded(call: Callable[[], T], doing: str, distribution: str) -> T:
    """Call a stranger's code in a thread that is left behind when it does not come back.

    Args:
        call: what to do; what it raises is raised here.
        doing: what was tried, such as `it cannot be imported`.
        distribution: whose code it is.

    Raises:
        PluginError: it takes longer than 30 s.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            answer.set_exception(error)

    threading.Thread(target=work, name=f"cobot-load-{distribution}", daemon=True).start()
    try:
        return answer.result(PATIENCE)
    except TimeoutError as error:
        if answer.done():  # it raised that itself, or has come back at the last moment
            return answer.result()
        raise PluginError(
            f"{doing}: it has not come back within {PATIENCE:g} s",
            "Code that waits belongs into `start`, which does; tell its authors.",
        ) from error


def _said(error: BaseException) -> str:
    """Return an exception in one line of bounded length."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{kind} in {Path(error.filename or '?').name}, line {error.lineno}: {error.msg}"
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001  # even that is a stranger's code
        lines = []
    text = f"{kind}: {lines[0]}" if lines else kind
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _remedy(error: BaseException, distribution: str) -> str:
    if distribution == GIVEN:
        return "Correct the class or factory."
    if isinstance(error, ModuleNotFoundError):
        return f"Install what it requires: `pip install --force-reinstall {distribution}`."
    if isinstance(error, SyntaxError):
        return (
            f"It may need another Python; try `pip install --upgrade {distribution}`, "
            "or tell its authors."
        )
    return f"Try `pip install --upgrade {distribution}`, or tell its authors."
