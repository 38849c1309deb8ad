"""The one way to a plugin: each hook call typed and bounded, and shut when it is replaced."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cobot_session.errors import OutcomeUnknown, TemporaryError
from cobot_session.hooks import bind, hooks_of
from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Receipt, Sent
from cobot_session.status import Health, Status

if TYPE_CHECKING:
    from cobot_session.workers import Workers

log = logging.getLogger("cobot_session.channel")

CONFIGURE_SECONDS = 30.0
START_SECONDS = 60.0
STOP_SECONDS = 5.0
HEALTH_SECONDS = 10.0
ASIDE_SECONDS = 30.0
"""Bound of typing, presence, drafts, rendering, the default chat, and of telling an observer."""
FETCH_SECONDS = 300.0


class HookTimeout(TemporaryError):
    """A hook took longer than it may."""


class HookDefect(RuntimeError):
    """A hook raised what no hook may raise."""


class Door:
    """Calls the hooks of one plugin object: `async def` on the loop, `def` in a thread.

    Once `shut`, no call begins, and what a call that was under way returns is thrown away: the
    caller is cancelled instead.

    Raises:
        PluginError: the object's hooks are not what the contract says.
    """

    def __init__(self, plugin: object, workers: Workers, send_seconds: float) -> None:
        self.plugin = plugin
        self.hooks: frozenset[str]
        manager = bind(plugin)
        self.hooks = hooks_of(manager)
        self._calls: dict[str, Callable[..., Any]] = {
            hook: getattr(manager.hook, hook) for hook in self.hooks
        }
        self._on_loop = {
            hook: _is_async(getattr(manager.hook, hook).get_hookimpls()[0].function)
            for hook in self.hooks
        }
        self._workers = workers
        self._send_seconds = send_seconds
        self._under_way: dict[object, tuple[str, float]] = {}
        self._shut = False

    def shut(self) -> None:
        """Let no call begin and no result through from now on. Thread-safe."""
        self._shut = True

    @property
    def under_way(self) -> list[str]:
        """Names of the calls that have begun and not ended."""
        return sorted({name for name, _ in list(self._under_way.values())})

    def overdue(self, grace: float) -> list[str]:
        """Return names of calls that go on so many seconds after their bound. Thread-safe.

        They were cancelled and do not end.
        """
        past = time.monotonic() - grace
        return sorted({name for name, due in list(self._under_way.values()) if due < past})

    # -- life

    async def configure(self, config: Any) -> None:
        """Hand over the validated settings."""
        await self._life("configure", CONFIGURE_SECONDS, config)

    async def start(self) -> None:
        """Let the plugin connect."""
        await self._life("start", START_SECONDS)

    async def stop(self) -> None:
        """Let the plugin go, also when the door is shut."""
        await self._life("stop", STOP_SECONDS, always=True)

    # -- channel hooks

    async def receive(self) -> Sequence[object]:
        """Return what the channel has, however long it waits."""
        batch = await self._call("session_receive", None)
        if batch is None:
            return ()
        if isinstance(batch, str | bytes) or not isinstance(batch, Sequence):
            raise TypeError(f"session_receive returned a {type(batch).__name__}, not a list")
        return batch

    async def send(self, message: OutgoingMessage) -> Sent:
        """Send one part."""
        return await self._deed("session_send", message=message)

    async def edit(
        self, channel_id: str, msg_id: str, content: str, message: OutgoingMessage | None = None
    ) -> Sent:
        """Replace a message's text, which is a rendered part's where there is one."""
        return await self._deed(
            "session_edit",
            channel_id=channel_id,
            msg_id=msg_id,
            content=content,
            message=message,
        )

    async def draft(self, message: OutgoingMessage) -> bool:
        """Show a part of an answer that is being written; false: there are no drafts there."""
        return await self._call("session_draft", ASIDE_SECONDS, message=message) is not False

    async def delete(self, channel_id: str, msg_id: str) -> Sent:
        """Delete a message."""
        return await self._deed("session_delete", channel_id=channel_id, msg_id=msg_id)

    async def react(self, channel_id: str, msg_id: str, emoji: str) -> Sent:
        """React to a message."""
        return await self._deed("session_react", channel_id=channel_id, msg_id=msg_id, emoji=emoji)

    async def typing(self, channel_id: str) -> None:
        """Show that an answer is being written."""
        await self._call("session_typing", ASIDE_SECONDS, channel_id=channel_id)

    async def presence(self, status: str) -> None:
        """Show a presence."""
        await self._call("session_presence", ASIDE_SECONDS, status=status)

    async def render(self, message: OutgoingMessage) -> list[OutgoingMessage]:
        """Return the parts that the channel makes of a message."""
        parts = await self._call("session_render", ASIDE_SECONDS, message=message)
        return list(parts or ())

    async def fetch(self, media: Media) -> bytes:
        """Download an attachment."""
        content = await self._call("session_fetch", FETCH_SECONDS, media=media)
        return bytes(content)

    async def default_chat(self) -> str | None:
        """Return the channel's own default chat, also where the cobot agent's channels tell it."""
        if "session_default_chat" in self.hooks:
            chat = await self._call("session_default_chat", ASIDE_SECONDS)
        else:
            method = getattr(self.plugin, "get_default_channel_id", None)
            if method is None:
                return None
            chat = await self._run(
                "get_default_channel_id", method, ASIDE_SECONDS, on_loop=_is_async(method)
            )
        return str(chat) if chat else None

    async def health(self) -> Health:
        """Return the channel's word on its receive path."""
        word = await self._call("session_health", HEALTH_SECONDS)
        if isinstance(word, bool):
            return Health(word)
        return Health(bool(word.ok), str(word.detail), word.latency)

    # -- observer hooks

    async def on_receive(self, message: IncomingMessage) -> None:
        """Tell of a stored message."""
        await self._call("session_on_receive", ASIDE_SECONDS, message=message)

    async def on_send(self, message: OutgoingMessage, receipt: Receipt) -> None:
        """Tell what became of a message."""
        await self._call("session_on_send", ASIDE_SECONDS, message=message, receipt=receipt)

    async def on_status(self, channel_type: str, status: Status) -> None:
        """Tell of a channel's change of state."""
        await self._call(
            "session_on_status", ASIDE_SECONDS, channel_type=channel_type, status=status
        )

    # -- the call itself

    async def _deed(self, hook: str, **arguments: Any) -> Sent:
        try:
            result = await self._call(hook, self._send_seconds, **arguments)
        except HookTimeout as timeout:
            raise OutcomeUnknown(str(timeout)) from timeout
        return sent(hook, result)

    async def _call(self, hook: str, seconds: float | None, **arguments: Any) -> Any:
        self.check()
        call = functools.partial(self._calls[hook], **arguments)
        result = await self._run(hook, call, seconds, on_loop=self._on_loop[hook])
        self.check()
        return result

    async def _life(self, name: str, seconds: float, *arguments: Any, always: bool = False) -> None:
        method = getattr(self.plugin, name, None)
        if method is not None:
            if not always:
                self.check()
            call = functools.partial(method, *arguments)
            await self._run(name, call, seconds, on_loop=_is_async(method))
            if not always:
                self.check()

    async def _run(
        self, name: str, call: Callable[[], Any], seconds: float | None, *, on_loop: bool
    ) -> Any:
        mark = object()
        due = math.inf if seconds is None else time.monotonic() + seconds
        self._under_way[mark] = name, due
        try:
            async with asyncio.timeout(seconds) as bound:
                result = call() if on_loop else await self._workers.run(call)
                if inspect.isawaitable(result):
                    result = await result
        except TimeoutError as error:
            if bound.expired():
                raise HookTimeout(f"{name} took longer than {seconds:g} s") from error
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling() or self._shut:
                raise
            raise HookDefect(
                f"{name} raised CancelledError, and nobody had cancelled it"
            ) from error
        except (GeneratorExit, KeyboardInterrupt, SystemExit) as error:
            raise HookDefect(f"{name} raised {error!r}") from error
        finally:
            del self._under_way[mark]
        return result

    def check(self) -> None:
        """Cancel the caller when the plugin object has been replaced."""
        if self._shut:
            raise asyncio.CancelledError("this plugin object has been replaced")


def sent(hook: str, result: object) -> Sent:
    """Return what a hook's result says was done.

    What the contract does not name is done, too: the hook returned, and a repeat would double it.

    Raises:
        TemporaryError: it says that nothing was done.
    """
    match result:
        case None | True:
            return Sent()
        case False:
            raise TemporaryError(f"{hook} returned False")
        case Sent():
            return result
        case str() | int():
            return Sent((str(result),))
        case list() | tuple():
            return Sent(tuple(str(one) for one in result))
    log.warning(
        "%s returned a %s, which is taken as done; it returns None, a bool, message ids or Sent",
        hook,
        type(result).__name__,
    )
    return Sent()


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(function))
