"""What the agent says reaches Telegram through a session, over a real socket."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.messages import Media, OutgoingMessage
from cobot_telegram.testing import (
    Attachment,
    BotApiServer,
    CutAfter,
    CutBefore,
    Flood,
    Hang,
    ServerError,
    User,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cobot_session.messages import Receipt
    from cobot_session.session import Session

PNG = b"\x89PNG not really"


def send(session: Session, to: object, content: str = "", **more: Any) -> Receipt:
    return session.send(OutgoingMessage("telegram", str(to), content, **more), timeout=40)


def test_markdown_arrives_formatted(session: Session, ada: User) -> None:
    """Bold is bold, and the receipt has the message's id."""
    receipt = send(session, ada.id, "**hello** Ada")
    (message,) = ada.chat.answers
    assert message.entities == [{"type": "bold", "offset": 0, "length": 5}]
    assert (receipt.status, receipt.message_ids) == ("sent", (str(message.id),))


def test_a_long_answer_arrives_in_parts_and_whole(session: Session, ada: User) -> None:
    """10,000 characters of Markdown come in order, and the receipt names every part."""
    text = "\n\n".join(f"paragraph {n} **bold** " + "word " * 30 for n in range(60))
    receipt = send(session, ada.id, text)
    answers = ada.chat.answers
    assert len(answers) == 3
    assert receipt.message_ids == tuple(str(message.id) for message in answers)
    arrived = " ".join(message.text for message in answers).split()
    assert arrived == text.replace("**", "").split()


def test_options_of_a_message(session: Session, ada: User) -> None:
    """Silent, without a preview, as plain text."""
    options = {"silent": True, "link_preview": False, "format": "text"}
    send(session, ada.id, "*http://e.org*", metadata=options)
    (message,) = ada.chat.answers
    assert (message.text, message.silent) == ("*http://e.org*", True)
    assert message.fields["link_preview_options"] == {"is_disabled": True}


def test_a_reply_quotes_and_survives_the_loss_of_its_message(session: Session, ada: User) -> None:
    """A reply to a message that is gone is sent without the quote."""
    said = ada.says("hi")
    send(session, ada.id, "hello", reply_to=str(said.id))
    assert ada.chat.wait_for("hello").reply_to is said
    assert send(session, ada.id, "gone", reply_to="4711").status == "sent"
    assert ada.chat.wait_for("gone").reply_to is None


def test_a_reply_lands_in_its_topic(server: BotApiServer, session: Session, ada: User) -> None:
    """The topic is part of the address, so a plain reply goes there."""
    forum = server.group("Forum", forum=True)
    topic = forum.topic("News")
    ada.says("hi", chat=forum, topic=topic)
    (message,) = session.poll_all_channels(wait=40)
    session.reply(message, "hello")
    session.typing("telegram", message.channel_id)
    assert forum.wait_for("hello").topic == topic
    forum.wait_for_action("typing")


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("image", "photo"),
        ("video", "video"),
        ("audio", "audio"),
        ("voice", "voice"),
        ("document", "document"),
        ("sticker", "sticker"),
    ],
)
def test_each_kind_of_attachment_is_sent_as_what_it_is(
    session: Session, ada: User, kind: Any, field: str
) -> None:
    """The platform's own kind, with the bytes and the name."""
    send(session, ada.id, media=[Media(kind, data=PNG, filename="a.bin")])
    (message,) = ada.chat.answers
    assert (message.files[0].kind, message.files[0].data) == (field, PNG)
    assert field in message.fields


def test_attachments_come_from_a_path_or_an_address(
    server: BotApiServer, session: Session, ada: User, tmp_path: Path
) -> None:
    """A local file is uploaded; an address is fetched by Telegram."""
    (tmp_path / "note.txt").write_text("from a file")
    send(session, ada.id, "see", media=[Media("document", path=tmp_path / "note.txt")])
    message = ada.chat.wait_for("see")
    assert (message.files[0].data, message.files[0].filename) == (b"from a file", "note.txt")
    stored = server.files.store(Attachment("photo", PNG))
    address = f"{server.base_file_url}{server.token}/{stored.path}"
    send(session, ada.id, "there", media=[Media("image", url=address)])
    assert ada.chat.wait_for("there").files[0].data == PNG


def test_an_album_goes_out_as_one(session: Session, ada: User) -> None:
    """Pictures and a video share a group; the text is its caption."""
    media = [Media("image", data=b"1"), Media("video", data=b"2"), Media("image", data=b"3")]
    receipt = send(session, ada.id, "**look**", media=media)
    answers = ada.chat.answers
    assert len({message.fields["media_group_id"] for message in answers}) == 1
    assert [message.text for message in answers] == ["look", "", ""]
    assert answers[0].entities == [{"type": "bold", "offset": 0, "length": 4}]
    assert receipt.message_ids == tuple(str(message.id) for message in answers)


