"""`dead`: messages that were given up."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from datetime import UTC, datetime

import pytest

from cobot_session import IncomingMessage, OutgoingMessage
from cobot_session.spool import SqliteSpool
from cobot_session.spool.beside import Beside
from cobot_session.spool.records import Item

ECHO = """
    def answer(message):
        return message.content
"""
RECEIVED, SENT = "in-1", "out-abc"


@pytest.fixture
def letters(cli, peer):
    """One message that was received and one to be sent, both given up."""
    cli.workspace.mkdir(mode=0o700)
    spool = SqliteSpool(cli.workspace / "session.db")
    spool.load().result()
    message = IncomingMessage(
        "m1", "wire", "main", "7", "Mallory", "look \x1b[2J\x07 here", datetime.now(UTC), key="m1"
    )
    (entry,) = spool.store("wire", [message], {}).result()
    spool.bury_entry(entry, "handed out 5 times").result()
    item = Item("send", OutgoingMessage("wire", "main", "please", id="abc"), time.time())
    spool.enqueue(item).result()
    item.attempts, item.error = 3, "nobody answered"
    spool.finish(item, item.receipt("unknown"), dead="the outcome is not known").result()
    spool.close()


def left(cli):
    """Return the ids of the dead letters there are."""
    return [one.id for one in Beside(cli.workspace / "session.db").dead_letters()]


@pytest.mark.lowest
def test_the_list_says_what_was_given_up_and_why(cli, letters):
    """`dead list` shows each with its way, its text and the reason."""
    done = cli("dead", "list")
    assert done.returncode == 0
    assert re.search(
        r"^out-abc  to wire main, \d+ s ago, tried 3 times$", done.stdout, re.MULTILINE
    )
    assert "    it may have arrived: the outcome is not known\n    “please”\n" in done.stdout
    assert "2 dead letters. No session has run on" in done.stdout


def test_the_list_is_for_programs_too(cli, letters):
    """`--json` has the same under stable keys."""
    received, sent = json.loads(cli("dead", "list", "--json").stdout)
    assert (received["id"], received["direction"], sent["id"]) == (RECEIVED, "in", SENT)
    keys = "id direction channel_type channel_id reason attempts at content status"
    assert (received["status"], sent["status"]) == (None, "unknown")
    assert list(sent) == keys.split()
    datetime.fromisoformat(sent["at"])


def test_a_strangers_text_cannot_move_the_terminal(cli, letters):
    """Control characters are shown, not obeyed."""
    for done in (cli("dead", "list"), cli("dead", "show", RECEIVED)):
        assert "\x1b" not in done.stdout
        assert "look �[2J� here" in done.stdout


def test_show_has_everything(cli, letters):
    """`dead show` has the whole message and how far it came."""
    shown = json.loads(cli("dead", "show", SENT, "--json").stdout)
    assert shown["message"]["content"] == "please"
    assert (shown["op"], shown["error"], shown["attempts"]) == ("send", "nobody answered", 3)
    text = cli("dead", "show", RECEIVED).stdout
    assert "sender:        Mallory 7\n" in text


def test_a_dropped_letter_is_gone(cli, letters):
    """`dead drop` forgets; what is not there is said, and exits with 1."""
    assert cli("dead", "drop", SENT).returncode == 0
    assert left(cli) == [RECEIVED]
    again = cli("dead", "drop", SENT, RECEIVED)
    assert again.returncode == 1
    assert f"there is no dead letter '{SENT}'" in again.stderr
    assert left(cli) == []


def test_dropping_all_has_to_be_meant(cli, letters):
    """`--all` forgets nothing unless `--yes` says so, where nobody can be asked."""
    assert cli("dead", "drop", "--all").returncode == 2
    assert cli("dead", "drop", "--all", "--channel", "other", "--yes").returncode == 0
    assert len(left(cli)) == 2
    assert cli("dead", "drop", "--all", "--yes").returncode == 0
    assert left(cli) == []


def test_replay_needs_to_know_what(cli, letters):
    """Neither ids nor `--all` is a mistake, with what to write."""
    done = cli("dead", "replay")
    assert done.returncode == 2
    assert "write `--all`" in done.stderr
    assert len(left(cli)) == 2


def test_a_replayed_letter_waits_for_the_next_session(cli, letters, peer):
    """Without a session, `dead replay` says that the letter waits, and the next one takes it up."""
    done = cli("dead", "replay", SENT)
    assert f"{SENT} will be tried again" in done.stdout
    assert "They are taken up when a session starts." in done.stdout
    cli.write("agent.py", ECHO)
    cli.start("run", "--agent", "agent:answer")
    assert peer.hears()["text"] == "please"


def test_a_running_session_takes_a_replayed_letter_up(cli, letters, peer):
    """`dead` works beside a session: it says which process runs, and that one tries again."""
    cli.write("agent.py", ECHO)
    running = cli.start("run", "--agent", "agent:answer")
    cli.is_told(lambda told: told.state == "online")
    listed = cli("dead", "list")
    assert f"A session runs on {cli.workspace} (process {running.pid})." in listed.stdout
    assert "They are taken up within a second." in cli("dead", "replay", *left(cli)).stdout
    assert {peer.hears()["text"], peer.hears()["text"]} == {"please", "look \x1b[2J\x07 here"}
    assert left(cli) == []


def test_all_leaves_out_what_may_have_arrived(cli, letters):
    """`dead replay --all` doubles nothing: what may have arrived is named, and stays."""
    done = cli("dead", "replay", "--all")
    assert done.returncode == 0
    assert f"{RECEIVED} will be tried again" in done.stdout
    assert (
        f"Left out, since they may have arrived, and would then arrive twice: {SENT}."
        in " ".join(done.stdout.split())
    )
    assert left(cli) == [SENT]


def test_no_dead_letters(cli):
    """An empty list is said to be one."""
    assert cli("dead", "list").stdout.startswith("No dead letters. No session has run on ")
    assert cli("dead", "show", "out-1").returncode == 1


def test_a_spool_of_a_newer_version_is_refused_in_one_line(cli):
    """A file that a newer version wrote is left alone, and the line says what to do."""
    cli.configure({})
    cli.workspace.mkdir()
    db = sqlite3.connect(cli.workspace / "session.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    done = cli("dead", "list")
    assert done.returncode == 1
    assert "has schema version 99" in done.stderr
    assert len(done.stderr.splitlines()) == 1
