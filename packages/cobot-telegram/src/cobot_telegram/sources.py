"""Where updates come from: asked for, or pushed."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from aiohttp import web

from cobot_session.errors import ChannelError, TemporaryError
from cobot_session.status import Health
from cobot_telegram.parse import number_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_telegram.client import Client
    from cobot_telegram.config import Webhook

Update: TypeAlias = dict[str, Any]

POLL_SECONDS = 25
_SILENT_SECONDS = 60.0
"""A poll is answered within `POLL_SECONDS`; after so long without an answer the path is dead."""
_BREATH_SECONDS = 0.005
"""From updates to the next poll: to make one takes as long as to answer, and would go first."""
_ASK_SECONDS = 8.0
_RECENT_SECONDS = 120.0
_MAX_BODY = 1_000_000
_BODY_SECONDS = 10.0
"""How long a delivery may take to come in whole."""
_MOST_WAITING = 100
_COMMIT_SECONDS = 50.0
"""Telegram waits about a minute for the answer to a delivery."""


class Source(Protocol):
    """Gives updates; what it gave is confirmed when it is asked again after `accepted`."""

    async def open(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End."""

    async def next(self, seconds: float) -> list[Any]:
        """Return what is new, waiting up to `seconds` for something."""

    def accepted(self) -> None:
        """Take note that what was given is in good hands once `next` is called again."""

    async def health(self) -> Health:
        """Tell whether updates can arrive."""


