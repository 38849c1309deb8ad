"""What the tests of this package share."""

import asyncio
import contextlib
import logging
import time
import warnings

import hypothesis
import pytest

from cobot_discord import Discord, DiscordSettings
from cobot_discord.testing import DiscordServer
from cobot_session.errors import TemporaryError
from cobot_session.messages import OutgoingMessage
from cobot_session.plugin import PluginContext
from cobot_session.state import PluginState

with warnings.catch_warnings():
    # discord.py's voice support imports `audioop`, which warns on Python 3.11 and 3.12
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord  # noqa: F401

pytest_plugins = ["cobot_session.testing"]

hypothesis.settings.register_profile(  # no claim of speed in a test
    "cobot", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("cobot")


def pytest_configure(config):
    """Bear with what discord.py leaves to the garbage collector: the old socket after a resume.

    It is collected in whichever test runs then. What we leave behind is counted by the kit.
    """
    for what in ("unclosed transport", "unclosed <socket"):
        config.addinivalue_line("filterwarnings", f"ignore:{what}:ResourceWarning")


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def server():
    """A local Discord in a thread of its own."""
    with DiscordServer() as running:
        yield running


@pytest.fixture
def general(server):
    """A text channel of a guild."""
    return server.guild("Home").channel("general")


async def until(claim, seconds=30):
    """Return when a claim has become true, of a state that has no event of its own."""
    async with asyncio.timeout(seconds):
        while not claim():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Hand:
    """Drives one channel object as a session does: what a receive sets commits with its batch."""

    def __init__(self, server, values, workspace, **settings):
        self.values = values
        self.channel = Discord()
        self.channel.context = PluginContext(
            "discord", logging.getLogger("test.discord"), workspace, None, None
        )
        self.channel.configure(
            DiscordSettings.model_validate(
                {
                    "bot_token": server.token,
                    "api_url": server.api_url,
                    "gateway_url": server.gateway_url,
                    "identify_seconds": 0,
                    **settings,
                }
            )
        )

    async def __aenter__(self):
        self.channel.context.state = PluginState(self.values, self._write)
        await self.channel.start()
        return self

    async def __aexit__(self, *_):
        await self.channel.stop()

    async def receive(self, count=1):
        """Return what came, once there are so many messages."""
        got = []
        async with asyncio.timeout(40):
            while len(got) < count:
                with contextlib.suppress(TemporaryError):  # told in the status, and asked again
                    got += await self.receive_once()
        return got

    async def receive_once(self):
        state = self.channel.context.state
        with state.staged() as stage:
            batch = await self.channel.session_receive()
        state.commit(stage.changes)
        self._write(stage.changes)
        return batch

    def _write(self, changes):
        for name, value in changes.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value
        return True

    async def texts(self, count=1):
        return [message.content for message in await self.receive(count)]

    async def send(self, chat, content="", **more):
        """Render and send, part by part; return the ids."""
        address = getattr(chat, "id", chat)
        message = OutgoingMessage("discord", address, content, **more)
        parts = self.channel.session_render(message)
        return [await self.channel.session_send(part) for part in parts]


@pytest.fixture
def hand(server, tmp_path):
    """Make a driver: `async with hand(bots=True) as bot`; the state stays between them."""
    values = {}

    def make(of=server, **settings):
        return Hand(of, values, tmp_path, **settings)

    make.values = values
    make.until = until
    return make


@pytest.fixture
def set_clock(monkeypatch):
    """Set the clock of the bot's machine, and not of Discord's, so many seconds off."""

    def set_clock(seconds):
        monkeypatch.setattr("cobot_discord.clock.wall", lambda: time.time() + seconds)

    return set_clock
