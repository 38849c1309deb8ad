"""The audit log has what came in and what went out."""

from __future__ import annotations

import json
import stat

import audit

from cobot_session import Session
from cobot_session.testing import FakeChannel
from cobot_session.testing.waiting import until


def told(folder):
    """Return what was written down of messages."""
    files = folder.rglob("audit.jsonl")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [one for one in map(json.loads, lines) if one["what"] != "status"]


def test_everything_is_written_down(tmp_path):
    """A message in, its answer out, with who and what became of it; only the owner reads it."""
    network = FakeChannel()
    plugins = {"workspace": {"path": str(tmp_path)}, "fake": {"access": {"users": ["alice"]}}}
    given = {"fake": network.plugin, "audit": audit.Audit}
    for number in (1, 2):
        with Session({"plugins": plugins}, plugins=given) as session:
            network.says("let me in", sender="eve")
            network.says("hello", sender="alice", chat="home")
            (message,) = session.poll_all_channels(wait=40)
            session.reply(message, "hello, Alice")
            until(lambda number=number: len(told(tmp_path)) == 2 * number, 40, "both lines")
    (file,) = tmp_path.rglob("audit.jsonl")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = told(tmp_path)
    once = [("in", "fake home", "hello"), ("out", "fake home", "hello, Alice")]
    assert [(one["what"], one["where"], one["text"]) for one in lines] == once * 2
    assert {one["who"] for one in lines if one["what"] == "in"} == {"alice"}
    assert {one["status"] for one in lines if one["what"] == "out"} == {"sent"}
