"""`run` and `listen`, with a peer on a socket and signals as a person sends them."""

from __future__ import annotations

import json
import os
import signal

import pytest

TICK = 0.05
AGENT = f"""
    import os, signal, threading, time
    from cobot_session import IncomingMessage

    def answer(message: IncomingMessage) -> str:
        return f"you said {{message.content}}"

    async def answer_too(message):
        return f"I heard {{message.content}}"

    def stuck(message):
        ticks = open("ticks", "wb", buffering=0)
        ticks.write(b".")
        threading.Thread(target=tick, args=(ticks,), daemon=True).start()
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait()

    def tick(ticks):
        while True:
            time.sleep({TICK})
            ticks.write(b".")

    class Agent:
        pass

    def none():
        return ""

    constant = "hello"
"""


@pytest.mark.lowest
def test_run_answers_with_a_plain_function(cli, peer):
    """`run --agent module:handler` answers from the current folder's module."""
    cli.write("agent.py", AGENT)
    cli.start("run", "--agent", "agent:answer")
    peer.says("hello")
    assert peer.hears() == {"chat": "main", "text": "you said hello"}


def test_run_answers_with_an_async_function(cli, peer):
    """A handler may be `async def`."""
    cli.write("agent.py", AGENT)
    cli.start("run", "--agent", "agent:answer_too")
    peer.says("hello")
    assert peer.hears()["text"] == "I heard hello"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_run_tells_its_end(cli, peer, how):
    """The last line says what was done, and that the session has ended."""
    cli.write("agent.py", AGENT)
    running = cli.start("run", "--agent", "agent:answer")
    peer.says("hello")
    peer.hears()
    cli.is_told(lambda told: told.sent == 1)
    running.interrupt(how)
    assert running.rest_of_log().splitlines()[-1].endswith("info ended: 1 received, 1 sent")


def test_ctrl_c_ends_run_with_130(cli, peer):
    """Ctrl-C ends `run` with 130 and without a traceback, and waits for no send that hangs."""
    cli.write("agent.py", AGENT)
    cli.configure({"session": {"drain": 3600}, "wire": {"port": peer.port}})
    running = cli.start("run", "--agent", "agent:answer")
    peer.says("no end")
    peer.hears()
    assert running.interrupt() == 130
    assert "Traceback" not in running.rest_of_log()


def test_ctrl_c_ends_run_within_two_seconds_though_the_agent_hangs(cli, peer):
    """Also when the agent does not come back; the time is counted by ticks of the process itself.

    A machine that stands still makes no ticks, and so takes none of the two seconds.
    """
    cli.write("agent.py", AGENT)
    running = cli.start("run", "--agent", "agent:stuck")
    peer.says("hello")
    assert running.ends() == 130
    assert "Traceback" not in running.rest_of_log()
    ticks = (cli.folder / "ticks").read_text()
    assert len(ticks) * TICK < 2


def test_sigterm_ends_run_with_0(cli, peer):
    """A service manager's stop is no failure."""
    cli.write("agent.py", AGENT)
    running = cli.start("run", "--agent", "agent:answer")
    running.logs("answers on wire")
    assert running.interrupt(signal.SIGTERM) == 0
    assert "Traceback" not in running.rest_of_log()


def test_run_says_who_runs_the_spool_already(cli, peer):
    """A second session on one workspace is refused in one line that names the first process."""
    cli.write("agent.py", AGENT)
    first = cli.start("run", "--agent", "agent:answer")
    first.logs("answers on wire")
    second = cli("run", "--agent", "agent:answer")
    assert second.returncode == 1
    assert f"process {first.pid}" in second.stderr
    assert len(second.stderr.splitlines()) == 1


@pytest.mark.lowest
def test_listen_prints_a_line_of_json_for_each_message(cli, peer):
    """`listen` prints one line of JSON for each message."""
    listening = cli.start("listen")
    peer.says("hello", id="m7", sender_name="Ann")
    line = json.loads(listening.prints())
    assert line["channel_type"] == "wire"
    assert line["content"] == "hello"
    assert line["id"] == "m7"
    assert line["timestamp"].endswith("+00:00")


def test_listen_acknowledges_what_it_has_printed(cli, peer):
    """What was printed does not come again; Ctrl-C ends it with 130."""
    listening = cli.start("listen")
    peer.says("one", id="m1")
    peer.says("two", id="m2")
    listening.prints()
    assert json.loads(listening.prints())["content"] == "two"
    assert listening.interrupt() == 130
    again = cli.start("listen")
    peer.says("three", id="m3")
    assert json.loads(again.prints())["content"] in {"two", "three"}


def test_listen_keeps_what_nobody_took(cli, peer):
    """When the reader has gone, the line that could not be written comes again next time."""
    taken, given = os.pipe()
    listening = cli.start("listen", stdout=given)
    os.close(given)
    peer.says("one", id="m1")
    with os.fdopen(taken) as reader:
        assert json.loads(reader.readline())["content"] == "one"
    peer.says("two", id="m2")
    assert listening.ends() == 1
    assert "Traceback" not in listening.rest_of_log()
    again = cli.start("listen")
    line = json.loads(again.prints())
    assert (line["content"], line["metadata"]) == ("two", {"redelivered": True})
