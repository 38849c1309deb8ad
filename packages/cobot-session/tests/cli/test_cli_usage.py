"""What is common to all commands: help, version, mistakes, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest

COMMANDS = {
    *("channels", "run", "chat", "listen", "send", "doctor", "status", "dead", "schema", "init"),
    *("demo", "pair"),
}

AGENT = """
    def answer(message):
        return message.content

    def none():
        return ""

    class Agent:
        pass

    constant = "hello"
"""


def test_the_version_is_told(cli):
    """`--version` prints the distribution's version."""
    assert cli("--version").stdout == f"cobot-session {version('cobot-session')}\n"


def test_the_command_is_installed():
    """The distribution brings the command `cobot-session`."""
    (script,) = entry_points(group="console_scripts", name="cobot-session")
    assert script.value == "cobot_session.cli:main"


@pytest.mark.lowest
def test_help_names_every_command_in_lines_of_80(cli):
    """Help fits a terminal of 80 columns, and cuts no word."""
    done = cli("--help")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "..." not in done.stdout.partition("Commands:")[2]
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


def test_the_session_itself_needs_no_command_line():
    """`import cobot_session` loads neither typer nor rich nor the commands."""
    code = (
        "import sys, cobot_session;"
        "print([m for m in ('typer', 'rich', 'cobot_session.cli') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", [["nonsense"], ["run"], ["send"], ["channels", "--nonsense"]])
@pytest.mark.lowest
def test_a_wrong_command_is_a_usage_mistake(cli, command):
    """What the command line does not know ends with 2 and no traceback."""
    done = cli(*command)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("position", ["before", "after"])
def test_config_may_stand_before_and_after_the_command(cli, position):
    """`--config` names another file, wherever it stands."""
    cli.write("other.yml", "plugins: {mine: {enabled: false}}\n")
    option = ["--config", "other.yml"]
    done = cli(*option, "channels") if position == "before" else cli("channels", *option)
    assert "mine" in done.stdout


@pytest.mark.parametrize("command", [["channels"], ["run", "-a", "agent:answer"], ["listen"]])
@pytest.mark.lowest
def test_mistakes_in_cobot_yml_are_told_one_in_a_line(cli, command):
    """A file that is no YAML ends every command with 2, its place, and no traceback."""
    cli.write("agent.py", AGENT)
    cli.write("cobot.yml", "plugins: [\n")
    done = cli(*command)
    assert done.returncode == 2
    assert f"{cli.folder}/cobot.yml:2:1: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_all_mistakes_are_told_at_once(cli, peer):
    """Mistakes of the core and of a plugin come together, in the order of the file."""
    cli.write("agent.py", AGENT)
    cli.write("cobot.yml", "plugins:\n  wire: {prt: 1}\n  session: {strct: true}\n")
    done = cli("run", "--agent", "agent:answer")
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert "cobot.yml:2:10: plugins.wire.prt" in first
    assert "cobot.yml:3:13: plugins.session.strct" in second


def test_a_file_that_is_not_there_is_told(cli):
    """A wrong `--config` is named."""
    done = cli("status", "--config", "absent.yml")
    assert done.returncode == 2
    assert "absent.yml: there is no such file" in done.stderr


WRONG_AGENTS = {
    "agent": "write `agent:answer`",
    "agent.py": "write `agent:answer`",
    "agent.py:answer": "write `agent:answer`",
    "bots/agent.py:answer": "write `agent:answer`, in the folder bots",
    "agnet:answer": "there is no module `agnet` in {folder}. Did you mean `agent:answer`?",
    "other.agent:answer": "there is no module `other.agent`",
    "agent:anwser": "`agent` has no `anwser`. Did you mean `agent:answer`?",
    "agent:xyz": "It has: `agent:answer`, `agent:none`, `agent:Agent`.",
    "agent:none": "`agent:none` takes (), and is called with one message",
    "agent:Agent": "`agent:Agent` is a class. A handler is `def answer(message)`",
    "agent:constant": "`agent:constant` is a str. A handler is",
    "needy:answer": "ModuleNotFoundError: No module named 'not_there' (needy.py, line 1)",
    "broken:answer": "ZeroDivisionError: division by zero (broken.py, line 2)",
    "wrong:answer": "SyntaxError: invalid syntax (wrong.py, line 1)",
}


@pytest.mark.slow
def test_a_wrong_agent_is_told_what_to_write(cli):
    """Each way to get `--agent` wrong ends with 2 and one line that says what to write."""
    cli.write("agent.py", AGENT)
    cli.write("needy.py", "import not_there\n")
    cli.write("broken.py", "def broken():\n    1 / 0\nbroken()\n")
    cli.write("wrong.py", "def def\n")
    for agent, wanted in WRONG_AGENTS.items():
        done = cli("chat", "--agent", agent)
        assert done.returncode == 2, agent
        assert wanted.format(folder=cli.folder) in done.stderr, agent
        assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize(("command", "code"), [("schema", 1), ("demo", 0)])
def test_who_stops_reading_is_no_error(cli, command, code):
    """`cobot-session … | head` ends without a traceback; a demonstration has happened unseen."""
    taken, given = os.pipe()
    os.close(taken)
    done = subprocess.run(
        [sys.executable, "-m", "cobot_session.cli", command],
        cwd=cli.folder,
        env=cli.env,
        stdout=given,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(given)
    assert done.stderr == b""
    assert done.returncode == code
