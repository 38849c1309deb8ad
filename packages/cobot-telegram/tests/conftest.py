"""A running local server, and python-telegram-bot talking to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from cobot_telegram.testing import BotApiServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: long runs, left out unless asked for with -m soak")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("-m"):
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    items[:] = [item for item in items if item not in soak]
    config.hook.pytest_deselected(items=soak)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Iterator[BotApiServer]:
    with BotApiServer() as running:
        yield running


@pytest.fixture
def connect() -> Callable[..., Bot]:
    """Return what makes a python-telegram-bot client of a server."""

    def connect(server: BotApiServer, token: str | None = None) -> Bot:
        return Bot(
            token or server.token,
            base_url=server.base_url,
            base_file_url=server.base_file_url,
            request=HTTPXRequest(httpx_kwargs={"verify": False}),
            get_updates_request=HTTPXRequest(httpx_kwargs={"verify": False}),
        )

    return connect


@pytest.fixture
async def bot(server: BotApiServer, connect: Callable[..., Bot]) -> AsyncIterator[Bot]:
    async with connect(server) as connected:
        yield connected