class Polling:
    """Asks with long polls."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._offset: int | None = None
        self._given: int | None = None
        self._is_busy = False
        self._poll: asyncio.Task[list[Any]] | None = None
        self._last_answer = time.monotonic()
        self._latency: float | None = None
        self._proved = False
        self._trouble = ""

    async def open(self) -> None:
        """Begin: there is nothing to prepare."""

    async def close(self) -> None:
        """End: what was given last stays unconfirmed, and comes again."""
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.cancel()
            await asyncio.gather(poll, return_exceptions=True)

    async def next(self, seconds: float) -> list[Any]:
        """Return what is new, waiting up to `seconds` for something.

        A poll that lasts longer goes on, and is waited for by the next call.
        """
        if self._poll is None:
            self._poll = asyncio.create_task(self._ask(), name="getUpdates")
        done, _ = await asyncio.wait({self._poll}, timeout=seconds)
        if not done:
            return []
        poll, self._poll = self._poll, None
        updates = poll.result()
        numbers = [number for one in updates if (number := number_of(one)) is not None]
        self._given = max(numbers) + 1 if numbers else self._offset
        self._is_busy = bool(updates)
        return updates

    async def _ask(self) -> list[Any]:
        if self._is_busy:
            await asyncio.sleep(_BREATH_SECONDS)
        seconds = POLL_SECONDS if self._proved else 0  # a quick answer shows that the way is open
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds + _SILENT_SECONDS / 2):
                updates = await self._client.updates(self._offset, seconds)
        except TimeoutError:
            self._proved, self._trouble = False, "a poll was not answered"
            raise TemporaryError(self._trouble) from None
        except Exception as error:
            self._proved, self._trouble = False, str(error)
            raise
        now = time.monotonic()
        self._last_answer, self._proved, self._trouble = now, True, ""
        if not updates or now - began < 1:
            self._latency = max(0.0, now - began - (0 if updates else seconds))
        return updates

    def accepted(self) -> None:
        """Let the next poll confirm what the last one gave."""
        self._offset = self._given

    async def health(self) -> Health:
        """Tell whether a poll was answered lately."""
        silent = time.monotonic() - self._last_answer
        if self._trouble:
            return Health(ok=False, detail=self._trouble, latency=self._latency)
        if silent > _SILENT_SECONDS:
            return Health(ok=False, detail=f"no poll was answered for {silent:.0f} s")
        return Health(ok=True, detail="polling", latency=self._latency)


class Pushed:
    """Listens for deliveries; each is answered 200 when the session has stored it.

    Args:
        client: asks Telegram.
        webhook: the settings.
        on_turn: told when something is delivered although the last health was bad.
    """

    def __init__(
        self, client: Client, webhook: Webhook, on_turn: Callable[[], None] = lambda: None
    ) -> None:
        self._client = client
        self._webhook = webhook
        self._on_turn = on_turn
        self._is_ill = False
        self._waiting: asyncio.Queue[tuple[Update, asyncio.Future[None]]] = asyncio.Queue(
            _MOST_WAITING
        )
        self._given: list[asyncio.Future[None]] = []
        self._accepted: list[asyncio.Future[None]] = []
        self._runner: web.AppRunner | None = None
        self.port = webhook.port

    async def open(self) -> None:
        """Listen, then let Telegram deliver."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_post(self._webhook.route, self._deliver)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._webhook.listen, self._webhook.port)
        try:
            await site.start()
        except OSError as error:
            raise TemporaryError(
                f"cannot listen at {self._webhook.listen}:{self._webhook.port}: {error.strerror}"
            ) from error
        self.port = self._runner.addresses[0][1]
        await self._client.set_webhook(self._webhook)

    async def close(self) -> None:
        """Have deliveries stopped, refuse what is under way, and stop listening."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        try:
            with suppress(TemporaryError):
                await self._client.delete_webhook()
        finally:
            self._refuse_all()
            await runner.cleanup()

    async def next(self, seconds: float) -> list[Update]:
        """Return what was delivered, waiting up to `seconds` for something."""
        self._confirm()
        found: list[tuple[Update, asyncio.Future[None]]] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.01)):
                found.append(await self._waiting.get())
        while not self._waiting.empty():
            found.append(self._waiting.get_nowait())
        self._given += [future for _, future in found]
        return [update for update, _ in found]

    def accepted(self) -> None:
        """Let the next call answer 200 to what the last one gave."""
        self._accepted += self._given
        self._given = []

    async def health(self) -> Health:
        """Tell whether it listens and Telegram delivers here, by Telegram's own word."""
        health = await self._health()
        self._is_ill = not health.ok
        return health

    async def _health(self) -> Health:
        if self._runner is None:
            return Health(ok=False, detail="not listening")
        began = time.monotonic()
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                state = await self._client.webhook_state()
        except (ChannelError, TimeoutError) as error:
            return Health(ok=False, detail=f"Telegram cannot be asked: {error}")
        latency = time.monotonic() - began
        if state.url != self._webhook.url:
            detail = "another program has set or removed this bot's webhook"
            return Health(ok=False, detail=detail, latency=latency)
        if state.pending and state.failed_at and time.time() - state.failed_at < _RECENT_SECONDS:
            detail = f"updates wait ({state.pending}); Telegram could not deliver: {state.error}"
            return Health(ok=False, detail=detail, latency=latency)
        return Health(ok=True, detail=f"listening on port {self.port}", latency=latency)

    def _confirm(self) -> None:
        for future in self._accepted:
            if not future.done():
                future.set_result(None)
        self._accepted = []
        for future in self._given:  # given, but the session never took them: deliver again
            future.cancel()
        self._given = []

    def _refuse_all(self) -> None:
        while not self._waiting.empty():
            self._waiting.get_nowait()[1].cancel()
        for future in (*self._given, *self._accepted):
            future.cancel()

    async def _deliver(self, request: web.Request) -> web.Response:
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        wanted = self._webhook.secret.get_secret_value()
        if not hmac.compare_digest(secret.encode(errors="surrogateescape"), wanted.encode()):
            return web.Response(status=403)
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                update = json.loads(await request.read())
        except TimeoutError:
            return web.Response(status=408)
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if not isinstance(update, dict):
            return web.Response(status=400)
        return web.Response(status=200 if await self._stored(update) else 503)

    async def _stored(self, update: Update) -> bool:
        if self._is_ill:
            self._on_turn()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((update, future))
            async with asyncio.timeout(_COMMIT_SECONDS):
                await asyncio.wait([future])
        except (asyncio.QueueFull, TimeoutError):
            return False
        return not future.cancelled()
