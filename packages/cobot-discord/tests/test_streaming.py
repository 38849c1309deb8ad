"""Answers that grow, as people on Discord see them."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cobot_discord.testing import CutAfter, RateLimit
from cobot_session import Session

BOUND = 40.0
STARTED = 60.0
"""Seconds within which a process that has just been started answers."""
AGENT = Path(__file__).with_name("streaming_agent.py")


def settings(server, folder):
    discord = {
        "bot_token": server.token,
        "api_url": server.api_url,
        "gateway_url": server.gateway_url,
        "access": {"open": True},
    }
    return {"plugins": {"workspace": {"path": str(folder)}, "discord": discord}}


@pytest.fixture
def ann(server):
    return server.user("ann")


@pytest.fixture
def says(server, ann, tmp_path):
    """Let a handler run, say something to it, and wait for an answer's end."""

    def says(handler, end):
        with Session(settings(server, tmp_path)) as session:
            runner = threading.Thread(target=session.run, args=(handler,))
            runner.start()
            changes = server.world.changes
            changes.wait(lambda: server.gateway.identified, BOUND, lambda: "no bot came")
            ann.says("go")
            answer = ann.dm.wait_for(lambda it: it.content.endswith(end), timeout=BOUND)
            session.stop()
            runner.join(BOUND)
        return answer

    return says


def test_people_see_it_grow(ann, says):
    """One message, shown at once, edited, and in the end whole."""

    def handle(message):
        yield "one"
        ann.dm.wait_for(lambda it: it.content == "one", timeout=BOUND)
        yield " **two**"
        ann.dm.wait_for(lambda it: it.content == "one **two**", timeout=BOUND)
        yield " three"

    says(handle, "three")
    assert [one.content for one in ann.dm.by_bot()] == ["one **two** three"]


@pytest.mark.slow
def test_code_is_whole_in_every_message(ann, says):
    """While a block of code grows over several messages, its fences are pairs in each."""
    shown = []

    def handle(message):
        yield "Look:\n\n```python\n"
        for n in range(300):
            yield f"print({n})\n"
            if n in {50, 250}:
                ann.dm.wait_for(lambda it, n=n: f"print({n})" in it.content, timeout=BOUND)
                shown.extend(one.content for one in ann.dm.by_bot())
        yield "```\n\nThat is it."

    says(handle, "That is it.")
    shown += [one.content for one in ann.dm.by_bot()]
    assert len(ann.dm.by_bot()) > 1
    assert [text for text in shown if text.count("```") != 2] == []


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [RateLimit(0.5), CutAfter()])
def test_trouble_with_a_preview_loses_and_doubles_nothing(server, ann, says, trouble):
    """A preview that is refused, or cut off, costs nothing of the answer."""
    met = server.faults.add(trouble, on="edit_message")

    def handle(message):
        yield "one"
        ann.dm.wait_for(lambda it: it.content == "one", timeout=BOUND)
        yield " two"
        server.world.changes.wait(lambda: met.hits, BOUND, lambda: "no edit came")
        yield " three"

    says(handle, "three")
    assert [one.content for one in ann.dm.by_bot()] == ["one two three"]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_after_a_kill_the_answer_goes_on_in_the_same_message(server, ann, tmp_path):
    """Killed in the middle of an answer, the next process ends it where it stands."""
    written = tmp_path / "cobot.yml"
    written.write_text(
        f"plugins:\n  workspace: {{path: state}}\n  discord:\n    bot_token: {server.token}\n"
        f"    api_url: {server.api_url}\n    gateway_url: {server.gateway_url}\n"
        f"    access: {{users: ['{ann.id}']}}\n"
    )
    command = [sys.executable, str(AGENT), str(written)]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE) as first:
        try:
            server.gateway.wait_until(lambda gateway: gateway.identified, timeout=STARTED)
            ann.says("tell me")
            ann.dm.wait_for("Once upon", timeout=BOUND)
            first.stdin.write(b"go on\n")
            first.stdin.flush()
            ann.dm.wait_for("Once upon a time", timeout=BOUND)
        finally:
            first.kill()
    with subprocess.Popen(command, cwd=tmp_path) as second:
        try:
            ann.dm.wait_for(lambda it: it.content.endswith("lived."), timeout=STARTED)
        finally:
            second.terminate()
    assert [one.content for one in ann.dm.by_bot()] == ["Once upon a time, and they lived."]
