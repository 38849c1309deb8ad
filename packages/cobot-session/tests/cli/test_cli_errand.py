"""`send` without a session starts one for a moment: what others do who need the workspace then."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing, contextmanager

import pytest

from cobot_session import OutgoingMessage
from cobot_session.cli import start, way
from cobot_session.cli.errand import on_errand
from cobot_session.cli.outcome import UsageMistake
from cobot_session.config import load_config
from cobot_session.engine import LOCK_FILE, SPOOL_FILE
from cobot_session.errors import SpoolBusy
from cobot_session.spool import SqliteSpool
from cobot_session.spool.beside import Beside
from cobot_session.spool.lock import ProcessLock

PATIENT = ("--timeout", "50")


def held_up(cli, name, *words):
    """Start a `send` that has seen no session run, and stands still before it starts its own.

    Returns:
        it, and what to close to let it go on.
    """
    os.mkfifo(cli.folder / name)
    cli.env["GATE"] = name
    sending = cli.start("send", *words, *PATIENT)
    return sending, (cli.folder / name).open("w")  # which waits for its reader


@pytest.fixture
def gated(cli, peer):
    """The channel `wire`, with code that takes as long to import as a test wants."""
    with (cli.site.folder / "wire.py").open("a") as wire:
        wire.write("import os\nif 'GATE' in os.environ:\n    open(os.environ['GATE']).read()\n")


@pytest.mark.usefixtures("gated")
def test_a_send_that_finds_another_at_it_hands_its_message_over(cli, peer):
    """Two that begin at once: the second lets the first one's session send, and tells so with 0."""
    _, first_goes = held_up(cli, "first", "wire", "main", "no end")
    second, second_goes = held_up(cli, "second", "wire", "other", "hello", "--json")
    first_goes.close()
    assert peer.hears()["text"] == "no end"
    second_goes.close()
    assert second.ends() == 0, second.rest_of_log()
    assert peer.hears() == {"chat": "other", "text": "hello"}


def test_many_sends_at_once_all_arrive_once(cli, peer):
    """However they meet, each message goes out, and none twice."""
    texts = {f"text {number}" for number in range(4)}
    sending = [cli.start("send", "wire", "main", text, *PATIENT) for text in texts]
    for one in sending:
        assert one.ends() == 0, one.rest_of_log()
    assert {peer.hears()["text"] for _ in texts} == texts
    assert cli("send", "wire", "main", "the last", *PATIENT).returncode == 0
    assert peer.hears()["text"] == "the last"


def test_what_a_send_left_to_another_that_ends_goes_out(cli, peer):
    """A message whose taker ends before its turn is sent by the one that handed it over."""
    first = cli.start("send", "wire", "main", "no end", *PATIENT)
    peer.hears()
    second = cli.start("send", "wire", "main", "hello", "--json", *PATIENT)
    spool = Beside(cli.workspace / SPOOL_FILE)
    while spool.counts()["wire"].pending < 2:
        time.sleep(0.02)
    first.kill()
    assert peer.hears() == {"chat": "main", "text": "hello"}
    assert second.ends() == 0, second.rest_of_log()
    told = json.loads("".join(iter_lines(second)))
    assert (told["status"], told["message_ids"]) == ("sent", ["w1"])


def iter_lines(running):
    """Yield what a command has printed, up to the end of its JSON."""
    line = ""
    while line != "}\n":
        yield (line := running.prints())


def test_a_service_waits_for_a_send_to_end(cli, peer):
    """`listen` says once whom it waits for, and starts when that one has ended."""
    sending = cli.start("send", "wire", "main", "no end", *PATIENT)
    peer.hears()
    listening = cli.start("listen")
    listening.logs(f"waiting for `send` (process {sending.pid})")
    sending.kill()
    listening.logs("listening on wire")
    assert listening.said.count("waiting for") == 1


@contextmanager
def errand_that_stays(folder):
    """Be a `send` that has the workspace and does not end."""
    with on_errand(folder), closing(SqliteSpool(folder / SPOOL_FILE)):
        lock = ProcessLock(folder / LOCK_FILE)
        try:
            yield
        finally:
            lock.release()


def test_a_service_gives_up_on_a_send_that_does_not_end(tmp_path, monkeypatch):
    """The wait has an end, with the words that name the process."""
    monkeypatch.setattr(start, "_ERRAND_SECONDS", 0.3)
    config = load_config({"plugins": {"workspace": {"path": str(tmp_path)}}})
    with (
        errand_that_stays(tmp_path),
        pytest.raises(SpoolBusy, match=f"process {os.getpid()}"),
        start.serving(config),
    ):
        pass


def test_a_message_whose_turn_does_not_come_is_stored(tmp_path, monkeypatch):
    """A `send` of another channel that does not end: it waits for the next session, told truly."""
    monkeypatch.setattr(way, "_PATIENCE", 0.3)
    config = load_config({"plugins": {"workspace": {"path": str(tmp_path)}}})
    with errand_that_stays(tmp_path):
        receipt = way.deliver(OutgoingMessage("console", "main", "hello"), config, 0.3)
        with pytest.raises(UsageMistake, match="name the chat"):
            way.deliver(OutgoingMessage("console", "", "hello"), config, 0.3)
    assert receipt.status == "queued"
    spool = Beside(tmp_path / SPOOL_FILE)
    assert spool.receipt(receipt.id) == receipt
    assert spool.counts()["console"].pending == 1
