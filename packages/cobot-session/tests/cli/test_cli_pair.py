"""`pair`: people let in from the command line, with and without a session that runs."""

from __future__ import annotations

import json
import re

import pytest

ECHO = """
    def answer(message):
        return message.content
"""


@pytest.fixture
def closed(cli, peer):
    """A cobot.yml whose channel lets nobody in and gives codes; an agent that echoes."""
    cli.configure({"wire": {"port": peer.port, "open": False, "access": {"pairing": True}}})
    cli.write("agent.py", ECHO)


def code_in(text):
    return re.findall(r"approve (\S+)", text)[0]


@pytest.mark.lowest
def test_a_stranger_is_let_in_beside_a_running_session(cli, peer, closed):
    """The stranger gets a code, and is answered as soon as `pair approve` lets them in."""
    cli.start("run", "--agent", "agent:answer")
    peer.says("hello", id="1", sender_id="7", direct=True)
    told = peer.hears()["text"]
    listed = cli("pair", "list").stdout
    assert re.search(r"^wire +7 +waiting", listed, re.MULTILINE)
    approved = cli("pair", "approve", code_in(told))
    assert approved.stdout == (
        "7 may write to the agent through wire. The session that runs knows it within a second.\n"
    )
    for number in range(1000):
        peer.says("again", id=f"a{number}", sender_id="7", direct=True)
        if peer._heard.qsize():
            break
        cli.is_told(lambda status, count=number + 2: status.received + status.dropped >= count)
    assert peer.hears()["text"] == "again"


def test_the_first_owner_is_added_before_any_session_ran(cli, peer, closed):
    """`pair add` needs no spool; the session that starts then knows the owner."""
    added = cli("pair", "add", "wire", "1")
    assert (added.returncode, added.stdout) == (0, "1 may write to the agent through wire.\n")
    assert (cli.workspace / "session.db").stat().st_mode & 0o777 == 0o600
    assert cli.workspace.stat().st_mode & 0o777 == 0o700
    cli.start("run", "--agent", "agent:answer")
    peer.says("hello", sender_id="1")
    assert peer.hears()["text"] == "hello"


def test_who_was_added_can_be_revoked(cli, closed):
    """`pair list` shows who is paired, and `pair revoke` takes it back, once."""
    cli("pair", "add", "wire", "7")
    assert re.search(r"^wire +7 +paired", cli("pair", "list").stdout, re.MULTILINE)
    assert [cli("pair", "revoke", "wire", "7").returncode for _ in range(2)] == [0, 1]


def test_names_and_unknown_channels_are_refused(cli, closed):
    """A name is no id, and a channel has to be one; each says what to write."""
    name = cli("pair", "add", "wire", "@ann")
    assert (name.returncode, "is a name, not an id" in name.stderr) == (2, True)
    channel = cli("pair", "add", "wird", "1")
    assert (channel.returncode, "Did you mean `wire`?" in channel.stderr) == (2, True)
    assert not (cli.workspace / "session.db").exists()


def test_wrong_codes_are_refused(cli, closed):
    """What is no code is a mistake; a code of nobody fails."""
    assert cli("pair", "approve", "hello").returncode == 2
    assert cli("pair", "approve", "7KQX-93MW-TRB2").returncode == 1
    assert cli("pair", "reject", "7KQX-93MW-TRB2").returncode == 1


def test_a_request_can_be_rejected_by_id(cli, peer, closed):
    """`pair reject CHANNEL ID` voids the code."""
    cli.start("run", "--agent", "agent:answer")
    peer.says("hello", sender_id="7", direct=True)
    code = code_in(peer.hears()["text"])
    assert "1 with a pairing code waits to be let in" in cli("doctor").stdout
    assert cli("pair", "reject", "wire", "7").returncode == 0
    assert cli("pair", "approve", code).returncode == 1
    assert json.loads(cli("pair", "list", "--json").stdout)["requests"][0]["state"] == "refused"


def test_doctor_shows_who_was_refused(cli, peer, closed):
    """The last ones by id with what lets them in, never what they wrote or are called."""
    cli.start("run", "--agent", "agent:answer")
    peer.says("SESAME", sender_id="7", sender_name="OWNER")
    cli.is_told(lambda status: status.dropped_by == {"stranger": 1})
    while "gate wire" not in (done := cli("doctor")).stdout:
        pass
    assert "dropped 1 message (stranger) of 7, the last in the chat main" in done.stdout
    assert "`cobot-session pair add wire 7`" in done.stdout
    assert "SESAME" not in done.stdout
    assert "OWNER" not in done.stdout
    assert "dropped: 1 stranger" in cli("status").stdout
    assert cli("pair", "add", "wire", "7").returncode == 0
    assert "(stranger) of 7" not in cli("doctor").stdout


def test_doctor_says_of_the_last_chat_only_that_it_was_the_last(cli, peer, closed):
    """Who was refused in two chats is not told to have written all of it in one."""
    cli.start("run", "--agent", "agent:answer")
    peer.says("hello", sender_id="7", id="1")
    peer.says("hello", sender_id="7", id="2", channel_id="other")
    while "dropped 2 messages" not in (done := cli("doctor")).stdout:
        pass
    assert "dropped 2 messages (stranger) of 7, the last in the chat other " in done.stdout
