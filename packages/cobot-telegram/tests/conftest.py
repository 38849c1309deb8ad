"""A running local server, and python-telegram-bot talking to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from cobot_session.plugin import PluginMeta
from cobot_session.session import Session
from cobot_telegram.channel import Telegram
from cobot_telegram.testing import BotApiServer, Changes, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from cobot_session.status import Status

pytest_plugins = ["cobot_session.testing"]

hypothesis.settings.register_profile(  # no claim of speed in a test
    "cobot", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("cobot")

sys.path.insert(0, str(Path(__file__).parent))  # for what several tests share; they are no package


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

    def patient() -> HTTPXRequest:
        waits = {f"{what}_timeout": 60.0 for what in ("read", "write", "connect", "pool")}
        return HTTPXRequest(httpx_kwargs={"verify": False}, **waits)

    def connect(server: BotApiServer, token: str | None = None) -> Bot:
        return Bot(
            token or server.token,
            base_url=server.base_url,
            base_file_url=server.base_file_url,
            request=patient(),
            get_updates_request=patient(),
        )

    return connect


@pytest.fixture
async def bot(server: BotApiServer, connect: Callable[..., Bot]) -> AsyncIterator[Bot]:
    async with connect(server) as connected:
        yield connected


@pytest.fixture
def settings(server: BotApiServer, tmp_path: Path) -> dict[str, Any]:
    """Return a configuration; a test changes what it is about."""
    telegram = {
        "bot_token": server.token,
        "api_url": server.api_url,
        "access": {"open": True},
        "album_wait": 0.2,
    }
    session = {"durability": "normal", "events": "all", "drain": 20}
    return {
        "plugins": {
            "session": session,
            "workspace": {"path": str(tmp_path)},
            "telegram": telegram,
        }
    }


class Watch:
    """An observer that keeps every status and lets a test wait for one."""

    meta = PluginMeta(id="watch", version="1")

    def __init__(self) -> None:
        self.changes = Changes()
        self.seen: list[Status] = []

    def session_on_status(self, channel_type: str, status: Status) -> None:
        with self.changes:
            if channel_type == "telegram":
                self.seen.append(status)
                self.changes.notify()

    def until(self, *, state: str | None = None, error: str = "") -> Status:
        """Block until the channel is in a state, or has a trouble with these words."""

        def probe() -> Status | None:
            for status in self.seen:
                if state in (None, status.state) and error in str(status.last_error or ""):
                    return status
            return None

        return self.changes.wait(probe, what=lambda: f"seen: {self.seen}")


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def open_session(settings: dict[str, Any], watch: Watch) -> Callable[[], Session]:
    """Return what makes a session with the channel and the watch; enter it with `with`."""
    settings["plugins"]["watch"] = {}
    return lambda: Session(settings, plugins={"telegram": Telegram, "watch": lambda: watch})


@pytest.fixture
def session(open_session: Callable[[], Session], watch: Watch) -> Iterator[Session]:
    """Return a running session whose channel is online."""
    with open_session() as running:
        watch.until(state="online")
        yield running


@pytest.fixture
def ada(server: BotApiServer) -> User:
    """Return a person who has started the bot and been seen."""
    ada = server.user("Ada")
    with server.changes:
        ada.chat.members.add(server.bot.id)
    return ada
