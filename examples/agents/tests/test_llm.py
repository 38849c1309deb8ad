"""The agent that a language model speaks for, against a server on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import llm
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from model import Model


@pytest.fixture
def model(monkeypatch):
    llm.history.clear()
    with Model(["Good ", "morning, ", "Alice."]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-key")
        monkeypatch.setenv("OPENAI_MODEL", "a-model")
        yield server


def test_answer_grows_while_the_model_writes(serving, fake_channel, model):
    """The first words are there before the model is done, and the whole is there at the end."""
    model.go.clear()
    with serving(llm.answer):
        fake_channel.says("hello", chat="home")
        first = fake_channel.wait_for_sent(1, 40)[0]
        assert first.content.strip() == "Good"
        model.go.set()
        fake_channel.says("hello again", chat="home")
        fake_channel.wait_for_sent(
            2, 40
        )  # in one chat, the next answer comes after the whole of this
        assert next(iter(fake_channel.posts.values())).text == "Good morning, Alice."


def test_model_is_told_what_was_said_before(serving, fake_channel, model):
    """The second question comes with the first and its answer, of that chat only."""
    with serving(llm.answer):
        for number, chat in enumerate(["home", "work", "home"]):
            fake_channel.says(f"question {number}", chat=chat)
            fake_channel.wait_for_sent(number + 1, 40)
    asked = [[turn["content"] for turn in one["messages"]] for one in model.requests]
    assert asked[1] == [llm.SYSTEM, "Alice: question 1"]
    assert asked[2][1:] == ["Alice: question 0", "Good morning, Alice.", "Alice: question 2"]
    assert model.requests[0]["authorization"] == "Bearer a-key"
    assert (model.requests[0]["model"], model.requests[0]["stream"]) == ("a-model", True)


def test_broken_answer_is_asked_for_again(model):
    """An answer that breaks off is an error, never half an answer taken for whole."""
    model.breaks = 1
    with pytest.raises(ConnectionError):
        list(llm.completion([{"role": "user", "content": "hello"}]))
    assert "".join(llm.completion([])) == "Good morning, Alice."
