"""`status`: a session seen from beside, while it runs and after it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from cobot_session import OutgoingMessage
from cobot_session.spool import schema
from cobot_session.spool.beside import Beside

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


@pytest.mark.lowest
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
    assert "wire" in done.stdout
    assert "console" not in done.stdout  # it is there, and `run` does not use it


HEALTH = """
    async def session_health(self):
        from cobot_session import Health

        ok, _, detail = open("health").read().partition(": ")
        return Health(ok == "well", detail)
"""


def test_status_tells_what_a_channel_says_of_its_health(cli, peer):
    """The channel's own words stand below the table while a session runs, and once."""
    with (cli.site.folder / "wire.py").open("a") as wire:
        wire.write(HEALTH)
    cli.write("health", "well: 1 of 1 relays, 2 unusable events")
    listening = cli.start("listen")
    cli.is_told(lambda told: told.detail.startswith("1 of 1"))
    assert "\nwire: health: 1 of 1 relays, 2 unusable events\n" in cli("status").stdout
    cli.write("health", "ill: 0 of 1 relays")
    cli.is_told(lambda told: told.detail == told.last_error == "0 of 1 relays")
    told = cli("status").stdout
    assert "\nwire: reconnecting: 0 of 1 relays\n" in told
    assert told.count("0 of 1 relays") == 1
    cli.write("health", "well: 1 of 1 relays")
    cli.is_told(lambda told: told.detail == "1 of 1 relays")
    listening.kill()
    assert "1 of 1 relays" not in cli("status").stdout


def test_status_tells_who_is_not_written_to_for_how_long(cli, peer, running):
    """Chats that a rate limit holds up, and then all of them; also when the session has ended."""
    for chat in "ab":
        peer.says("too fast", id=chat, channel_id=chat)
    wait_for_pause(cli, lambda pause: pause.chats == 2)
    told = cli("status").stdout
    assert "wire: paused: 2 chats are not written to for up to 2 h: RateLimited: " in told
    doctor = " ".join(cli("doctor").stdout.split())
    assert "channel wire paused: 2 chats are not written to for up to 2 h" in doctor
    peer.says("too fast, all of you", id="c", channel_id="c")
    wait_for_pause(cli, lambda pause: pause.whole_channel)
    running.kill()
    told = channel(status(cli))["pause"]
    assert (told["chats"], told["whole_channel"]) == (3, True)
    assert datetime.fromisoformat(told["until"]) > datetime.now(UTC)
    assert "wire: paused: no chat is written to for 2 h: RateLimited: " in cli("status").stdout


def wait_for_pause(cli, is_so):
    """Wait until the spool tells that; a test's time limit is the bound."""
    spool = Beside(cli.workspace / "session.db")
    while not ((one := spool.counts().get("wire")) and one.pause and is_so(one.pause)):
        time.sleep(0.02)


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


def test_what_was_handed_over_and_not_taken_up_is_pending(cli, running):
    """A message that `send` left for a session that died waits for the next, and is counted."""
    running.kill()
    spool = Beside(cli.workspace / "session.db")
    before = channel(status(cli))["pending"]
    spool.post(OutgoingMessage("wire", "main", "later", id="left"))
    with closing(sqlite3.connect(spool.path)) as db:
        db.execute("INSERT INTO posted (id, body) VALUES ('odd', 'no message')")
        db.commit()
    assert channel(status(cli))["pending"] == before + 1


def test_status_says_when_a_session_hangs(cli, running):
    """A session that has told nothing for long is named, and what it said is called stale."""
    while not stopped_looking_older(running.pid, cli.workspace, 3600):
        pass
    try:
        done = cli("status")
    finally:
        os.kill(running.pid, signal.SIGCONT)
    assert done.returncode == 1
    assert f"(process {running.pid}) told its status last 1 h ago" in done.stdout


def test_status_knows_a_running_session_after_the_clock_was_set_back(cli, running):
    """Whose word it is goes by the process, and not by a lock that seems to be younger."""
    later = time.time() + 7200
    os.utime(cli.workspace / "session.lock", (later, later))
    told = status(cli)
    assert (told["fresh"], channel(told)["state"]) == (True, "online")


def stopped_looking_older(pid, workspace, seconds):
    """Stop the session, and make what it published look older.

    Returns:
        False, and it goes on, when it stopped in the middle of writing: nobody else can write then.
    """
    os.kill(pid, signal.SIGSTOP)
    with closing(sqlite3.connect(workspace / "session.db", timeout=0)) as db:
        try:
            db.execute("UPDATE published SET at = at - ?", (seconds,))
            db.commit()
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            return False
    return True


def test_status_needs_no_secret(cli, running):
    """`status` works from a shell that lacks the session's variables."""
    text = (cli.folder / "cobot.yml").read_text().replace('"port":', '"token": "${GONE}", "port":')
    cli.write("cobot.yml", text)
    assert cli("status").returncode == 0


def test_doctor_repeats_what_a_running_session_says(cli, peer, running):
    """A token that the platform refuses is no secret of `status`: `doctor` fails, and says why."""
    assert cli("doctor").returncode == 0
    peer.says("revoked")
    cli.is_told(lambda told: told.state == "failed")
    done = cli("doctor")
    assert done.returncode == 1
    assert re.search(r"channel wire\s+failed for \d+ s: the token is refused", done.stdout)


def test_a_failed_channel_is_told_and_fails_the_status(cli, peer):
    """`status` exits with 1 when a channel has failed, and says why."""
    cli.site.install("cobot-broken", {"broken": "broken_code:X"}, broken_code="import not_there\n")
    cli.start("listen").logs("listening on wire")
    cli.is_told(lambda told: told.state == "online")
    done = cli("status")
    assert done.returncode == 1
    assert "broken: failed: it cannot be imported" in done.stdout


def test_a_channel_that_reconnects_fails_no_status(cli, peer):
    """It mends itself: `status` exits with 0 meanwhile, and its help says so."""
    cli.configure({"wire": {"port": 9}})
    cli.start("listen")
    cli.is_told(lambda told: told.state == "reconnecting")
    assert cli("status").returncode == 0
    told = " ".join(cli("status", "--help").stdout.split())
    assert "a channel that is reconnecting mends itself" in told


def test_a_wrong_workspace_is_a_mistake(cli):
    """What keeps `status` from finding the workspace is told with its place."""
    cli.write("cobot.yml", "plugins:\n  workspace:\n    path: [1]\n")
    done = cli("status")
    assert done.returncode == 2
    assert "cobot.yml:3:11: plugins.workspace.path:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("- a\n", "cobot.yml:1:1: cobot.yml: should be a mapping"),
        ("plugins: [a]\n", "cobot.yml:1:10: plugins: should be a mapping"),
        ("plugin:\n  workspace: {path: here}\n", "Did you mean `plugins`?"),
    ],
)
@pytest.mark.parametrize("command", ["status", "channels", "dead list", "pair list"])
def test_a_file_that_tells_no_workspace_is_a_mistake(cli, command, text, mistake):
    """Nobody is shown the usual place when the file that names another cannot be understood."""
    cli.write("cobot.yml", text)
    done = cli(*command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert mistake in done.stderr


def test_a_mistake_elsewhere_hides_no_status(cli):
    """What is wrong with a channel, also with one that is called almost so, is for `doctor`."""
    cli.configure({"workspace2": {"poll_interval": "often"}, "wire": [1]})
    assert cli("status").stdout == f"No session has run on {cli.workspace}.\n"


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
