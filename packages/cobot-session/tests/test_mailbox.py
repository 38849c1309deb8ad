"""Results of other threads, awaited on an event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from cobot_session.mailbox import Mailbox, result_of

BOUND = 40.0


def test_results_of_another_thread_arrive() -> None:
    """Each waiter gets its own future's result or exception, in any number of loops."""

    async def gather(count: int) -> list[Any]:
        futures: list[Future[int]] = [Future() for _ in range(count)]
        waiters = [asyncio.ensure_future(result_of(future)) for future in futures]
        await asyncio.sleep(0)

        def resolve() -> None:
            for n, future in enumerate(futures):
                if n % 3:
                    future.set_result(n)
                else:
                    future.set_exception(ValueError(n))

        threading.Thread(target=resolve).start()
        async with asyncio.timeout(BOUND):
            return await asyncio.gather(*waiters, return_exceptions=True)

    for count in (1, 1000):
        results = asyncio.run(gather(count))
        assert [r if isinstance(r, int) else r.args[0] for r in results] == list(range(count))
        assert [isinstance(r, ValueError) for r in results] == [n % 3 == 0 for n in range(count)]


def test_future_that_is_done_is_not_waited_for() -> None:
    """What is there already is told at once."""
    future: Future[str] = Future()
    future.set_result("done")

    async def ask() -> str:
        async with asyncio.timeout(BOUND):
            return await result_of(future)

    assert asyncio.run(ask()) == "done"


def test_waiter_that_is_cancelled_leaves_the_future_alone() -> None:
    """The other thread may resolve it later, and nothing breaks."""
    future: Future[str] = Future()

    async def give_up() -> None:
        waiter = asyncio.ensure_future(result_of(future))
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        future.set_result("late")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(give_up())
    assert future.result(0) == "late"


def test_call_that_fails_holds_no_other_up() -> None:
    """What one caller posted and is wrong is told to the loop, and the rest is called."""
    called: list[str] = []
    told: list[dict[str, Any]] = []

    def fail() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        mailbox = Mailbox(loop)
        mailbox.post(fail)
        mailbox.post(called.append, "after")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert called == ["after"]
    assert isinstance(told[0]["exception"], ZeroDivisionError)


def test_mailbox_of_an_ended_loop_says_so() -> None:
    """Nothing is called any more, and the poster learns it."""
    loop = asyncio.new_event_loop()
    loop.close()
    assert not Mailbox(loop).post(print, "never")


def test_posts_without_end_do_not_hold_the_loop() -> None:
    """Calls that post calls take turns with everything else on the loop."""

    async def main() -> int:
        mailbox = Mailbox(asyncio.get_running_loop())
        count = 0

        def again() -> None:
            nonlocal count
            count += 1
            mailbox.post(again)

        again()
        async with asyncio.timeout(BOUND):
            for _ in range(100):
                await asyncio.sleep(0)
        return count

    assert asyncio.run(main()) > 1
