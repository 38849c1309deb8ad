"""The echo answers, as a program and as a handler."""

from __future__ import annotations

import subprocess
import sys

import echo


def test_echo_answers(serving, fake_channel):
    """What is said comes back in the same chat."""
    with serving(echo.answer):
        fake_channel.says("hello", chat="home")
        fake_channel.wait_for_sent(1, 40)
    assert fake_channel.texts("home") == ["You said: hello"]


def test_echo_is_talked_to_in_a_terminal(folder, tmp_path):
    """The command in its docstring does what it says."""
    command = [sys.executable, "-m", "cobot_session.cli", "chat", "--agent", "echo:answer"]
    done = subprocess.run(
        command,
        input="hello\n",
        cwd=folder,
        env={"PYTHONPATH": str(folder), "HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "bot> You said: hello\n"), done.stderr
