"""One call of a bot, and the table of the methods there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from cobot_telegram.testing.errors import bad_request, forbidden, too_many_requests

if TYPE_CHECKING:
    from cobot_telegram.testing.bots import BotAccount
    from cobot_telegram.testing.chats import Chat, Message
    from cobot_telegram.testing.params import Params
    from cobot_telegram.testing.rates import Rates
    from cobot_telegram.testing.world import World


@dataclass(slots=True)
class Call:
    """What a method gets: who calls, with what."""

    world: World
    bot: BotAccount
    params: Params
    rates: Rates | None = None

    def chat(self) -> Chat:
        """Return the chat the call is about.

        Raises:
            ApiError: 400; there is no such chat, or it has become another.
        """
        given = self.params.text("chat_id")
        if not given:
            raise bad_request("chat_id is empty")
        found = (
            self.world.chat_for(self.bot, int(given)) if _is_number(given) else self._named(given)
        )
        if found is None:
            raise bad_request("chat not found")
        if found.migrated_to is not None:
            raise bad_request(
                "group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=found.migrated_to.id,
            )
        return found

    def _named(self, name: str) -> Chat | None:
        wanted = name.removeprefix("@")
        chats = self.world.chats.values()
        return next((c for c in chats if c.fields.get("username") == wanted), None)

    def writable(self, count: int = 1) -> Chat:
        """Return the chat, after checking that the bot may send `count` messages there now.

        Raises:
            ApiError: 403; blocked, kicked, never started. 429; too fast for the rates in force.
        """
        chat = self.chat()
        if chat.kind == "private":
            user = self.world.users.get(chat.id)
            if user is not None and self.bot.id in user.blocked:
                raise forbidden("bot was blocked by the user")
            if self.bot.id not in chat.members:
                raise forbidden("bot can't initiate conversation with a user")
        elif self.bot.id in chat.kicked:
            raise forbidden(f"bot was kicked from the {chat.kind} chat")
        elif self.bot.id not in chat.members:
            raise forbidden(f"bot is not a member of the {chat.kind} chat")
        delay = self.rates.delay(chat, count) if self.rates else 0
        if delay:
            raise too_many_requests(delay)
        return chat

    def message(self, absent: str) -> Message:
        """Return the message the call is about.

        Raises:
            ApiError: 400 with the words of `absent`.
        """
        found = self.chat().get(self.params.integer("message_id"))
        if found is None:
            raise bad_request(absent)
        return found


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


Method: TypeAlias = Callable[[Call], Awaitable[Any]]
METHODS: dict[str, Method] = {}
"""Lower-case method name -> what carries it out; the Bot API's names know no case."""


def api_method(*names: str) -> Callable[[Method], Method]:
    """Enter a function into the table under the names of API methods."""

    def enter(method: Method) -> Method:
        METHODS.update(dict.fromkeys((name.lower() for name in names), method))
        return method

    return enter
