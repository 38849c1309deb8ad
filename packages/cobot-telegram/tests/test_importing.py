"""A hundred installed channels must cost milliseconds."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from cobot_session.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from cobot_telegram.testing import BotApiServer, User

PROBE = """
import sys
before = set(sys.modules)
import cobot_telegram.channel
heavy = {"telegram", "httpx", "aiohttp", "telegramify_markdown", "pyromark"}
print(sorted(heavy & (set(sys.modules) - before)))
"""


ALONE = """
import sys
import cobot_telegram
print([name for name in sys.modules if name.startswith(("cobot_session", "cobot_telegram."))])
from cobot_telegram import Telegram, TelegramConfig
print(Telegram.__module__, TelegramConfig.__module__)
print({*cobot_telegram.__all__} <= {*dir(cobot_telegram)}, hasattr(cobot_telegram, "Nothing"))
"""


def test_importing_the_package_imports_nothing() -> None:
    """What it offers is loaded when it is used."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, check=True, timeout=60
    )
    told = ["[]", "cobot_telegram.channel cobot_telegram.config", "True False"]
    assert done.stdout.splitlines() == told


def test_importing_the_channel_imports_no_client_library() -> None:
    """The libraries are loaded when the channel starts."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_channel_is_found_by_its_entry_point(
    server: BotApiServer, settings: dict[str, Any], ada: User
) -> None:
    """Installed is enough: a session with a block for it receives and answers."""
    ada.says("hi")
    with Session(settings) as session:
        (message,) = session.poll_all_channels(wait=40)
        assert session.reply(message, "hello").status == "sent"
    assert ada.chat.texts == ["hello"]


def test_without_a_token_it_is_unconfigured(tmp_path: Path) -> None:
    """Installed but not configured is no failure."""
    with Session({"plugins": {"workspace": {"path": str(tmp_path)}}}) as session:
        assert session.status()["telegram"].state == "unconfigured"
