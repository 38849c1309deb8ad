"""What importing the package costs, told by processes that do nothing else."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"discord", "hypothesis", "prompt_toolkit", "pytest", "rich", "telegram", "typer"}
CHANNELS = {"cobot_discord", "cobot_filedrop", "cobot_nostr", "cobot_telegram"}


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules that are imported after a statement."""
    look = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True
    )
    return set(run.stdout.split())


def test_session_brings_no_test_tool_no_command_line_and_no_channel() -> None:
    """`import cobot_session` imports neither pytest, typer, rich nor any channel."""
    assert not modules_after("import cobot_session") & (HEAVY | CHANNELS)


def test_console_brings_its_terminal_library_only_when_it_starts() -> None:
    """Importing the built-in channel is light, as every channel's import has to be."""
    assert "prompt_toolkit" not in modules_after("import cobot_session.console")


def test_fakes_need_no_pytest() -> None:
    """`FakeChannel` serves any test runner; what does need pytest says what to install."""
    look = (
        "import sys; sys.modules['pytest'] = None\n"
        "from cobot_session.testing import FakeChannel\n"
        "from cobot_session.testing import ChannelContract"
    )
    run = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stderr.endswith(
        "ImportError: `ChannelContract` needs pytest: pip install 'cobot-session[testing]'\n"
    )
