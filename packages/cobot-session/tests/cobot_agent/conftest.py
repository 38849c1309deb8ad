"""The networks, the model, and the agent between them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from agent_process import AgentProcess  # noqa: E402 - it stands beside this file
from model import Model  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_process import Make

    from cobot_nostr.testing import NostrServer
    from cobot_telegram.testing import BotApiServer

KEY = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
"""The private key of the agent in these tests: the example of NIP-19."""


@pytest.fixture
def model() -> Iterator[Model]:
    with Model() as model:
        yield model


@pytest.fixture
def telegram() -> Iterator[BotApiServer]:
    from cobot_telegram.testing import BotApiServer

    with BotApiServer() as server:
        yield server


@pytest.fixture
def nostr() -> Iterator[NostrServer]:

    from cobot_nostr.keys import parse_key
    from cobot_nostr.testing import NostrServer

    with NostrServer(bot=parse_key(KEY, None).public) as server:
        yield server


@pytest.fixture
def settings(model: Model, telegram: BotApiServer, nostr: NostrServer) -> dict[str, Any]:
    """The agent's configuration: everybody may write, and no pairing is asked for."""
    return {
        "provider": "ppq",
        "ppq": {"api_base": model.url, "api_key": "local", "model": "local"},
        "polling": {"interval_seconds": 0.05},
        "pairing": {"enabled": False},
        "filedrop": {"base_dir": "filedrop"},
        "plugins": {
            "external": ["cobot_session.cobot_agent"],
            "disabled": ["session", "telegram", "nostr"],
        },
        "cobot_session": {
            "telegram": {
                "bot_token": telegram.token,
                "api_url": telegram.api_url,
                "access": {"open": True},
            },
            "nostr": {"nsec": KEY, "relays": nostr.urls, "access": {"open": True}},
        },
    }


@pytest.fixture
def make_agent(tmp_path: Path) -> Iterator[Make]:
    """Make an agent; its process is ended, and its log shown when the test fails."""
    made: list[AgentProcess] = []

    def make(config: dict[str, Any]) -> AgentProcess:
        made.append(AgentProcess(tmp_path, config))
        return made[-1]

    yield make
    for one in made:
        one.end()
        print(one.text())


@pytest.fixture
def agent(make_agent: Make, settings: dict[str, Any]) -> AgentProcess:
    """An agent that runs."""
    agent = make_agent(settings)
    agent.start()
    return agent