def test_an_attachment_that_cannot_be_sent_is_told(
    session: Session, ada: User, tmp_path: Path
) -> None:
    """A missing file, an empty one, an address without anything: failed, with the reason."""
    for media, words in (
        (Media("document", path=tmp_path / "missing.txt"), "missing.txt cannot be read"),
        (Media("document", data=b""), "is empty"),
        (Media("image", url="http://127.0.0.1:9/x.png"), "failed to get HTTP URL content"),
    ):
        receipt = send(session, ada.id, media=[media])
        assert receipt.status == "failed"
        assert words in str(receipt.error)
        assert str(tmp_path) not in str(receipt.error)


def test_typing_editing_deleting_reacting(session: Session, ada: User) -> None:
    """The verbs reach the platform."""
    sent = send(session, ada.id, "one")
    session.typing("telegram", str(ada.id))
    ada.chat.wait_for_action("typing")
    assert session.edit("telegram", str(ada.id), sent.id, "**two**").status == "sent"
    message = ada.chat.wait_for("two")
    assert (message.earlier, message.entities[0]["type"]) == (["one"], "bold")
    said = ada.says("hi")
    assert session.react("telegram", str(ada.id), str(said.id), "❤️").status == "sent"
    assert list(said.reactions.values()) == [["❤"]]
    assert session.react("telegram", str(ada.id), str(said.id), "").status == "sent"
    assert list(said.reactions.values()) == [[]]
    assert session.delete("telegram", str(ada.id), sent.id).status == "sent"
    assert ada.chat.answers == ()


@pytest.mark.slow
def test_an_edit_that_outlives_its_session_keeps_its_formatting(
    server: BotApiServer, open_session: Callable[[], Session], ada: User
) -> None:
    """What a restart carries out is the rendered text, and not that text rendered again."""
    trouble = server.faults.add(ServerError(502), on="editMessageText", times=None)
    with open_session() as session:
        sent = send(session, ada.id, "one")
        late = session.edit("telegram", str(ada.id), sent.id, "**two** \\*stars\\*", timeout=0)
        assert late.status == "queued"
        server.wait_for(lambda: trouble.hits)
    server.faults.remove(trouble)
    with open_session():
        message = ada.chat.wait_for("two *stars*")
    assert [entity["type"] for entity in message.entities] == ["bold"]


def test_what_is_done_already_is_success(session: Session, ada: User) -> None:
    """An edit that changes nothing and a deletion of what is gone succeed."""
    sent = send(session, ada.id, "one")
    (platform_id,) = sent.message_ids
    assert session.edit("telegram", str(ada.id), platform_id, "one").status == "sent"
    ada.chat.answers[0].deleted = True
    assert session.delete("telegram", str(ada.id), platform_id).status == "sent"


def test_a_caption_is_edited_as_one(session: Session, ada: User) -> None:
    """Editing a message that is a picture edits its caption."""
    sent = send(session, ada.id, "one", media=[Media("image", data=PNG)])
    assert session.edit("telegram", str(ada.id), sent.message_ids[0], "two").status == "sent"
    assert ada.chat.wait_for("two").files[0].data == PNG


