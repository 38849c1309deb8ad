"""The audit log has what came in and what went out."""

from __future__ import annotations

import json
import stat

import audit

from cobot_session import Session
from cobot_session.testing import FakeChannel


def test_everything_is_written_down(tmp_path):
    """A message in, its answer out, with who and what became of it; only the owner reads it."""
    network = FakeChannel()
    plugins = {"workspace": {"path": str(tmp_path)}, "fake": {"access": {"users": ["alice"]}}}
    given = {"fake": network.plugin, "audit": audit.Audit}
    for _ in range(2):
        with Session({"plugins": plugins}, plugins=given) as session:
            network.says("let me in", sender="eve")
            network.says("hello", sender="alice", chat="home")
            (message,) = session.poll_all_channels(wait=10)
            session.reply(message, "hello, Alice")
    (file,) = tmp_path.rglob("audit.jsonl")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    told = [(one["what"], one["where"], one["text"]) for one in lines if one["what"] != "status"]
    once = [("in", "fake home", "hello"), ("out", "fake home", "hello, Alice")]
    assert told == once * 2
    assert {one["who"] for one in lines if one["what"] == "in"} == {"alice"}
    assert {one["status"] for one in lines if one["what"] == "out"} == {"sent"}
