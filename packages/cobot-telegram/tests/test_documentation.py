"""The examples in the documentation run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped]  # the core's dependency; stubs are not needed here

from cobot_telegram import TelegramConfig

if TYPE_CHECKING:
    from cobot_telegram.testing import BotApiServer

PACKAGE = Path(__file__).parents[1]
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def examples(page: str, language: str) -> list[str]:
    text = (PACKAGE / page).read_text(encoding="utf-8")
    return [code for found, code in FENCE.findall(text) if found == language]


@pytest.mark.parametrize("code", examples("docs/testing.md", "python"))
def test_examples_of_the_testing_page_run(code: str) -> None:
    """Each example of the page runs as it stands."""
    exec(compile(code, "docs/testing.md", "exec"), {})  # noqa: S102


def test_the_settings_in_the_readme_are_valid(server: BotApiServer) -> None:
    """The README's `cobot.yml` is what the channel takes."""
    (text,) = examples("README.md", "yaml")
    block = yaml.safe_load(text)["plugins"]["telegram"]
    block.pop("access")
    config = TelegramConfig.model_validate({**block, "bot_token": server.token})
    assert config.access()["chats"] == ["-1001234567890"]


def test_the_readme_names_every_setting() -> None:
    """No key is left out of the table."""
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert [name for name in TelegramConfig.model_fields if f"`{name}`" not in text] == []


@pytest.mark.slow
def test_the_ten_lines_of_the_readme_answer(server: BotApiServer, tmp_path: Path) -> None:
    """The README's agent and its `cobot.yml` run as they stand, but for the server's address."""
    (settings,) = examples("README.md", "yaml")
    local = f'    api_url: "{server.api_url}"\n  workspace:\n    path: "{tmp_path}"\n'
    (tmp_path / "cobot.yml").write_text(settings + local, encoding="utf-8")
    (code,) = examples("README.md", "python")
    ada = server.user("Ada", user_id=123456789)
    ada.says("hi")
    environment = {**os.environ, "TELEGRAM_BOT_TOKEN": server.token}
    agent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    )
    try:
        assert ada.chat.wait_for("You said: hi", timeout=30).entities[0]["type"] == "bold"
    finally:
        agent.terminate()
        agent.communicate(timeout=30)
