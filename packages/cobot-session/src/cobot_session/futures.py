"""Futures that depend on futures, without a thread that waits for them."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

log = logging.getLogger("cobot_session")


def done(value: T) -> Future[T]:
    """Return a future that is done."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def failed(error: Exception) -> Future[T]:
    """Return a future that has failed."""
    future: Future[T] = Future()
    future.set_exception(error)
    return future


def gathered(futures: Mapping[str, Future[T]]) -> Future[dict[str, T]]:
    """Return a future of all results; it fails as the first that fails does."""
    whole: Future[dict[str, T]] = Future()
    left = len(futures)
    lock = threading.Lock()

    def one_done(future: Future[T]) -> None:
        nonlocal left
        with lock:
            left -= 1
            if whole.done():
                return
            if (error := future.exception()) is not None:
                whole.set_exception(error)
            elif not left:
                whole.set_result({name: one.result() for name, one in futures.items()})

    if not futures:
        whole.set_result({})
    for future in futures.values():
        future.add_done_callback(one_done)
    return whole


def heed(future: Future[Any]) -> None:
    """Log what a write that nobody waits for raised."""

    def check(done: Future[Any]) -> None:
        if (error := done.exception()) is not None:
            log.warning("the spool: %s", error)

    future.add_done_callback(check)
