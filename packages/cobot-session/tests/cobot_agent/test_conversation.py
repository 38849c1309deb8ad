"""The real agent in conversation over two networks: asked, killed, restarted, forbidden to send."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from agent_process import SECONDS
from model import RECALL

if TYPE_CHECKING:
    from agent_process import AgentProcess
    from model import Model

    from cobot_nostr.testing import NostrServer
    from cobot_telegram.testing import BotApiServer

pytest.importorskip("cobot.cli", reason="the cobot agent is not installed")


def test_answer_arrives_where_it_was_asked(
    agent: AgentProcess, model: Model, telegram: BotApiServer, nostr: NostrServer
) -> None:
    """A person on each network sees typing and gets the model's answer, quoting what they said."""
    ada, bob = telegram.user("Ada"), nostr.user("Bob")
    model.hold()
    asked = ada.says("hello")
    ada.chat.wait_for_action("typing", timeout=SECONDS)
    model.go_on()
    assert ada.chat.wait_for("re: hello", timeout=SECONDS).reply_to is asked
    also = bob.says("good day")
    assert bob.chat.wait_for("re: good day", timeout=SECONDS).reply_to == also.id


def test_agent_killed_in_its_thoughts_answers_after_a_restart(
    agent: AgentProcess, model: Model, telegram: BotApiServer, nostr: NostrServer
) -> None:
    """What it thought over, what waited and what came meanwhile is answered once, in order."""
    ada, bob = telegram.user("Ada"), nostr.user("Bob")
    ada.says("zero")
    ada.chat.wait_for("re: zero", timeout=SECONDS)
    model.hold()
    ada.says("one")
    model.wait_asked("one")
    bob.says("two")
    agent.end(signal.SIGKILL)
    ada.says("three")
    model.go_on()
    agent.start()
    ada.chat.wait_for("re: three", timeout=SECONDS)
    bob.chat.wait_for("re: two", timeout=SECONDS)
    assert ada.chat.texts == ["re: zero", "re: one", "re: three"]
    assert bob.chat.texts == ["re: two"]
    assert [model.count(text) for text in ("zero", "one", "three")] == [1, 2, 1]


def test_burst_is_answered_once_whenever_the_agent_is_killed(
    agent: AgentProcess, nostr: NostrServer
) -> None:
    """Killed twice amid ten messages, it answers each, in order, and none twice."""
    bob = nostr.user("Bob")
    for number in range(10):
        bob.says(f"number {number}")
    for answered in (2, 5):
        bob.chat.wait_for(count=answered, timeout=SECONDS)
        agent.end(signal.SIGKILL)
        agent.start()
    bob.chat.wait_for("re: number 9", timeout=SECONDS)
    assert bob.chat.texts == [f"re: number {number}" for number in range(10)]


def test_agent_remembers_a_person_over_a_restart(
    agent: AgentProcess, telegram: BotApiServer
) -> None:
    """Its persistence plugin keeps what was said, and the model gets it with the next question."""
    ada = telegram.user("Ada")
    ada.says("I like bees")
    ada.chat.wait_for("re: I like bees", timeout=SECONDS)
    agent.run("restart")  # it becomes another process in the same place
    agent.wait_logged("Channels: nostr, telegram", count=2)
    ada.says(RECALL)
    ada.chat.wait_for("re: I like bees", count=2, timeout=SECONDS)


def test_picture_without_words_is_named_to_the_model(
    agent: AgentProcess, telegram: BotApiServer
) -> None:
    """The agent takes text only, and would ask its model about nothing at all."""
    from cobot_telegram.testing import Attachment

    ada = telegram.user("Ada")
    ada.says("", files=[Attachment("document", b"buzz", "bees.txt")])
    ada.chat.wait_for("re: [document bees.txt]", timeout=SECONDS)


def test_interrupted_agent_ends_by_itself(agent: AgentProcess, telegram: BotApiServer) -> None:
    """Ctrl-C stops the channels and the process, and what comes later waits for the next start."""
    ada = telegram.user("Ada")
    ada.says("hello")
    ada.chat.wait_for("re: hello", timeout=SECONDS)
    agent.end(signal.SIGINT)
    assert "Error stopping" not in agent.text()
    ada.says("are you there?")
    agent.start()
    ada.chat.wait_for("re: are you there?", timeout=SECONDS)
    assert ada.chat.texts == ["re: hello", "re: are you there?"]


def test_message_that_fails_the_agent_comes_again(
    agent: AgentProcess, model: Model, telegram: BotApiServer
) -> None:
    """The agent's loop drops what raises an error; here it is asked once more, and answers."""
    ada = telegram.user("Ada")
    model.faults.append(b"no JSON")
    ada.says("hello")
    ada.chat.wait_for("re: hello", timeout=SECONDS)
    assert model.count("hello") == 2
    agent.wait_logged(r"message '\d+' comes again: the agent failed on it: JSONDecodeError")


def test_answer_that_is_refused_is_told_in_the_agents_words(
    agent: AgentProcess, telegram: BotApiServer
) -> None:
    """What its channel refuses after it was stored reaches the agent as `loop.on_error`."""
    from cobot_telegram.testing import Answer

    refusal = b'{"ok": false, "error_code": 403, "description": "Forbidden: bot was blocked"}'
    telegram.faults.add(Answer(refusal, 403), on="sendMessage")
    telegram.user("Ada").says("hello")
    agent.wait_logged(r"\[E\] \[error       \] In send: Send failed: telegram \d+: failed: .*403")
