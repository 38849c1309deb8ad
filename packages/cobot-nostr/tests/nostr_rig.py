"""The channel without a session: its hooks are called as the contract says."""

import asyncio
import json
import logging
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

from cobot_nostr import nip19
from cobot_nostr.channel import Nostr
from cobot_nostr.config import NostrConfig
from cobot_nostr.crypto import Key
from cobot_nostr.testing import NostrServer
from cobot_nostr.tuning import Tuning
from cobot_session.messages import OutgoingMessage
from cobot_session.text import part_id

BOT = Key.from_hex("b0" * 32)
FAST = Tuning(backoff=0.02, backoff_most=0.2, idle=1.0, patience=60.0, penalty=0.5, linger=0.5)


class Clock:
    """This machine's clock as the channel sees it; people and relays have the right one."""

    def __init__(self, monkeypatch):
        self.ahead = 0
        for name in ("cursors", "identity", "ledger", "listening", "questions", "render"):
            monkeypatch.setattr(f"cobot_nostr.{name}.time", self)

    monotonic = staticmethod(time.monotonic)
    monotonic_ns = staticmethod(time.monotonic_ns)

    def time(self):
        return time.time() + self.ahead


def nsec(key=BOT):
    return nip19.encode("nsec", key.secret_bytes())


class Rig:
    """One life of the channel."""

    def __init__(self, server, state=None, **config):
        self.state = {} if state is None else state
        self.channel = Nostr()
        type(self.channel).tuning = FAST
        self.channel.context = SimpleNamespace(
            channel_type="nostr",
            log=logging.getLogger("cobot.nostr"),
            workspace=None,
            state=self.state,
            session=None,
            check_health=lambda: None,
        )
        config = {"nsec": nsec(), "relays": server.urls, "private_networks": True, **config}
        self.channel.configure(NostrConfig.model_validate(config))
        self.count = 0

    async def receive(self, count=1, seconds=40):
        """Return so many messages; fails when they do not come."""
        got = []
        async with asyncio.timeout(seconds):
            while len(got) < count:
                got += await self.channel.session_receive()
        json.dumps(self.state)  # state holds JSON only
        return got

    def render(self, channel_id, content, **fields):
        self.count += 1
        message = OutgoingMessage("nostr", channel_id, content, id=f"m{self.count}", **fields)
        parts = self.channel.session_render(message)
        for number, part in enumerate(parts):
            part.id = part_id(message.id, number)
        return [OutgoingMessage(**json.loads(json.dumps(vars(part)))) for part in parts]

    async def send(self, channel_id, content, **fields):
        """Render and send; return the results of the parts."""
        parts = await asyncio.to_thread(self.render, channel_id, content, **fields)
        return [await self.channel.session_send(part) for part in parts]

    async def reading(self):
        async with asyncio.timeout(40):
            pool = self.channel._identity.pool
            await pool.until(lambda: pool.reading)


@asynccontextmanager
async def rigged(relays=1, state=None, **config):
    """Relays, and the channel started at them."""
    async with (
        NostrServer(relays, bot=BOT.public) as server,
        running(server, state, **config) as rig,
    ):
        yield server, rig


@asynccontextmanager
async def running(server, state=None, **config):
    rig = Rig(server, state, **config)
    await rig.channel.start()
    try:
        await rig.reading()
        yield rig
    finally:
        await rig.channel.stop()
