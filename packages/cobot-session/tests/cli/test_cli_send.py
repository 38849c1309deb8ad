"""`send`: one message, and what became of it."""

from __future__ import annotations

import json

import pytest

from cobot_session import OutgoingMessage, Receipt
from cobot_session.spool.beside import Beside

PATIENT = ("--timeout", "50")
"""For what is told of a delivery: after the usual ten seconds, it would be queued."""


@pytest.mark.lowest
def test_what_arrived_is_told_with_0(cli, peer):
    """A delivered message ends with 0 and its receipt."""
    done = cli("send", "wire", "main", "hello", *PATIENT)
    assert done.returncode == 0
    assert "sent as w1" in done.stdout
    assert peer.hears() == {"chat": "main", "text": "hello"}


def test_without_a_chat_it_goes_to_the_default_one(cli, peer):
    """CHAT may be left out."""
    assert cli("send", "wire", "hello").returncode == 0
    assert peer.hears()["chat"] == "main"


def test_a_dash_is_standard_input(cli, peer):
    """The text `-` is read from standard input."""
    assert cli("send", "wire", "-", stdin="line one\nline two\n").returncode == 0
    assert peer.hears()["text"] == "line one\nline two"


@pytest.mark.parametrize(
    "words", [["-1001234/7", "hello"], ["--", "-1001234/7", "--hello"]], ids=["number", "text"]
)
def test_a_chat_may_begin_with_a_dash(cli, peer, words):
    """Ids of groups are no options; after `--` nothing is."""
    assert cli("send", "wire", *words).returncode == 0
    assert peer.hears() == {"chat": "-1001234/7", "text": words[-1]}


def test_the_receipt_is_for_programs_too(cli, peer):
    """`--json` prints the receipt."""
    receipt = json.loads(cli("send", "wire", "hello", "--json", *PATIENT).stdout)
    assert (receipt["status"], receipt["message_ids"]) == ("sent", ["w1"])
    assert receipt.keys() == {"id", "status", "message_ids", "error", "attempts", "detail"}


def test_what_was_refused_is_told_with_1(cli, peer):
    """A refused message ends with 1 and the platform's words."""
    done = cli("send", "wire", "refuse", *PATIENT)
    assert done.returncode == 1
    assert "failed" in done.stdout
    assert "refused by the wire" in done.stdout


