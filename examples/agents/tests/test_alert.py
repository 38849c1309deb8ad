"""The script that tells everybody."""

from __future__ import annotations

import io
import json

import alert
import pytest

from cobot_session import PermanentError


def test_everybody_is_told(session, fake_channel, capsys):
    """Each channel's default chat has the text, and a line says so."""
    assert alert.alert("The disk is full", session)
    assert fake_channel.texts("chat") == ["The disk is full"]
    assert capsys.readouterr().out == "fake: sent\n"


def test_refusal_is_told(session, fake_channel, capsys):
    """A channel that refuses is named with its reason."""
    fake_channel.failures.append(PermanentError("nobody there"))
    assert not alert.alert("The disk is full", session)
    assert capsys.readouterr().out == "fake: failed (nobody there)\n"


@pytest.fixture
def drop(tmp_path, monkeypatch):
    """Configure a channel of files, and say where its messages lie."""
    folder = tmp_path / "drop"
    channel = {"path": str(folder), "default_chat": "owner"}
    plugins = {"workspace": {"path": str(tmp_path / "state")}, "filedrop": channel}
    (tmp_path / "cobot.yml").write_text(json.dumps({"plugins": plugins}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COBOT_CONFIG", raising=False)
    return folder / "out" / "owner"


def test_script_sends_what_it_is_given(drop, monkeypatch):
    """Words and standard input make the text; the exit code says that it arrived."""
    monkeypatch.setattr("sys.stdin", io.StringIO("93%\n"))
    assert alert.main(["The disk is at"]) == 0
    (file,) = drop.glob("*.json")
    assert json.loads(file.read_text(encoding="utf-8"))["text"] == "The disk is at 93%"


def test_nothing_to_say_is_a_mistake(monkeypatch, capsys):
    """Without a text it says how it is used."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert alert.main([]) == 2
    assert "usage" in capsys.readouterr().err
