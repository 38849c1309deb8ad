"""One plugin's life: start, receive, send, health, restart, stop."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, wait
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cobot_session.channel import Channel, first_of
from cobot_session.errors import AuthError, ChannelError, PluginError, TemporaryError
from cobot_session.futures import failed
from cobot_session.gate.making import new_gate
from cobot_session.life import Life
from cobot_session.news import News
from cobot_session.outbox import Outbox
from cobot_session.retry import backoff
from cobot_session.troubles import Troubles
from cobot_session.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from cobot_session.door import Door
    from cobot_session.gate import Gate
    from cobot_session.house import House
    from cobot_session.registry import PluginRecord
    from cobot_session.status import Status

T = TypeVar("T")

_MOST_BACKOFF = 60.0
_CALM_SECONDS = 60.0
"""A life this long makes earlier failures forgotten."""
_END_SECONDS = 10.0
"""How long a life that was told to end may take before it is left behind."""
_STOP_SETTLE_SECONDS = 1.0
"""How long a call may still take when the session stops: cut off, its outcome is unknown."""
_RESTART_SETTLE_SECONDS = 4.0
"""The same when only this channel is started anew: there is no hurry."""
_BLOCKED_SECONDS = 5.0
"""An event loop that has not come round for so long is told of in the status."""


class Supervisor:
    """Keeps one plugin running: each life is a fresh object, thread and loop.

    The lives end and begin anew; outbox, state, counts and place in the session stay.

    Args:
        record: the plugin.
        house: the rest of the session.
        needs: supervisors of the plugins it depends on; it starts after them.
    """

    def __init__(self, record: PluginRecord, house: House, needs: Iterable[Supervisor]) -> None:
        self.record = record
        self.log = logging.getLogger(f"cobot_session.plugin.{record.id}")
        self.outbox = Outbox(record.id, house.settings.max_pending)
        self.gate: Gate = new_gate(record, house, self.call, self.log)
        self.news = News(record.hooks, self.log)
        self._troubles = Troubles(self.log)
        self.vitals = Vitals("starting", self._tell_status)
        self.state_values: dict[str, Any] = dict(house.states.get(record.id, {}))
        self.started: Future[None] = Future()
        self._house = house
        self._needs = list(needs)
        self._lock = threading.RLock()
        self._life: Life | None = None
        self._last: Channel | None = None
        self._own_chat: str | None = None
        self._chat_waiters: list[Future[str | None]] | None = []
        self._failures = 0
        self._ended = threading.Event()
        self._interval = min(1.0, house.settings.stall_after / 4)
        self._checked_at = time.monotonic()
        self._stopping = False
        self._drain = 0.0

    # -- from any thread

    def start(self) -> None:
        """Begin the first life."""
        self._house.timers.every(self._interval, self._check)
        self._begin()

    def stop(self, drain: float) -> None:
        """Ask for the end; `join` waits for it."""
        with self._lock:
            self._stopping = True
            self._drain = drain
            life = self._life
        if life is None:
            self._rest()
        else:
            life.ask_to_end()

    def join(self, deadline: float) -> None:
        """Wait for the end until the (monotonic) deadline, then leave the life behind."""
        if self._ended.wait(max(0.0, deadline - time.monotonic())):
            if self._last is not None:
                self._last.join(1.0)
            return
        with self._lock:
            life = self._life
            if life is not None:
                self._leave_behind(life, "it did not stop in time")
        self._rest()

    def status(self) -> Status:
        """Return what is true now."""
        pending = self._house.inbox.room(self.record.id).taken + self.outbox.room.taken
        return self.vitals.status(pending)

    def default_chat(self) -> Future[str | None]:
        """Return where a message without a chat goes, as soon as a start has told, or failed."""
        answer: Future[str | None] = Future()
        with self._lock:
            known = self.record.common.default_chat or self._own_chat
            if known is None and self._chat_waiters is not None:
                self._chat_waiters.append(answer)
                return answer
        answer.set_result(known)
        return answer

    def aside(self, call: Callable[[Door], Any]) -> bool:
        """Let the plugin do something that nobody waits for; false when it is not running."""
        life = self._life
        return life is not None and life.aside(call)

    def call(self, call: Callable[[Door], Coroutine[Any, Any, T]]) -> Future[T]:
        """Let the plugin do something; the future tells how it went."""
        life = self._life
        resting = TemporaryError(f"{self.record.id} is not running")
        if life is None or life.door is None:
            return failed(resting)
        gone = TemporaryError(f"{self.record.id} was stopped meanwhile")
        return life.channel.call(partial(call, life.door), gone)

    def wait_started(self, deadline: float) -> None:
        """Wait for the first start until the (monotonic) deadline, however it goes."""
        wait([self.started], max(0.0, deadline - time.monotonic()))

    def on_my_loop(self) -> bool:
        """Return whether the caller runs on this plugin's event loop."""
        life = self._life
        return life is not None and life.channel.here

    # -- lives

    def _begin(self) -> None:
        with self._lock:
            if self._stopping or self._life is not None:
                return
            try:
                channel = Channel(f"cobot-{self.record.id}", self._live, self._over)
                self._life = Life(self, channel, self._house)
                channel.begin()
                self._last = channel
            except (OSError, RuntimeError) as error:  # no descriptors, no threads: for now
                self._life = None
                self._note(error)
                self._try_again(time.monotonic())

    async def _live(self, channel: Channel) -> None:
        life = self._life
        if life is None or life.channel is not channel:
            return  # left behind before it began
        try:
            life.open(self._plugin())
            await first_of(self._run(life), life.ending.wait())
        except AuthError as error:
            self.refuse(error)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises ends this life only
            self._note(error)
        except (GeneratorExit, KeyboardInterrupt, SystemExit) as error:
            self._note(RuntimeError(f"the plugin raised {error!r}"))
        finally:
            settle = _STOP_SETTLE_SECONDS if self._stopping else _RESTART_SETTLE_SECONDS
            self._house.timers.later(
                self._drain + settle + _END_SECONDS,
                partial(self._leave_behind_and_go_on, life, "it does not come to its end"),
            )
            await life.close(self._drain, settle)

    def _plugin(self) -> object:
        factory = self.record.factory
        if factory is None:
            raise ChannelError(f"{self.record.id} has no factory")
        return factory()

    async def _run(self, life: Life) -> None:
        for need in self._needs:
            await life.channel.mailbox.wait(need.started)
        await life.start()
        self._own_chat = await life.default_chat()
        self.gate.reach.configure(self._own_chat)
        self._settle_start(None)
        self.vitals.enter("online")
        await life.serve()

    def _over(self, channel: Channel) -> None:
        """A life has ended by itself or because it was asked to."""
        with self._lock:
            life = self._life
            if life is None or life.channel is not channel:
                return  # it was left behind
            self._life = None
            self._rest_or_schedule(life)

    def _rest_or_schedule(self, life: Life) -> None:
        if self._stopping or self.vitals.state == "failed":
            self._rest()
        else:
            self._try_again(life.began)

    def _try_again(self, began: float) -> None:
        """Begin the next life after a pause.

        Args:
            began: when the last one did (monotonic).
        """
        calm = time.monotonic() - began > _CALM_SECONDS
        self._failures = 1 if calm else self._failures + 1
        self._tell_default_chat()
        self.vitals.enter("reconnecting")
        self._house.timers.later(backoff(self._failures, _MOST_BACKOFF), self._begin)

    def _rest(self) -> None:
        """Nothing runs any more."""
        self._settle_start(PluginError(f"{self.record.id} did not start"))
        if self.vitals.state != "failed":
            self.vitals.enter("stopped")
        self._ended.set()

    def _settle_start(self, error: Exception | None) -> None:
        """Tell those who wait for the start how it went."""
        self._tell_default_chat()
        if self.started.done():
            return
        if error is None:
            self.started.set_result(None)
        else:
            self.started.set_exception(error)

    def _tell_default_chat(self) -> None:
        with self._lock:
            waiters, self._chat_waiters = self._chat_waiters or [], None
        for waiter in waiters:
            waiter.set_result(self._own_chat)

    # -- trouble

    def refuse(self, error: AuthError) -> None:
        """Take the platform's word, at once, that our credentials are no good."""
        if self.vitals.state == "failed":
            return
        words = self._house.told(error)
        self.log.error("refused: %s. It is not tried again; mend it and start anew", words)
        self.vitals.enter("failed", words or "the platform refuses our credentials")

    def _note(self, error: Exception) -> None:
        """Record what ended a life."""
        self._reconnect(error)
        if isinstance(error, ChannelError):
            words = self._house.told(error)
            self.log.warning("ended by %s: %s", type(error).__name__, words)
        else:
            self.log.error("ended by a defect", exc_info=error)

    def trouble(self, error: BaseException | str) -> None:
        """Say what is wrong, in the status and, now and then, in the log."""
        self._troubles.tell(self._reconnect(error))

    def _reconnect(self, error: BaseException | str) -> str:
        """Say in the status what is wrong; returns the words."""
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        words = self._house.told(text)
        self.vitals.enter("reconnecting", words)
        return words

    def _check(self) -> None:
        """Look, once a second, whether the life that goes on is one."""
        life = self._life
        now, before = time.monotonic(), self._checked_at
        self._checked_at = now
        if life is None or self._stopping:
            return
        stall_after = self._house.settings.stall_after
        if now - before > self._interval + stall_after / 2:  # it was the process that stood still
            life.excuse()
            return
        blocked, silent = life.channel.ping(), life.silent()
        frozen = blocked > min(_BLOCKED_SECONDS, stall_after / 2)
        if overdue := life.overdue(_END_SECONDS):
            why = f"{' and '.join(overdue)} took too long, was cancelled and does not end"
            self._replace(life, why, frozen=False)
        elif max(blocked, silent) > stall_after:
            self._replace(life, self._stall(life, blocked if frozen else 0.0, silent), frozen)
        elif frozen:
            life.frozen = True
            self.trouble(self._stall(life, blocked, silent))
        elif life.frozen and not blocked:
            life.frozen = False
            life.recovered()

    def _stall(self, life: Life, blocked: float, silent: float) -> str:
        """Return in words what stands still."""
        if blocked:
            return f"its event loop has been blocked for {blocked:.0f} s by {_calls(life)}"
        return f"no sign of life for {silent:.0f} s from {_calls(life)}"

    def _replace(self, life: Life, why: str, frozen: bool) -> None:
        """End a life from outside; one whose loop stands still cannot even be asked to."""
        if life.replaced:
            return
        life.replaced = True
        self._reconnect(f"{why}; it is started anew")
        self.log.error("%s; it is started anew", why)
        life.ask_to_end()
        self._house.timers.later(
            0.0 if frozen else _END_SECONDS, partial(self._leave_behind_and_go_on, life, why)
        )

    def _leave_behind_and_go_on(self, life: Life, why: str) -> None:
        with self._lock:
            if self._life is life:
                self._leave_behind(life, why)
                self._rest_or_schedule(life)

    def _leave_behind(self, life: Life, why: str) -> None:
        """Shut the door on a life that does not end; what wakes up in it does nothing."""
        self._life = None
        life.abandon()
        self.log.error("%s: %s still blocks and is left behind", why, _calls(life))

    def _tell_status(self, _: Vitals) -> None:
        self._house.on_status(self.record.id, self.status())


def _calls(life: Life) -> str:
    return ", ".join(life.calls_under_way()) or "the plugin's own tasks"
