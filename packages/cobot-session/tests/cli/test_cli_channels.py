"""`channels`: what is installed and configured, and how it fares."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cobot_session import OutgoingMessage
from cobot_session.spool import SqliteSpool
from cobot_session.spool.records import Item

QUIET = """
    from cobot_session import Plugin, PluginMeta

    class Quiet(Plugin):
        meta = PluginMeta("quiet", "1.0")

        def session_send(self, message):
            return True
"""


def states(done):
    """Return plugin -> state of the listing."""
    return {line["channel"]: line["state"] for line in json.loads(done.stdout)}


def test_a_hundred_plugins_are_listed_and_none_is_imported(cli):
    """`channels` imports nothing that is installed, however much it is."""
    for number in range(100):
        name = f"chan{number}"
        cli.site.install(f"cobot-{name}", {name: f"imported_{name}:Channel"})
        cli.site.folder.joinpath(f"imported_{name}.py").write_text("raise SystemExit('imported')\n")
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cobot_session.cli", "channels"],
        cwd=cli.folder,
        env=cli.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = [line.split()[:2] for line in listed.stdout.splitlines() if line.startswith("chan")]
    assert [state for _, state in found] == ["installed"] * 100
    assert "cobot_session.registry" in listed.stderr
    assert "imported_" not in listed.stderr


def test_each_plugin_has_its_distribution_and_version(cli, peer):
    """The table names what brought a plugin, and in which version."""
    (line,) = [line for line in cli("channels").stdout.splitlines() if line.startswith("wire")]
    assert line.split() == ["wire", "installed", "cobot-wire", "2.5"]


def test_session_and_workspace_are_listed_like_the_others(cli):
    """The built-in plugins are in the list, too."""
    assert list(states(cli("channels", "--json")))[:2] == ["session", "workspace"]


def test_what_can_be_told_without_an_import_is_told(cli, peer):
    """Disabled, not installed and doubly claimed plugins are known without an import."""
    cli.site.install("cobot-one", {"twice": "one:X"})
    cli.site.install("cobot-two", {"twice": "two:X"})
    cli.configure({"wire": {"enabled": False}, "absent": {}})
    done = cli("channels")
    assert done.returncode == 0
    assert "its name is claimed twice: by cobot-one 1.0 and cobot-two 1.0" in done.stdout
    assert "no plugin named `absent` is installed. Install it" in done.stdout
    found = states(cli("channels", "--json"))
    assert (found["twice"], found["absent"], found["wire"]) == ("failed", "failed", "disabled")


def test_a_block_with_use_is_listed_under_its_own_name(cli, peer):
    """Two channels of one kind are two lines; the plugin's own name is no third."""
    cli.configure({name: {"use": "wire", "port": peer.port} for name in ("work", "home")})
    found = states(cli("channels", "--json"))
    assert found.keys() >= {"session", "workspace", "console", "work", "home"}
    assert "wire" not in found


@pytest.mark.lowest
def test_check_tells_healthy_unconfigured_and_broken(cli, peer):
    """`--check` imports each plugin and says what is wrong with it and what to do."""
    cli.site.install("cobot-broken", {"broken": "broken_code:X"}, broken_code="import not_there\n")
    cli.site.install("cobot-quiet", {"quiet": "quiet:Quiet"}, quiet=QUIET)
    cli.write("cobot.yml", "plugins: {}\n")
    done = cli("channels", "--check")
    assert done.returncode == 1
    assert "wire: it needs `port`. Write in cobot.yml" in done.stdout
    assert "broken: it cannot be imported: ModuleNotFoundError" in done.stdout
    found = states(cli("channels", "--check", "--json"))
    assert (found["quiet"], found["wire"], found["broken"]) == ("ready", "unconfigured", "failed")


def test_check_exits_with_0_when_nothing_has_failed(cli, peer):
    """A plugin without settings is no failure."""
    cli.write("cobot.yml", "plugins: {}\n")
    assert cli("channels", "--check").returncode == 0


