"""Who reaches the agent: our gate first, then its own pairing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from agent_process import SECONDS

if TYPE_CHECKING:
    from agent_process import Make
    from model import Model

    from cobot_telegram.testing import BotApiServer

storage = pytest.importorskip(
    "cobot.plugins.pairing.storage", reason="the cobot agent is not installed"
)


def test_stranger_is_paired_by_the_agent_where_the_channel_is_open(
    make_agent: Make, settings: dict[str, Any], model: Model, telegram: BotApiServer
) -> None:
    """A stranger is told a code, neither model nor memory hears of them, and approved they pass."""
    del settings["pairing"]
    agent = make_agent(settings)
    agent.start()
    ada = telegram.user("Ada")
    ada.says("let me in")
    told = ada.chat.wait_for(where=lambda one: "Pairing code" in one.text, timeout=SECONDS).text
    code = re.search(r"Pairing code: (\w{8})", told)
    assert code
    assert not list(agent.folder.glob(".cobot/workspace/memory/conversations/*"))
    assert storage.PairingStorage(agent.folder / ".cobot" / "pairing.yml").approve(code[1])
    ada.says("hello")
    ada.chat.wait_for("re: hello", timeout=SECONDS)
    assert model.count("let me in") == 0


def test_owner_named_in_the_agents_settings_needs_no_code(
    make_agent: Make, settings: dict[str, Any], telegram: BotApiServer
) -> None:
    """The ids of `pairing.owner_ids` are those that messages of our channels carry."""
    ada = telegram.user("Ada")
    settings["pairing"] = {"owner_ids": {"telegram": [str(ada.id)]}}
    make_agent(settings).start()
    ada.says("hello")
    ada.chat.wait_for("re: hello", timeout=SECONDS)
    assert ada.chat.texts == ["re: hello"]


def test_who_is_not_let_in_does_not_even_reach_the_agents_pairing(
    make_agent: Make, settings: dict[str, Any], model: Model, telegram: BotApiServer
) -> None:
    """Without `access` nobody passes, and what is refused is not answered; the log says whom."""
    ada, eve = telegram.user("Ada"), telegram.user("Eve")
    settings["pairing"] = {"owner_ids": {"telegram": [str(ada.id)]}}
    settings["cobot_session"]["telegram"]["access"] = {"users": [str(ada.id)]}
    agent = make_agent(settings)
    agent.start()
    eve.says("let me in")
    ada.says("hello")
    ada.chat.wait_for("re: hello", timeout=SECONDS)
    assert eve.chat.texts == []
    assert model.count("let me in") == 0
    agent.wait_logged(f"{eve.id}")
