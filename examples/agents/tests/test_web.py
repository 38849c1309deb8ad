"""A session in the lifespan of a web application."""

from __future__ import annotations

import json
import time

import pytest
import web
from fastapi.testclient import TestClient


@pytest.fixture
def drop(tmp_path, monkeypatch):
    """Configure a channel of files, and say where it is."""
    channel = {"path": str(tmp_path / "drop"), "default_chat": "owner", "poll_interval": 0.05}
    plugins = {"workspace": {"path": str(tmp_path / "state")}, "filedrop": channel}
    (tmp_path / "cobot.yml").write_text(json.dumps({"plugins": plugins}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COBOT_CONFIG", raising=False)
    return tmp_path / "drop"


def texts(folder):
    return [json.loads(one.read_text(encoding="utf-8"))["text"] for one in folder.glob("*.json")]


def test_program_notifies_people(drop):
    """A request is a message in every channel's default chat."""
    with TestClient(web.app) as client:
        assert client.post("/notify", json={"text": "deployed"}).json() == {"filedrop": "sent"}
    assert texts(drop / "out" / "owner") == ["deployed"]


def test_people_are_answered_meanwhile(drop):
    """The agent runs beside the requests; when the application ends, so does it."""
    with TestClient(web.app) as client:
        part = drop / "in" / "hello.json.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text('{"text": "hello", "chat": "ada"}', encoding="utf-8")
        part.rename(part.with_suffix(""))
        end = time.monotonic() + 40
        while not texts(drop / "out" / "ada") and time.monotonic() < end:
            assert client.get("/health").status_code == 200
        assert web.app.state.agent.done() is False
    assert texts(drop / "out" / "ada") == ["You said: hello"]
    assert web.app.state.agent.cancelled()


def test_health_tells_of_an_agent_that_ended(drop):
    """Without its agent the application is not well."""
    with TestClient(web.app) as client:
        assert client.get("/health").json().keys() >= {"filedrop"}
        client.portal.call(web.app.state.agent.cancel)
        end = time.monotonic() + 40
        while client.get("/health").status_code == 200:
            assert time.monotonic() < end
