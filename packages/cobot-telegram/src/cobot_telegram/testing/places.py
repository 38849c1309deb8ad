"""Who and what there is: bots, people, chats."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

from cobot_telegram.testing.bots import BotAccount
from cobot_telegram.testing.changes import Changes
from cobot_telegram.testing.chats import Chat
from cobot_telegram.testing.faults import Faults
from cobot_telegram.testing.files import Files
from cobot_telegram.testing.updates import Updates

if TYPE_CHECKING:
    from cobot_telegram.testing.people import User

_FILLER = "TEST-only-not-a-real-token-000000000"
_FIRST_BOT, _FIRST_GROUP = 700_000_001, 1_000_000_001
_CHANNEL_PREFIX = -1_000_000_000_000


class Places:
    """The state of the server. All of it is thread-safe."""

    def __init__(self, seed: int = 0) -> None:
        self.changes = Changes()
        self.files = Files()
        self.dice = random.Random(seed)  # nosec B311 # noqa: S311  # it makes test runs repeatable
        self.faults = Faults(self.changes, self.dice)
        self.bots: list[BotAccount] = []
        self.users: dict[int, User] = {}
        self.chats: dict[tuple[int, int], Chat] = {}
        self.numbers = itertools.count(1)
        self.add_bot()

    @property
    def bot(self) -> BotAccount:
        """The first bot."""
        return self.bots[0]

    def add_bot(
        self, username: str = "", *, token: str | None = None, reads_all: bool = True
    ) -> BotAccount:
        """Register one more bot and return its account."""
        with self.changes:
            number = _FIRST_BOT + len(self.bots)
            username = username or f"test_{len(self.bots) + 1}_bot"
            token = token or f"{number}:{_FILLER[: 35 - len(str(number))]}{number}"
            bot = BotAccount(
                token=token,
                id=int(token.partition(":")[0]),
                username=username,
                name=username.removesuffix("_bot").replace("_", " ").title(),
                changes=self.changes,
                updates=Updates(self.changes),
                reads_all=reads_all,
            )
            self.bots.append(bot)
            return bot

    def group(self, title: str, *, basic: bool = False, forum: bool = False) -> Chat:
        """Make a supergroup (or a basic group) with all bots in it; `forum`: it has topics."""
        number = _FIRST_GROUP + next(self.numbers)
        chat_id = -number if basic else _CHANNEL_PREFIX - number
        chat = self._add(Chat(chat_id, "group" if basic else "supergroup", title, self.changes))
        if forum:
            chat.fields["is_forum"] = True
        return chat

    def channel(self, title: str) -> Chat:
        """Make a channel with all bots as administrators; write there with `posts`."""
        number = _CHANNEL_PREFIX - _FIRST_GROUP - next(self.numbers)
        return self._add(Chat(number, "channel", title, self.changes))

    def _add(self, chat: Chat) -> Chat:
        with self.changes:
            chat.members.update(bot.id for bot in self.bots)
            self.chats[0, chat.id] = chat
            return chat

    def private_chat(self, user: User, bot: BotAccount) -> Chat:
        """Return the chat between a person and a bot."""
        with self.changes:
            key = (bot.id, user.id)
            if key not in self.chats:
                fields = {"username": user.username} if user.username else {}
                self.chats[key] = Chat(user.id, "private", user.name, self.changes, fields)
            return self.chats[key]

    def chat_for(self, bot: BotAccount, chat_id: int) -> Chat | None:
        """Return the chat a bot means by an id."""
        return self.chats.get((0, chat_id)) or self.chats.get((bot.id, chat_id))
