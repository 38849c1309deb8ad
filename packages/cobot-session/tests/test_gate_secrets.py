"""No secret in a log: neither in ours nor in those of the libraries that channels use."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr

from cobot_session import Plugin, PluginMeta, Session

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "123456:AAEhBP0av28FVLJ6Z4"
LIBRARIES = ["httpx", "httpcore.http11", "telegram.ext", "discord.gateway", "websockets.client"]


class Settings(BaseModel):
    bot_token: SecretStr


class Talker(Plugin):
    meta = PluginMeta("talker", "1.0")
    config_model = Settings

    def session_receive(self) -> list[Any]:
        return []


@pytest.mark.parametrize("name", [*LIBRARIES, "cobot_session.plugin.talker", "asyncio"])
def test_a_token_is_redacted_in_every_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """A request's URL, an argument, a traceback: the token stands in none of them."""
    plugins = {"workspace": {"path": str(tmp_path)}, "talker": {"bot_token": TOKEN}}
    caplog.set_level(logging.DEBUG)
    with Session({"plugins": plugins}, plugins={"talker": Talker}):
        log = logging.getLogger(name)
        log.debug("POST https://api.example.org/bot%s/getUpdates", TOKEN)
        try:
            int(TOKEN)
        except ValueError:
            log.exception("trouble with %r", {"token": TOKEN})
    formatter = logging.Formatter()
    shown = "\n".join(formatter.format(record) for record in caplog.records)
    assert "/getUpdates" in shown
    assert "[redacted]" in shown
    assert TOKEN not in shown
