"""A message stays in its topic: through refusals, a restart, a kill of the connection, a move."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cobot_session.messages import Media, OutgoingMessage
from cobot_telegram.testing import Answer, CutBefore, Fault, Flood, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Watch

    from cobot_session.session import Session
    from cobot_telegram.testing import BotApiServer, Chat, User

LONG = "\n\n".join(f"part {number} " + "x" * 4000 for number in range(3))
PARTS = ["part 0", "part 1", "part 2"]


@pytest.fixture
def forum(server: BotApiServer) -> Chat:
    return server.group("Forum", forum=True)


def said(chat: Chat) -> list[tuple[str, int | None]]:
    """Return how each of the bot's messages begins, and its topic."""
    return [(message.text[:6], message.topic) for message in chat.answers]


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [Flood(1), ServerError(502), ServerError(500, "oops")], ids=["429", "502", "500"]
)
def test_parts_that_are_tried_again_stay_in_the_topic(
    server: BotApiServer, session: Session, ada: User, forum: Chat, fault: Fault
) -> None:
    """The second of three parts is refused once; all come, in order, in the topic asked in."""
    other, topic = forum.topic("Other"), forum.topic("News")
    ada.says("hi", chat=forum, topic=topic)
    (message,) = session.poll_all_channels(wait=40)
    assert message.channel_id == f"{forum.id}/{topic}"
    planted = server.faults.add(fault, on="sendMessage", after=1)
    assert session.reply(message, LONG, timeout=40).status == "sent"
    assert planted.hits == 1
    assert said(forum) == [(part, topic) for part in PARTS]
    assert other != topic


@pytest.mark.slow
def test_what_a_restart_sends_goes_into_the_topic(
    server: BotApiServer, open_session: Callable[[], Session], forum: Chat, watch: Watch
) -> None:
    """One part is sent before the stop, the rest by the next session: in the same topic."""
    topic = forum.topic("News")
    address = f"{forum.id}/{topic}"
    trouble = server.faults.add(ServerError(502), on="sendMessage", after=1, times=None)
    message = OutgoingMessage("telegram", address, LONG, id="long")
    with open_session() as session:
        session.send(message, timeout=0)
        server.wait_for(lambda: trouble.hits)
    server.faults.remove(trouble)
    assert said(forum) == [("part 0", topic)]
    with open_session() as session:
        assert session.send(message, timeout=40).status == "sent"
    assert said(forum) == [(part, topic) for part in PARTS]


def test_every_kind_of_message_goes_into_the_topic(session: Session, forum: Chat) -> None:
    """Files, albums, typing and edits: the topic is part of the address of each."""
    topic = forum.topic("News")
    address = f"{forum.id}/{topic}"
    photo = Media("image", data=b"x", filename="a.png")
    for media in ([photo], [photo, photo], [Media("document", data=b"y", filename="b.txt")]):
        receipt = session.send(OutgoingMessage("telegram", address, "look", media=media))
        assert receipt.status == "sent"
    assert session.edit("telegram", address, receipt.message_ids[0], "seen").status == "sent"
    assert [message.topic for message in forum.answers] == [topic] * 4
    assert forum.answers[-1].text == "seen"


def test_a_lost_call_into_a_topic_is_told_and_holds_nothing_up(
    server: BotApiServer, session: Session, forum: Chat
) -> None:
    """What may have arrived is unknown; the next message comes, in its own topic."""
    news, talk = forum.topic("News"), forum.topic("Talk")
    server.faults.add(CutBefore(), on="sendMessage")
    lost = session.send(OutgoingMessage("telegram", f"{forum.id}/{news}", "lost"))
    assert lost.status == "unknown"
    for topic in (news, talk):
        sent = session.send(OutgoingMessage("telegram", f"{forum.id}/{topic}", "next"))
        assert sent.status == "sent"
    assert said(forum) == [("next", news), ("next", talk)]


def test_topics_move_with_their_group(
    server: BotApiServer, open_session: Callable[[], Session], ada: User
) -> None:
    """What is sent to a topic of the old id arrives in that topic of the new one, ever after."""
    group = server.group("Main", basic=True)
    topic = group.topic("News")
    address = f"{group.id}/{topic}"
    with open_session() as session:
        ada.says("hi", chat=group, topic=topic)
        (message,) = session.poll_all_channels(wait=40)
        assert message.channel_id == address
        moved = server.migrate(group)
        assert session.reply(message, "one").status == "sent"
        ada.says("and now?", chat=moved, topic=topic)
        (message,) = session.poll_all_channels(wait=40)
        assert message.channel_id == f"{moved.id}/{topic}"
        assert session.reply(message, "two").status == "sent"
    with open_session() as session:
        assert session.send(OutgoingMessage("telegram", address, "three")).status == "sent"
    assert said(group) == []
    assert said(moved) == [("one", topic), ("two", topic), ("three", topic)]


def test_a_part_that_meets_the_move_stays_in_its_topic(
    server: BotApiServer, session: Session
) -> None:
    """The bot has not been told of the move but by the refusal, in the middle of an answer."""
    group, moved = server.group("Main", basic=True), server.group("Main", forum=True)
    topic = moved.topic("News")
    group.topics[topic] = "News"
    refusal = {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": moved.id},
    }
    fault = Answer(json.dumps(refusal).encode(), status=400)
    server.faults.add(fault, on="sendMessage", chat=group, after=1)
    answer = OutgoingMessage("telegram", f"{group.id}/{topic}", LONG)
    assert session.send(answer, timeout=40).status == "sent"
    assert said(group) == [("part 0", topic)]
    assert said(moved) == [("part 1", topic), ("part 2", topic)]