def test_check_tells_mistakes_in_cobot_yml_with_their_places(cli, peer):
    """Mistakes come where all the rest is told, with file, line, column and the whole field."""
    cli.write("cobot.yml", "plugins:\n  wire:\n    prt: 1\n    opn: 2\n  wire: {}\n")
    done = cli("channels", "--check")
    assert done.returncode == 2
    assert done.stderr == ""
    told = [line for line in done.stdout.splitlines() if line.startswith("wire: ")]
    assert len(told) == 3
    assert "cobot.yml:5:3: plugins.wire: `wire` is written twice. Fix: Keep one" in told[-1]
    cli.write("cobot.yml", "plugins:\n  wire:\n    prt: 1\n")
    done = cli("channels", "--check")
    assert "cobot.yml:3:5: plugins.wire.prt: `prt` is not a known key. Fix: " in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.endswith("?.")]
    (wire,) = [
        line
        for line in json.loads(cli("channels", "--check", "--json").stdout)
        if line["channel"] == "wire"
    ]
    assert (wire["state"], wire["remedy"]) == ("failed", "")
    assert "plugins.wire.prt: `prt` is not a known key. Fix: " in wire["reason"]


def test_a_mistake_outside_all_blocks_is_told_with_the_others(cli, peer):
    """What stands beside `plugins` is nobody's, and is told all the same."""
    cli.write("cobot.yml", "plugin: {}\nplugins:\n  wire:\n    prt: 1\n")
    done = cli("channels", "--check")
    assert done.returncode == 2
    assert done.stderr == ""
    assert "cobot.yml:1:1: plugin: " in done.stdout
    assert "plugins.wire.prt: " in done.stdout


def test_a_variable_that_is_not_set_here_hides_no_channel(cli, peer):
    """The list is there though a secret is set for the session's own process only."""
    cli.write("cobot.yml", "plugins:\n  wire: {port: 1, token: '${ONLY_THERE}'}\n")
    done = cli("channels")
    assert done.returncode == 0
    assert "wire " in done.stdout
    assert "cobot.yml has mistakes; `cobot-session doctor` tells them" in done.stdout


def test_a_session_that_runs_is_asked(cli, peer):
    """Where a session runs, its word on each channel is shown, and which process it is."""
    listening = cli.start("listen")
    peer.says("hello")
    listening.prints()
    cli.is_told(lambda told: told.state == "online")
    done = cli("channels")
    assert "wire       online" in done.stdout
    assert f"A session runs on {cli.workspace} (process {listening.pid})." in done.stdout


def test_what_a_session_said_last_is_no_state_of_today(cli, peer):
    """After a crash the last words are shown as such, and not as the state."""
    listening = cli.start("listen")
    peer.says("hello")
    listening.prints()
    cli.is_told(lambda told: told.state == "online")
    listening.kill()
    done = cli("channels")
    assert "wire       installed" in done.stdout
    assert f"No session runs on {cli.workspace}; the last one was alive" in done.stdout
    assert "wire said last that it was online" in done.stdout
    told = {
        line["channel"]: line["session"] for line in json.loads(cli("channels", "--json").stdout)
    }
    assert told["wire"]["state"] == "online"
    assert told["wire"]["fresh"] is False


@pytest.mark.parametrize("command", ["channels", "doctor", "status"])
@pytest.mark.lowest
def test_tables_fit_a_terminal_of_80_columns(cli, peer, command):
    """No line is longer than the terminal, and no word is cut."""
    cli.site.install("cobot-broken", {"broken": "broken_code:X"}, broken_code="import not_there\n")
    cli.configure({"wire": {"prt": 1}, "a-channel-with-a-long-name-of-its-own": {"use": "absent"}})
    store(cli)
    seat = cli.sit_down(command)
    seat.ends()
    words = {word for line in seat.lines for word in line.split()}
    assert not [word for word in words if word.endswith("…")]
    assert max(map(len, seat.lines)) <= 80


def test_what_is_piped_has_no_colours(cli, peer):
    """In a pipe there are words only, and a line is never broken."""
    cli.site.install("cobot-broken", {"broken": "broken_code:X"}, broken_code="import not_there\n")
    for command in (["channels", "--check"], ["doctor"]):
        done = cli(*command, env={"TERM": "xterm-256color"})
        assert "\x1b" not in done.stdout
        assert any(
            "it cannot be imported" in line and line.endswith("--force-reinstall cobot-broken`.")
            for line in done.stdout.splitlines()
        )


def store(cli):
    """Leave something to count in the spool."""
    cli.workspace.mkdir()
    spool = SqliteSpool(cli.workspace / "session.db")
    spool.load().result()
    item = Item("send", OutgoingMessage("wire", "main", "hello", id="abc"), 0.0)
    spool.enqueue(item).result()
    spool.close()
