"""What the tests of this package share."""

import warnings

import pytest

from cobot_discord.testing import DiscordServer

with warnings.catch_warnings():
    # discord.py's voice support imports `audioop`, which warns on Python 3.11 and 3.12
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord  # noqa: F401


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def server():
    """A local Discord in a thread of its own."""
    with DiscordServer() as running:
        yield running
