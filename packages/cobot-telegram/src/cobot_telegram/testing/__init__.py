"""A Bot API server of your own: test a Telegram bot over a real socket, without Telegram.

    with BotApiServer() as server:                        # or `async with`
        ada = server.user("Ada")
        start_my_bot(server.token, server.api_url)
        ada.says("hi")
        assert ada.chat.wait_for().text == "Hello, Ada!"

Any client of the Bot API can talk to it: give it `server.api_url` (python-telegram-bot:
`base_url=server.base_url, base_file_url=server.base_file_url`) and `server.token`.

The script has the same shape for every network this project serves; a test that knows one server
knows the others:

    server.user(name)                    a person              server.group(title)   a place
    user.chat                            the private chat of that person and the bot
    user.says(text, chat=…, files=…)     -> Message            user.replies(message, text)
    user.edits(message, text)            user.reacts(message, emoji)   ("" takes it back)
    chat.messages                        what stands there     chat.answers   the bot's part of it
    chat.wait_for(text=…, count=…, where=…, timeout=…)   -> Message; a bounded wait for an event
    server.wait_for(probe, timeout)      any other condition, looked at after every change
    server.faults.add(fault, on=…, chat=…, times=…, after=…, rate=…)   -> Planted (`hits`)
    server.requests                      every call the bot has made

Telegram alone has drafts: `chat.drafts`, `chat.draft` (seen now), `chat.wait_for_draft(text)`.
A `wait_for` blocks its thread; each has a twin ending in `_async` to be awaited. A wait that finds
nothing raises `TimeoutError` and shows what is there.
"""

from cobot_telegram.testing.bots import BotAccount, Webhook
from cobot_telegram.testing.changes import Changes
from cobot_telegram.testing.chats import Chat, Message
from cobot_telegram.testing.drafts import Draft
from cobot_telegram.testing.faults import (
    Answer,
    CutAfter,
    CutBefore,
    Drip,
    Duplicate,
    Fault,
    Faults,
    Flood,
    Hang,
    Planted,
    Reorder,
    ServerError,
)
from cobot_telegram.testing.files import Attachment, StoredFile
from cobot_telegram.testing.people import Press, User
from cobot_telegram.testing.rates import Rates
from cobot_telegram.testing.server import BotApiServer, Request

__all__ = [
    "Answer",
    "Attachment",
    "BotAccount",
    "BotApiServer",
    "Changes",
    "Chat",
    "CutAfter",
    "CutBefore",
    "Draft",
    "Drip",
    "Duplicate",
    "Fault",
    "Faults",
    "Flood",
    "Hang",
    "Message",
    "Planted",
    "Press",
    "Rates",
    "Reorder",
    "Request",
    "ServerError",
    "StoredFile",
    "User",
    "Webhook",
]
