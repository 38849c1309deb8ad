"""The channel keeps the contract: the conformance kit, with the local Discord as its wire."""

import pytest

from cobot_discord.testing import CutAfter, RateLimit, Refuse, ServerError
from cobot_session.testing import ChannelCase, ChannelContract, Seen, Wire

SHOWN = {"online": "online", "idle": "away", "dnd": "busy", "invisible": "offline"}


class DiscordWire(Wire):
    """A person in one chat."""

    def __init__(self, server, user, chat, **more):
        self.server = server
        self.user = user
        self.chat = chat
        self.more = more
        self.last = None

    def _message(self, message_id):
        return next(one for one in self.chat.messages if one.id == message_id)

    def says(self, text, *, reply_to=None, files=None):
        from cobot_discord.testing import File

        if reply_to:
            self.last = self.user.replies(self._message(reply_to), text)
        else:
            uploads = [File(name, data) for name, data in (files or {}).items()]
            self.last = self.user.says(text, self.chat, files=uploads, **self.more)
        return self.last.id

    def seen(self):
        return [
            Seen(
                one.id,
                one.content,
                one.reply_to.id if one.reply_to else None,
                [hung.file.name for hung in one.attachments],
                [key for key, ids in one.reactions.items() if self.server.bot.id in ids],
            )
            for one in self.chat.by_bot()
        ]

    def repeats(self):
        self.server.world.repeat(self.last)

    def edits(self, message_id, text):
        self.user.edits(self._message(message_id), text)

    def deletes(self, message_id):
        self.user.deletes(self._message(message_id))

    def reacts(self, message_id, emoji):
        self.user.reacts(self._message(message_id), emoji)

    def forwards(self, text):
        self.last = self.user.says(text, self.chat, embeds=[{"author": {"name": "ann"}}])

    def person_id(self):
        return self.user.id

    def strangers(self):
        server, home = self.server, self.chat.guild
        den = server.guild("Den")
        mallory, other_ann, ghost = server.user("mallory"), server.user("ann"), server.user("ann")
        den.give(mallory, den.role("owner"))  # a role of the name of one at home
        return {
            "stranger": DiscordWire(server, mallory, mallory.dm),
            "namesake": DiscordWire(server, other_ann, other_ann.dm),
            "group": DiscordWire(server, mallory, den.channel("general")),
            "neighbour": DiscordWire(server, other_ann, self.chat),
            "elsewhere": DiscordWire(server, self.user, home.channel("elsewhere")),
            "webhook": DiscordWire(server, ghost, home.channel("hooks"), webhook=True),
            "bot": DiscordWire(server, server.user("ann", bot=True), home.channel("bots")),
        }

    def garbles(self):
        self.server.gateway.send_raw("{")
        self.server.gateway.dispatch("MESSAGE_CREATE", {"channel_id": self.chat.id})
        self.server.gateway.dispatch("MESSAGE_CREATE", None)

    def refuses(self, how, retry_after=1.0):
        faults = {
            "temporary": ServerError(503),
            "permanent": Refuse(),
            "rate_limited": RateLimit(retry_after),
            "unknown": CutAfter(),
            "auth": Refuse(401, 0, "401: Unauthorized"),
        }
        self.server.faults.add(faults[how], on="create_message")

    def is_typed_to(self):
        return self.chat.typing > 0

    def presence(self):
        return SHOWN.get(self.server.world.presence["status"])

    def cuts(self):
        self.server.stop_thread()

    def mends(self):
        self.server.start_in_thread()


@pytest.mark.slow
class TestContract(ChannelContract):
    @pytest.fixture
    def wire(self, server, general):
        return DiscordWire(server, server.user("ann"), general)

    @pytest.fixture
    def channel(self, server, wire):
        options = {
            "bot_token": server.token,
            "api_url": server.api_url,
            "gateway_url": server.gateway_url,
            "identify_seconds": 0,
        }
        return ChannelCase("discord", options, chat=wire.chat.id)
