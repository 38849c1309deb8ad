"""The agent's configuration: mistakes are told, and a file of our own is taken."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from agent_process import SECONDS

if TYPE_CHECKING:
    from agent_process import AgentProcess, Make

    from cobot_nostr.testing import NostrServer
    from cobot_telegram.testing import BotApiServer

pytest.importorskip("cobot.cli", reason="the cobot agent is not installed")

PAGE = "cobot-agent.md"
"""Beside the tests, or among the documentation."""


def page() -> str:
    """Return the page that tells how to set the agent up."""
    above = [Path.cwd(), *Path(__file__).parents]
    places = [one / folder / PAGE for one in above for folder in (".", "docs/agents")]
    return next(one for one in places if one.exists()).read_text(encoding="utf-8")


def refusal(agent: AgentProcess) -> str:
    """Return the last line of an agent that does not start."""
    agent.start()
    assert agent.wait() == 1
    return agent.text().strip().rpartition("PluginError: ")[2]


def test_agent_without_our_block_is_told_what_to_write(
    make_agent: Make, settings: dict[str, Any]
) -> None:
    """A forgotten block ends the start with what belongs there."""
    del settings["cobot_session"]
    told = refusal(make_agent(settings))
    assert told.startswith("Configuration failed for 'cobot_session': cobot_session: is missing")
    assert "telegram: {bot_token: …}" in told


def test_mistakes_are_named_as_they_stand_in_the_agents_file(
    make_agent: Make, settings: dict[str, Any]
) -> None:
    """All mistakes at once, each with its place under `cobot_session`, the rule and the fix."""
    settings["cobot_session"]["telegram"]["bot_tokn"] = "x"
    settings["cobot_session"]["nostr"]["relays"] = ["${NO_RELAY}"]
    told = refusal(make_agent(settings))
    assert "cobot_session.telegram.bot_tokn:" in told
    assert "Did you mean `bot_token`?" in told
    assert "cobot_session.nostr.relays[0]:" in told
    assert "NO_RELAY" in told
    assert "plugins." not in told


def test_agents_own_plugin_of_a_channel_is_told(
    make_agent: Make, settings: dict[str, Any], telegram: BotApiServer
) -> None:
    """Two plugins for one place are a mistake that the log explains; ours answers all the same."""
    settings["plugins"]["disabled"] = ["nostr"]
    agent = make_agent(settings)
    agent.start()
    agent.wait_logged("own plugin `telegram` runs, too: add `telegram` to `plugins.disabled`")
    ada = telegram.user("Ada")
    ada.says("hello")
    ada.chat.wait_for("re: hello", timeout=SECONDS)


def test_channels_may_stand_in_a_file_of_their_own(
    make_agent: Make, settings: dict[str, Any], telegram: BotApiServer
) -> None:
    """With `config` the channels' file is read, and our command line reads the same."""
    channels = settings["cobot_session"]
    settings["cobot_session"] = {"config": "channels.yml"}
    agent = make_agent(settings)
    channels["workspace"] = {"path": "state"}
    file = agent.folder / "channels.yml"
    file.write_text(yaml.safe_dump({"plugins": channels}), encoding="utf-8")
    agent.start()
    ada = telegram.user("Ada")
    ada.says("hello")
    ada.chat.wait_for("re: hello", timeout=SECONDS)
    status = [sys.executable, "-m", "cobot_session.cli", "status", "--config", str(file)]
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:  # it is told beside the session, a moment later
        shown = subprocess.check_output(status, text=True, timeout=SECONDS, env=agent.environment)
        if re.search(r"telegram\s.*online", shown):
            return
    raise AssertionError(shown)


def test_configuration_on_the_page_is_one_that_works(
    make_agent: Make,
    settings: dict[str, Any],
    telegram: BotApiServer,
    nostr: NostrServer,
) -> None:
    """The agent runs with what the page shows, and answers who may; only the servers are ours."""
    ada, bob = telegram.user("Ada"), nostr.user("Bob")
    text = re.findall(r"^```yaml\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)[0]
    text = re.sub("npub1\\w+", bob.npub, text.replace("123456789", str(ada.id)))
    shown = yaml.safe_load(text)
    local = settings["cobot_session"]
    shown["cobot_session"]["telegram"]["api_url"] = local["telegram"]["api_url"]
    shown["cobot_session"]["nostr"]["relays"] = local["nostr"]["relays"]
    agent = make_agent(shown | {"ppq": settings["ppq"], "filedrop": settings["filedrop"]})
    agent.variables |= {
        "TELEGRAM_BOT_TOKEN": telegram.token,
        "NOSTR_NSEC": local["nostr"]["nsec"],
    }
    agent.start()
    ada.says("hello")
    bob.says("good day")
    ada.chat.wait_for("re: hello", timeout=SECONDS)
    bob.chat.wait_for("re: good day", timeout=SECONDS)
    assert (agent.folder / ".cobot/workspace/cobot_session/session.db").exists()