def test_a_reaction_outside_the_fixed_set_is_refused_beforehand(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """The receipt names what can be used; Telegram is not asked."""
    said = ada.says("hi")
    receipt = session.react("telegram", str(ada.id), str(said.id), "🧦")
    assert receipt.status == "failed"
    assert "👍" in str(receipt.error)
    assert server.calls("setMessageReaction") == []


def test_presence_is_absent(session: Session) -> None:
    """Bots have no presence on Telegram, and the channel claims none."""
    capabilities = session.capabilities("telegram")
    assert "session_presence" not in capabilities.hooks
    assert session.presence("away") is False


def test_who_cannot_be_written_to_fails_at_once(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """Blocked, unknown, no address: failed in Telegram's words, and never tried again."""
    ada.blocks()
    receipt = send(session, ada.id, "x")
    assert (receipt.status, receipt.attempts) == ("failed", 1)
    assert "bot was blocked by the user" in str(receipt.error)
    assert "chat not found" in str(send(session, 4242, "x").error)
    assert "no Telegram chat" in str(send(session, "everybody", "x").error)


def test_a_flood_pauses_its_chat_as_told_and_no_other(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """Until a 429 is over its chat is left alone; the other chat's messages go on at once."""
    bob = server.user("Bob")
    bob.starts()
    flood = server.faults.add(Flood(3600), on="sendMessage", chat=ada.chat)
    waiting = session.send(OutgoingMessage("telegram", str(ada.id), "late"), timeout=0)
    assert waiting.status == "queued"
    server.wait_for(lambda: flood.hits)
    assert send(session, bob.id, "now").status == "sent"
    assert ada.chat.texts == []
    assert len(server.calls("sendMessage")) == 2


def test_a_flood_is_waited_out(server: BotApiServer, session: Session, ada: User) -> None:
    """When the time is over that a 429 tells, and no sooner, the message is sent."""
    server.faults.add(Flood(1), on="sendMessage", chat=ada.chat)
    assert send(session, ada.id, "late").status == "sent"
    refused, sent = server.calls("sendMessage")
    assert sent.at - refused.at >= 1


@pytest.mark.slow
def test_strict_rates_are_kept_from_the_start(
    settings: dict[str, Any], open_session: Callable[[], Session]
) -> None:
    """A chat's fourth message waits, and another chat does not wait for it."""
    with BotApiServer() as server:
        ada, bob = server.user("Ada"), server.user("Bob")
        ada.starts()
        bob.starts()
        block = settings["plugins"]["telegram"]
        block |= {"bot_token": server.token, "api_url": server.api_url, "rates": "strict"}
        with open_session() as session:
            began = time.monotonic()
            for number in range(4):
                session.send(OutgoingMessage("telegram", str(ada.id), str(number)), timeout=0)
            assert send(session, bob.id, "meanwhile").status == "sent"
            assert ada.chat.wait_for("3").text == "3"
        assert ada.chat.texts == ["0", "1", "2", "3"]
        (last,) = [call.at for call in server.calls("sendMessage") if call.params["text"] == "3"]
        assert last - began >= 3


def test_temporary_troubles_are_tried_again(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """A 502 is tried again and the message comes once."""
    server.faults.add(ServerError(502), on="sendMessage")
    receipt = send(session, ada.id, "hi")
    assert (receipt.status, receipt.attempts) == ("sent", 2)
    assert ada.chat.texts == ["hi"]


@pytest.mark.parametrize("fault", [CutBefore(), CutAfter()])
def test_an_answer_that_is_lost_is_an_unknown_outcome(
    server: BotApiServer, session: Session, ada: User, fault: Any
) -> None:
    """Telegram has no idempotency key: what may have been sent is never sent again."""
    server.faults.add(fault, on="sendMessage")
    receipt = send(session, ada.id, "hi")
    assert receipt.status == "unknown"
    assert len(server.calls("sendMessage")) == 1


def test_what_never_left_is_tried_again(
    settings: dict[str, Any], open_session: Callable[[], Session]
) -> None:
    """While the server is down messages wait; when it is back they are sent once."""
    server = BotApiServer()
    with server:
        settings["plugins"]["telegram"]["api_url"] = server.api_url
        settings["plugins"]["telegram"]["bot_token"] = server.token
        ada = server.user("Ada")
        ada.starts()
        with open_session() as session:
            assert len(session.poll_all_channels(wait=40)) == 1
            server.__exit__(None, None, None)
            receipt = session.send(OutgoingMessage("telegram", str(ada.id), "hi"), timeout=0.5)
            assert receipt.status == "queued"
            server.__enter__()
            ada.chat.wait_for("hi")
    assert ada.chat.texts == ["hi"]


def test_a_hanging_send_leaves_the_other_chats_alone(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """While one chat's call hangs, another chat's message is delivered."""
    bob = server.user("Bob")
    bob.starts()
    hang = server.faults.add(Hang(3600), on="sendMessage", chat=ada.chat)
    session.send(OutgoingMessage("telegram", str(ada.id), "slow"), timeout=0)
    server.wait_for(lambda: hang.hits)
    assert send(session, bob.id, "quick").status == "sent"
    assert ada.chat.texts == []
    session.stop(drain=0)


def test_a_call_that_hangs_for_a_moment_is_waited_for(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """An answer that comes late is taken; the message is sent once."""
    server.faults.add(Hang(0.5), on="sendMessage")
    assert send(session, ada.id, "slow").status == "sent"
    assert ada.chat.texts == ["slow"]


def test_a_picture_telegram_refuses_as_a_photo_is_sent_as_a_file(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """A photo with impossible dimensions still arrives."""
    refusal = ServerError(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    server.faults.add(refusal, on="sendPhoto")
    receipt = send(session, ada.id, "wide", media=[Media("image", data=PNG, filename="w.png")])
    assert receipt.status == "sent"
    assert ada.chat.wait_for("wide").files[0].kind == "document"
