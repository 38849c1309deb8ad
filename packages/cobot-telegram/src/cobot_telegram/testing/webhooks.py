"""Pushing updates to a bot's webhook: https://core.telegram.org/bots/api#setwebhook.

Updates of one chat go one after the other, those of several chats side by side, up to
`max_connections`. What is not answered with 2xx is tried again after a growing pause.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from cobot_telegram.testing.faults import CutAfter, Duplicate, Fault, Reorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cobot_telegram.testing.bots import BotAccount, Webhook
    from cobot_telegram.testing.updates import Update
    from cobot_telegram.testing.world import World

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between tries: far shorter than the real ones, so that tests are quick."""
_ANSWER_SECONDS = 30.0
_SUCCESS = range(200, 300)

Reply = dict[str, Any]


class WebhookSender:
    """Delivers one bot's updates while it has a webhook."""

    def __init__(
        self, world: World, bot: BotAccount, carry_out: Callable[[str, Reply], Awaitable[object]]
    ) -> None:
        self._world = world
        self._bot = bot
        self._carry_out = carry_out
        self._busy: set[str] = set()
        self._pauses: dict[str, float] = {}

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as tasks:
            while True:
                update = await self._next()
                place = _place(update)
                self._busy.add(place)
                tasks.create_task(self._deliver(client, update, place))

    async def _next(self) -> Update:
        while True:
            try:
                return await self._world.changes.wait_async(self._ready, timeout=60)
            except TimeoutError:
                continue

    def _ready(self) -> Update | None:
        hook = self._bot.webhook
        if hook is None or len(self._busy) >= hook.max_connections:
            return None
        pending = self._bot.updates.pending
        if len(pending) > 1 and isinstance(self._fault_for_order(), Reorder):
            pending = pending[::-1]
        return next((update for update in pending if _place(update) not in self._busy), None)

    def _fault_for_order(self) -> Fault | None:
        planted = self._world.faults.planted
        asked = any(isinstance(p.fault, Reorder) and p.matches("webhook", None) for p in planted)
        return self._world.faults.draw("webhook", None) if asked else None

    async def _deliver(self, client: aiohttp.ClientSession, update: Update, place: str) -> None:
        hook = self._bot.webhook
        try:
            if hook is not None and await self._push(client, hook, update):
                self._pauses.pop(place, None)
                self._bot.updates.drop(update["update_id"])
            else:
                pause = self._pauses.get(place, FIRST_PAUSE)
                self._pauses[place] = min(2 * pause, LONGEST_PAUSE)
                await asyncio.sleep(pause)
        finally:
            self._busy.discard(place)
            self._world.changes.notify()

    async def _push(self, client: aiohttp.ClientSession, hook: Webhook, update: Update) -> bool:
        fault = self._world.faults.draw("webhook", None)
        if isinstance(fault, Duplicate):
            await self._post(client, hook, update)
        taken = await self._post(client, hook, update)
        return taken and not isinstance(fault, CutAfter)

    async def _post(self, client: aiohttp.ClientSession, hook: Webhook, update: Update) -> bool:
        headers = {"X-Telegram-Bot-Api-Secret-Token": hook.secret} if hook.secret else {}
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        try:
            async with client.post(
                hook.url, json=update, headers=headers, timeout=timeout
            ) as answer:
                body = await answer.read()
                if answer.status in _SUCCESS:
                    await self._reply(body)
                    return True
                trouble = f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except (aiohttp.ClientError, TimeoutError) as error:
            trouble = f"Connection failed: {type(error).__name__}"
        hook.last_error, hook.last_error_date = trouble, int(time.time())
        self._world.changes.notify()
        return False

    async def _reply(self, body: bytes) -> None:
        """Carry out the call that may stand in the answer (core.telegram.org/bots/faq)."""
        try:
            call = json.loads(body or b"{}")
        except ValueError:
            return
        if isinstance(call, dict) and isinstance(call.get("method"), str):
            await self._carry_out(call.pop("method"), call)


def _place(update: Update) -> str:
    for payload in update.values():
        inner = payload.get("message", payload) if isinstance(payload, dict) else None
        chat = inner.get("chat") if isinstance(inner, dict) else None
        if isinstance(chat, dict):
            return str(chat.get("id", ""))
    return ""
