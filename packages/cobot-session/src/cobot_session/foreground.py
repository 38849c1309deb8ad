"""A coroutine run to its end by a thread that waits for it, and what signals do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cobot_session.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from cobot_session.engine import Engine
    from cobot_session.handling import Handler

T = TypeVar("T")


def serve(engine: Engine, handler: Handler, concurrency: int) -> None:
    """Be the consumer of a session and give each message to a handler, until the session stops.

    Raises:
        ConsumerBusy: there is one already.
        KeyboardInterrupt: Ctrl-C, or SIGTERM where the program has no handler for it.
    """
    with engine.consumer.claim("run"):
        run_to_end(engine.handling(handler, concurrency).run())


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in this thread, or beside a loop that runs in this thread already."""
    if asyncio._get_running_loop() is not None:
        return _in_thread(_alone(work))
    termination = _Termination()
    alone = termination.over(work)
    with termination.heeded():
        try:
            with _runner() as runner:
                return runner.run(alone)
        except asyncio.CancelledError:
            if termination.came:
                raise KeyboardInterrupt from None
            raise
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None  # how asyncio was cancelled concerns nobody
        finally:
            alone.close()  # neither may have begun
            work.close()


def _runner() -> asyncio.Runner:
    """Return a runner that has its loop; signals wait meanwhile: half a loop cannot be closed."""
    runner = asyncio.Runner()
    with _signals_held_back() as came:
        runner.get_loop()
    try:
        for number in came:
            signal.raise_signal(number)
    except BaseException:
        runner.close()
        raise
    return runner


@contextlib.contextmanager
def _signals_held_back() -> Iterator[list[int]]:
    """Collect the signals that would raise something in this thread, in the middle of anything."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held = {number: handler for number, handler in before.items() if callable(handler)}
    for number in held:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


class _Termination:
    """Lets SIGTERM end the work as Ctrl-C does, unless the program has a handler of its own."""

    def __init__(self) -> None:
        self.came = False
        self._cancel: Callable[[], object] | None = None

    async def over(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the work where it can be cancelled."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            self._cancel = partial(loop.call_soon_threadsafe, task.cancel)
        try:
            return await _alone(work)
        finally:
            self._cancel = None

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """Take the signal meanwhile."""
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            yield
            return
        signal.signal(signal.SIGTERM, self._terminate)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _terminate(self, *_: object) -> None:
        """Do what Ctrl-C does, also where it does nothing, as in what a script starts with `&`.

        An exception would come up anywhere, in the middle of a handler's call, say.
        """
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.raise_signal(signal.SIGINT)
        elif self._cancel is None or self.came:
            raise KeyboardInterrupt
        else:
            self.came = True
            self._cancel()


async def _alone(work: Coroutine[Any, Any, T]) -> T:
    """Run on a loop of one's own, where also `asyncio.to_thread` must not outlive the end."""
    asyncio.get_running_loop().set_default_executor(Workers("cobot-face"))
    return await work


def _in_thread(work: Coroutine[Any, Any, T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=body, name="cobot-face", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
