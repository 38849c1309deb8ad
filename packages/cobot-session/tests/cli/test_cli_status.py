"""`status`: a session seen from beside, while it runs and after it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from cobot_session.spool import schema

ECHO = """
    def answer(message):
        return message.content
"""


@pytest.fixture
def running(cli, peer):
    """A session that echoes."""
    cli.write("agent.py", ECHO)
    running = cli.start("run", "--agent", "agent:answer")
    running.logs("answers on wire")
    cli.is_told(lambda told: told.state == "online")
    return running


def status(cli):
    return json.loads(cli("status", "--json").stdout)


def channel(told):
    return next(one for one in told["channels"] if one["channel"] == "wire")


def test_status_tells_of_a_running_session(cli, peer, running):
    """`status` shows who runs, how each channel is and what it did."""
    peer.says("hello")
    peer.hears()
    cli.is_told(lambda told: told.sent == 1)
    told = status(cli)
    one = channel(told)
    assert (told["running"], told["pid"], told["fresh"]) == (True, running.pid, True)
    assert (one["state"], one["received"], one["sent"], one["pending"]) == ("online", 1, 1, 0)
    done = cli("status")
    assert done.returncode == 0
    assert done.stdout.startswith(f"A session runs on {cli.workspace} (process {running.pid}).")


def test_status_without_a_session_says_so(cli):
    """Where no session has run, `status` says that and exits with 1."""
    done = cli("status")
    assert done.returncode == 1
    assert done.stdout.startswith("No session has run on ")


def test_status_after_a_crash_does_not_say_online(cli, running):
    """What a killed session said last is not taken for the truth."""
    running.kill()
    done = cli("status")
    assert done.returncode == 1
    assert "No session runs on" in done.stdout
    assert "online" not in done.stdout
    one = channel(status(cli))
    assert (one["state"], one["told_state"]) == ("stopped", "online")


def test_status_says_when_a_session_hangs(cli, running):
    """A session that has told nothing for long is named, and what it said is called stale."""
    os.kill(running.pid, signal.SIGSTOP)
    try:
        look_older(cli.workspace, 3600)
        done = cli("status")
    finally:
        os.kill(running.pid, signal.SIGCONT)
    assert done.returncode == 1
    assert f"(process {running.pid}) told its status last 1 h ago" in done.stdout


def look_older(workspace, seconds):
    """Make what was published look older, and the lock older still."""
    db = sqlite3.connect(workspace / "session.db")
    db.execute("UPDATE published SET at = at - ?", (seconds,))
    db.commit()
    db.close()
    then = time.time() - 2 * seconds
    os.utime(workspace / "session.lock", (then, then))


def test_status_needs_no_secret(cli, running):
    """`status` works from a shell that lacks the session's variables."""
    text = (cli.folder / "cobot.yml").read_text().replace('"port":', '"token": "${GONE}", "port":')
    cli.write("cobot.yml", text)
    assert cli("status").returncode == 0


def test_a_failed_channel_is_told_and_fails_the_status(cli, peer):
    """`status` exits with 1 when a channel has failed, and says why."""
    cli.site.install("cobot-broken", {"broken": "broken_code:X"}, broken_code="import not_there\n")
    cli.start("listen").logs("listening on wire")
    cli.is_told(lambda told: told.state == "online")
    done = cli("status")
    assert done.returncode == 1
    assert "broken: failed: it cannot be imported" in done.stdout


def test_a_wrong_workspace_is_a_mistake(cli):
    """What keeps `status` from finding the workspace is told with its place."""
    cli.write("cobot.yml", "plugins:\n  workspace:\n    path: [1]\n")
    done = cli("status")
    assert done.returncode == 2
    assert "cobot.yml:3:11: plugins.workspace.path:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["status", "channels", "doctor", "dead"])
def test_a_spool_of_an_older_version_is_brought_up_to_date(cli, command):
    """After an upgrade no command has to wait for a session to start."""
    cli.configure({})
    cli.workspace.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(cli.workspace / "session.db")) as db:
        db.executescript(f"{schema.MIGRATIONS[0]}; PRAGMA user_version = 1;")
    done = cli(*([command, "list"] if command == "dead" else [command]))
    assert "an older cobot-session" not in done.stdout + done.stderr
    with closing(sqlite3.connect(cli.workspace / "session.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
