"""What a bot has not seen yet: https://core.telegram.org/bots/api#getting-updates.

An update is kept until an `offset` above its id confirms it. A second poller ends the first one's
long poll with 409; a webhook ends both.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from cobot_telegram.testing.errors import conflict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cobot_telegram.testing.changes import Changes

FIRST_UPDATE = 100_000_001
LONGEST_POLL = 50.0
MOST_UPDATES = 100
REMEMBERED = 1000
"""Confirmed updates that can be repeated."""
NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Kinds a bot only gets when `allowed_updates` names them."""

Update = dict[str, Any]


class Updates:
    """The queue of one bot."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._pending: OrderedDict[int, Update] = OrderedDict()
        self._confirmed: OrderedDict[int, Update] = OrderedDict()
        self._again: list[Update] = []
        self._next = FIRST_UPDATE
        self._turn = 0
        self._polling = False
        self._allowed: frozenset[str] | None = None
        self.webhook_active = False

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def pending(self) -> tuple[Update, ...]:
        """What has not been confirmed, oldest first."""
        with self._changes:
            return tuple(self._pending.values())

    @property
    def latest(self) -> int:
        """The number of the latest update there was."""
        return self._next - 1

    @property
    def polled(self) -> bool:
        """A long poll is waiting right now."""
        return self._polling

    @property
    def allowed(self) -> list[str] | None:
        """The kinds last asked for; `None`: the default ones."""
        return None if self._allowed is None else sorted(self._allowed)

    def allow(self, kinds: Iterable[str] | None) -> None:
        """Remember `allowed_updates`; an empty list: the default kinds, `None`: as before."""
        if kinds is not None:
            self._allowed = frozenset(kinds) or None

    def push(self, kind: str, payload: Any) -> int | None:
        """Queue an update and return its id; `None` when the bot has not asked for that kind."""
        wanted = kind not in NOT_BY_DEFAULT if self._allowed is None else kind in self._allowed
        return self.push_raw({kind: payload}) if wanted else None

    def push_raw(self, update: Update) -> int:
        """Queue an update whatever it holds; it gets an id unless it has one."""
        with self._changes:
            number = int(update.get("update_id", self._next))
            self._next = max(self._next, number + 1)
            self._pending[number] = {"update_id": number, **update}
            self._changes.notify()
            return number

    def confirm(self, offset: int) -> None:
        """Forget what lies below `offset`; a negative one keeps only so many of the last."""
        with self._changes:
            numbers = sorted(self._pending)
            gone = numbers[:offset] if offset < 0 else [n for n in numbers if n < offset]
            for number in gone:
                self._confirmed[number] = self._pending.pop(number)
            while len(self._confirmed) > REMEMBERED:
                self._confirmed.popitem(last=False)
            if gone:
                self._changes.notify()

    def repeat(self, number: int) -> None:
        """Deliver an update once more, confirmed or not, before what is new.

        Raises:
            KeyError: it was never there, or too long ago.
        """
        with self._changes:
            update = self._pending.get(number) or self._confirmed[number]
            if self.webhook_active:
                self._pending[number] = update
            else:
                self._again.append(update)
            self._changes.notify()

    def drop(self, number: int) -> None:
        """Forget one, after a webhook has taken it."""
        with self._changes:
            if number in self._pending:
                self._confirmed[number] = self._pending.pop(number)
            self._changes.notify()

    async def poll(self, offset: int, limit: int, timeout: float) -> list[Update]:
        """Answer `getUpdates`: at once when there is something, else after `timeout` seconds.

        Raises:
            ApiError: 409; a webhook is set, or another poll has come after this one.
        """
        with self._changes:
            if self.webhook_active:
                raise conflict(
                    "can't use getUpdates method while webhook is active; use deleteWebhook to "
                    "delete the webhook first"
                )
            self._turn += 1
            turn = self._turn
            self._changes.notify()
            self.confirm(offset)
        limit = min(max(limit, 1), MOST_UPDATES)
        if not self._pending and not self._again and timeout > 0:
            await self._wait(turn, min(timeout, LONGEST_POLL))
        self._refuse_if_overtaken(turn)
        again, self._again = self._again, []
        return [*again, *self._pending.values()][:limit]

    async def _wait(self, turn: int, timeout: float) -> None:
        self._polling = True
        self._changes.notify()
        try:
            await self._changes.wait_async(
                lambda: (
                    bool(self._pending or self._again) or turn != self._turn or self.webhook_active
                ),
                timeout,
            )
        except TimeoutError:
            await asyncio.sleep(0)
        finally:
            if turn == self._turn:
                self._polling = False

    def _refuse_if_overtaken(self, turn: int) -> None:
        if self.webhook_active:
            raise conflict("terminated by setWebhook request")
        if turn != self._turn:
            raise conflict(
                "terminated by other getUpdates request; make sure that only one bot instance is "
                "running"
            )