def test_what_waits_is_told_with_0(cli, peer):
    """A message that is stored and not delivered yet is queued; the next session sends it."""
    cli.configure({"wire": {"port": 9}})
    done = cli("send", "wire", "main", "hello", "--timeout", "0.5", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "queued"
    cli.configure({"wire": {"port": peer.port}})
    cli.start("listen")
    assert peer.hears()["text"] == "hello"


def test_what_arrives_meanwhile_is_kept_for_the_agent(cli, peer):
    """`send` takes nothing out of the inbox."""
    cli.start("listen").logs("listening on wire")
    cli.end()
    store(cli)
    assert cli("send", "wire", "hello").returncode == 0
    assert Beside(cli.workspace / "session.db").counts()["wire"].pending == 1
    listening = cli.start("listen")
    assert json.loads(listening.prints())["content"] == "for the agent"


def store(cli):
    """Put a message into the inbox."""
    from datetime import UTC, datetime

    from cobot_session import IncomingMessage
    from cobot_session.spool import SqliteSpool

    spool = SqliteSpool(cli.workspace / "session.db")
    spool.load().result()
    now = datetime.now(UTC)
    message = IncomingMessage("m1", "wire", "main", "1", "Ann", "for the agent", now, key="m1")
    spool.store("wire", [message], {}).result()
    spool.close()


MISTAKES = {
    ("wier", "hello"): "there is no channel `wier`. Did you mean `wire`?",
    ("zzz", "hello"): "There are: console, ",
    ("wire", "main", "two", "words"): 'put the text in quotes: "two words"',
    ("wire", "--jsn", "hello"): "there is no option --jsn",
    ("wire", "main", ""): "there is no text to send",
}


def test_mistakes_are_told(cli, peer):
    """What cannot be meant ends with 2 and one line."""
    for words, wanted in MISTAKES.items():
        done = cli("send", *words)
        assert done.returncode == 2, words
        assert wanted in done.stderr, words
        assert len(done.stderr.splitlines()) == 1


def test_another_channels_mistakes_do_not_matter(cli, peer):
    """Only the channel itself has to be in order."""
    cli.configure({"wire": {"port": peer.port}, "telegram": {"nonsense": 1}})
    assert cli("send", "wire", "hello").returncode == 0


def test_what_the_channel_depends_on_runs_with_it(cli, peer):
    """A plugin that the channel depends on is started, too."""
    cli.site.install("cobot-base", {"base": "base:Base"}, base=BASE)
    code = (cli.site.folder / "wire.py").read_text()
    code = code.replace('PluginMeta("wire", "1.0")', 'PluginMeta("wire", "1.0", ["base"])')
    (cli.site.folder / "wire.py").write_text(code)
    assert cli("send", "wire", "hello").returncode == 0


BASE = """
    from cobot_session import Plugin, PluginMeta

    class Base(Plugin):
        meta = PluginMeta("base", "1.0")

        def session_on_send(self, message, receipt):
            pass
"""


@pytest.fixture
def listening(cli, peer):
    """A session that runs."""
    listening = cli.start("listen")
    peer.says("hello")
    listening.prints()
    return listening


def test_a_session_that_runs_sends_it(cli, peer, listening):
    """Beside a session, that one sends the message, and its receipt is told."""
    done = cli("send", "wire", "main", "from beside", *PATIENT)
    assert done.returncode == 0
    assert "sent as w1" in done.stdout
    assert peer.hears() == {"chat": "main", "text": "from beside"}


def test_what_a_session_that_runs_cannot_send_is_told(cli, peer, listening):
    """What it was refused, and what it has no channel for, ends with 1; a chat has to be named."""
    refused = cli("send", "wire", "main", "refuse", *PATIENT)
    assert refused.returncode == 1
    assert "refused by the wire" in refused.stdout
    absent = cli("send", "wier", "main", "hello")
    assert absent.returncode == 1
    assert f"(process {listening.pid}) has no channel `wier`; it has: " in absent.stderr
    nowhere = cli("send", "wire", "hello")
    assert nowhere.returncode == 2
    assert "name the chat, as in `send wire CHAT TEXT`" in nowhere.stderr


BARRED = "`plugins.wire.access.send_to` does not list the chat 'main'"


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside"])
def test_a_chat_that_is_barred_is_refused_and_leaves_nothing(cli, peer, beside):
    """As from the agent: the reason and the fix are told with 1, and there is no dead letter."""
    cli.configure({"wire": {"port": peer.port, "access": {"send_to": ["other"]}}})
    if beside:
        listening = cli.start("listen")
        peer.says("hello")
        listening.prints()
    done = cli("send", "wire", "main", "secret", "--json", *PATIENT)
    receipt = json.loads(done.stdout)
    assert (done.returncode, receipt["status"], receipt["attempts"]) == (1, "failed", 0)
    assert BARRED in receipt["error"]
    spool = Beside(cli.workspace / "session.db")
    assert spool.dead_letters() == []
    assert {name: (one.pending, one.dead) for name, one in spool.counts().items()} in (
        {},
        {"wire": (1, 0)},  # what the agent has in hand
    )


def test_what_a_session_that_died_did_not_take_waits_for_the_next(cli, peer, listening):
    """A message that was left for a session is sent by the next one, if need be."""
    listening.kill()
    spool = Beside(cli.workspace / "session.db")
    spool.post(OutgoingMessage("wire", "main", "later", id="left"))
    assert spool.receipt("left") == Receipt("left", "queued")
    cli.start("listen")
    assert peer.hears()["text"] == "later"
