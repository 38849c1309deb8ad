"""What Discord sends: events of the gateway, and answers to requests."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cobot_discord import DiscordSettings
from cobot_discord.api import Api
from cobot_discord.authors import Authors
from cobot_discord.parse import Parser
from cobot_discord.places import MALFORMED, Places
from cobot_discord.rates import seconds_told
from cobot_discord.render import dialect, literal
from cobot_discord.wellformed import wellformed
from cobot_session.errors import ChannelError
from cobot_session.messages import Media
from fuzzing.values import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

ANN: dict[str, Any] = {"id": "1000", "username": "ann", "global_name": "Ann", "bot": False}
SAID: dict[str, Any] = {
    "id": "2000", "channel_id": "3000", "guild_id": "4000", "author": ANN, "type": 0, "flags": 8192,
    "content": "hi <@1000> <@&5000> <#3000> <t:1:R> </a:1> <:e:1>",
    "edited_timestamp": "2026-01-01",
    "timestamp": "2026-01-01T00:00:00+00:00", "member": {"roles": ["5000"], "nick": "A"},
    "mentions": [{**ANN, "member": {"nick": "A"}}], "mention_roles": ["5000"], "embeds": [{}],
    "attachments": [{"id": "6000", "filename": "../a", "url": "https://cdn.discordapp.com/a",
                     "content_type": "image/png", "size": 3, "waveform": "x"}],
    "sticker_items": [{"id": "7", "name": "s", "format_type": 1}], "webhook_id": "8",
    "message_reference": {"type": 0, "message_id": "1999"}, "referenced_message": {"author": ANN},
    "message_snapshots": [{"message": {"content": "x"}}], "poll": {"question": {}},
    "reactions": [{"me": True, "emoji": {"id": None, "name": "👍"}}], "url": "https://x/",
}  # fmt: skip
REACTION: dict[str, Any] = {
    "user_id": "1000", "channel_id": "3000", "message_id": "2000", "guild_id": "4000",
    "emoji": {"id": "9", "name": "e"}, "message_author_id": "1",
    "member": {"user": ANN, "roles": ["5000"], "nick": None},
}  # fmt: skip
CHANNEL: dict[str, Any] = {
    "id": "3000", "type": 11, "name": "general", "guild_id": "4000", "parent_id": "3001",
    "last_message_id": "2000", "newly_created": True,
}  # fmt: skip
ROLE: dict[str, Any] = {"id": "5000", "name": "@crew", "tags": {"bot_id": "1"}}
GUILD: dict[str, Any] = {"id": "4000", "channels": [CHANNEL], "threads": [CHANNEL], "roles": [ROLE]}
EVENTS: dict[str, dict[str, Any]] = {
    "READY": {"user": {"id": "1"}},
    "GUILD_CREATE": GUILD,
    "GUILD_DELETE": GUILD,
    "GUILD_ROLE_UPDATE": {"guild_id": "4000", "role": ROLE},
    "CHANNEL_UPDATE": CHANNEL,
    "THREAD_LIST_SYNC": GUILD | {"guild_id": "4000"},
    "MESSAGE_CREATE": SAID,
    "MESSAGE_UPDATE": SAID,
    "MESSAGE_DELETE": SAID,
    "MESSAGE_REACTION_ADD": REACTION,
}
SETTINGS = DiscordSettings.model_validate({"bot_token": "x.y.z", "bots": True})
ANSWERS: list[Any] = [SAID, [SAID, SAID], CHANNEL, {"retry_after": 1.5, "global": True}]


def discord_event(data: bytes) -> None:
    """Events of the gateway, one after the other, as the connection hands them over."""
    source = Source(data)
    places = Places()
    parser, authors = Parser(places, SETTINGS), Authors(places)
    for _ in range(1 + source.below(3)):
        name = list(EVENTS)[source.below(len(EVENTS))]
        payload = wellformed(source.value([EVENTS[name]]))
        with suppress(*MALFORMED):  # as where the frames come in
            places.learn(name, payload)
            _told(name, payload, parser, authors)


def _told(name: str, payload: Any, parser: Parser, authors: Authors) -> None:
    match name:
        case "MESSAGE_CREATE":
            authors.note(payload, parser.message(payload))
        case "MESSAGE_UPDATE":
            parser.edit(payload)
        case "MESSAGE_DELETE":
            parser.deletion(payload, authors.of(payload))
        case "MESSAGE_REACTION_ADD":
            parser.reaction(payload, "1:1", added=True)


class Answering:
    """Stands where the requests leave: whatever is asked, it answers the same."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def request(self, *_: Any, **__: Any) -> Any:
        """Return the answer."""
        return self._answer

    async def download(self, url: str) -> bytes:
        """Return nothing of what lies there."""
        return url.encode("utf-8", "replace")


def discord_answer(data: bytes) -> None:
    """The answer to a request: read, or one of the errors that say what to do."""
    source = Source(data)
    answer = source.value(ANSWERS)
    api: Any = Api(Answering(answer))  # type: ignore[arg-type]  # what it uses of one
    media = Media("image", id="3000/2000/6000", url=source.text(40))
    calls: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        lambda: api.send("3000", {}, []),
        lambda: api.unreact("3000", "2000"),
        lambda: api.messages("3000", None),
        lambda: api.member("4000", "1000"),
        lambda: api.fetch(media, ""),
    ]
    with suppress(ChannelError):
        asyncio.run(calls[source.below(len(calls))]())
    for value in answer.values() if isinstance(answer, dict) else ():
        seconds_told(value)


def discord_markdown(data: bytes) -> None:
    """What the agent says, perhaps in a stranger's words."""
    text = Source(data).text()
    dialect(text)
    literal(text)
