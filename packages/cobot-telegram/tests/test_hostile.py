"""What odd servers, odd people and odd moments cannot make the channel lose, double or leak."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.errors import PermanentError
from cobot_session.messages import Media, OutgoingMessage
from cobot_telegram import request
from cobot_telegram.testing import Answer, Attachment, BotApiServer, Flood, ServerError, User

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Watch

    from cobot_session.messages import IncomingMessage, Receipt
    from cobot_session.session import Session

HTML = b"<html><h1>Somebody in between</h1></html>"


def send(session: Session, to: object, content: str = "", **more: Any) -> Receipt:
    return session.send(OutgoingMessage("telegram", str(to), content, **more), timeout=40)


def take(session: Session, count: int) -> list[IncomingMessage]:
    found: list[IncomingMessage] = []
    while len(found) < count:
        batch = session.poll_all_channels(wait=40)
        assert batch, f"only {found} came"
        found += batch
    return found


def meet(server: BotApiServer, session: Session, ada: User, answer: Answer) -> None:
    """Let a poll be answered so: the next, after the one that is under way, if one is."""
    planted = server.faults.add(answer, on="getUpdates")
    ada.says("ends a poll that is under way")
    take(session, 1)
    server.wait_for(lambda: planted.hits)


def result(value: object) -> bytes:
    return json.dumps({"ok": True, "result": value}).encode()


HALF = {"id": 5, "first_name": "Eve", "last_name": "\udc00"}
CHAT = {"id": 5, "type": "private"}
USER = {"id": 5, "first_name": "Eve"}
BASE = {"message_id": 1, "date": 1, "chat": CHAT, "from": USER}
ODD: list[Any] = [
    None,
    "what",
    {},
    {"update_id": True},
    {"update_id": 10**30, "message": {**BASE, "text": "x"}},
    {"update_id": 1, "message": {**BASE, "text": {"not": "text"}}},
    {"update_id": 2, "message": {**BASE, "chat": {"id": 10**30, "type": "private"}, "text": "x"}},
    {"update_id": 3, "message": {**BASE, "chat": {"id": [5], "type": "private"}, "text": "x"}},
    {"update_id": 4, "message": {**BASE, "migrate_to_chat_id": {"id": 6}}},
    {"update_id": 5, "message": {**BASE, "photo": [None]}},
    {"update_id": 6, "message_reaction": {"chat": CHAT, "message_id": 1, "date": 1}},
]
READABLE: list[Any] = [
    {"update_id": "7", "message": {**BASE, "message_id": "8", "text": "ids as strings"}},
    {"update_id": 8, "message": {**BASE, "text": "half \ud83d", "from": HALF}},
    {"update_id": 9, "message": {**BASE, "text": "@x", "entities": [None, {"type": "bold"}]}},
    {"update_id": 10, "message": {**BASE, "text": "reply", "reply_to_message": {"text": "no id"}}},
    {"update_id": 11, "message": {**BASE, "text": "from", "forward_origin": {"sender_user": {}}}},
]  # fmt: skip


def test_odd_updates_cost_only_themselves(
    server: BotApiServer,
    open_session: Callable[[], Session],
    ada: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No object, no id, an id of thirty digits, a text that is none: named, skipped, passed by.

    What is odd in a detail, such as half a character or a quote without its id, still arrives.
    """
    server.faults.add(Answer(result([*ODD, *READABLE])), on="getUpdates")
    ada.says("hi")
    with open_session() as session:
        texts = [message.content for message in take(session, len(READABLE) + 1)]
        assert [text[:4] for text in texts] == ["ids ", "half", "@x", "repl", "from", "hi"]
        server.bot.wait_until_confirmed()
        assert caplog.text.count("skipped the malformed update") == len(ODD)
        receipt = session.send(OutgoingMessage("telegram", str(ada.id), texts[1]), timeout=40)
        assert receipt.status == "sent"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(result(True)),
        Answer(b'{"ok": true}'),
        Answer(b"[]"),
        Answer(b"[" * 100_000),
        Answer(HTML),
        Answer(HTML, status=404),
        Answer(b"", status=302),
        Answer(b'{"ok": false, "error_code": 502, "description": "later"}'),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body[:12]!r}",
)
def test_an_odd_answer_to_a_poll_is_outlived(
    server: BotApiServer, session: Session, ada: User, answer: Answer
) -> None:
    """Whatever stands in an answer, the channel asks again; a page of a proxy is no verdict."""
    meet(server, session, ada, answer)
    ada.says("hi")
    assert [message.content for message in take(session, 1)] == ["hi"]
    assert session.status()["telegram"].state != "failed"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(result(True), processed=True), "sent"),
        (Answer(result({"date": "no id"}), processed=True), "sent"),
        (Answer(result({"message_id": 9, "chat": 7, "photo": "?"}), processed=True), "sent"),
        (Answer(b'{"ok": true}', processed=True), "unknown"),
        (Answer(HTML, processed=True), "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value.body[:30]),
)
def test_an_odd_answer_to_a_send_never_doubles_it(
    server: BotApiServer, session: Session, ada: User, answer: Answer, status: str
) -> None:
    """What was carried out is not sent again because its description cannot be read."""
    server.faults.add(answer, on="sendMessage")
    assert send(session, ada.id, "once").status == status
    assert send(session, ada.id, "next").status == "sent"
    assert ada.chat.texts == ["once", "next"]


def test_an_answer_without_end_is_not_read_to_its_end(
    server: BotApiServer, session: Session, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll answered with too much is asked again; a message answered so may have been sent."""
    monkeypatch.setattr(request, "_MOST_ANSWER", 100_000)
    long = Answer(b'{"ok": true, "result": []' + b" " * 100_000 + b"}", processed=True)
    meet(server, session, ada, long)
    ada.says("hi")
    assert [message.content for message in take(session, 1)] == ["hi"]
    server.faults.add(long, on="sendMessage")
    receipt = send(session, ada.id, "once")
    assert (receipt.status, receipt.error) == ("unknown", "the answer has more than 100000 bytes")


@pytest.mark.parametrize(
    "answer", [Answer(HTML, status=403), Answer(HTML, status=404), Answer(b"", status=302)]
)
def test_a_page_of_a_proxy_costs_no_message(
    server: BotApiServer, session: Session, ada: User, answer: Answer
) -> None:
    """A refusal that is not Telegram's is no reason to give a message, or the channel, up."""
    server.faults.add(answer, on="sendMessage")
    receipt = send(session, ada.id, "hi")
    assert (receipt.status, receipt.attempts) == ("sent", 2)
    assert ada.chat.texts == ["hi"]


def test_a_refused_token_in_the_middle_of_the_run_stops_the_channel(
    server: BotApiServer, session: Session, ada: User, watch: Watch
) -> None:
    """A token that was revoked: the channel fails, and what was to be sent is kept."""
    planted = server.faults.add(ServerError(401, "Unauthorized"), times=None)
    ada.says("x")
    error = str(watch.until(state="failed").last_error)
    assert "plugins.telegram.bot_token" in error
    assert server.token not in error
    receipt = session.send(OutgoingMessage("telegram", str(ada.id), "kept"), timeout=0.2)
    assert receipt.status == "queued"
    server.faults.remove(planted)


def test_a_long_flood_wait_of_one_chat_outlives_a_restart(
    server: BotApiServer, open_session: Callable[[], Session], ada: User, watch: Watch
) -> None:
    """5,000 s for one chat: nobody else waits, and a new session does not ask sooner."""
    bob = server.user("Bob")
    bob.starts()
    flood = server.faults.add(Flood(5000), on="sendMessage", chat=ada.chat, times=None)
    with open_session() as session:
        first = OutgoingMessage("telegram", str(ada.id), "late", id="late")
        assert session.send(first, timeout=0.1).status == "queued"
        server.wait_for(lambda: flood.hits)
        assert send(session, bob.id, "one").status == "sent"
    watch.seen.clear()
    with open_session() as session:
        watch.until(state="online")
        assert send(session, bob.id, "two").status == "sent"
        assert session.status()["telegram"].pending >= 1
    assert flood.hits == 1
    assert bob.chat.texts == ["one", "two"]
    assert ada.chat.texts == []


def test_a_group_that_moves_between_two_parts_gets_all_of_them(
    server: BotApiServer, session: Session
) -> None:
    """The part that meets the move goes to the new place, and so do those after it, once each."""
    group = server.group("Main", basic=True)
    text = "\n\n".join(f"part {number} " + "x" * 4000 for number in range(3))
    moved = server.group("Main")
    refusal = json.dumps(
        {
            "ok": False,
            "error_code": 400,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": moved.id},
        }
    ).encode()
    server.faults.add(Answer(refusal, status=400), on="sendMessage", chat=group, after=1)
    receipt = send(session, group.id, text)
    assert receipt.status == "sent"
    assert [one[:6] for one in group.texts + moved.texts] == ["part 0", "part 1", "part 2"]
    assert send(session, group.id, "more").status == "sent"
    assert moved.texts[-1] == "more"


def test_a_group_that_moved_keeps_its_access(
    server: BotApiServer, settings: dict[str, Any], open_session: Callable[[], Session], ada: User
) -> None:
    """A group that is configured by its old id is still let in, also after a restart."""
    group, other = server.group("Main", basic=True), server.group("Other")
    block = settings["plugins"]["telegram"]
    block |= {"access": {}, "groups": [{"id": group.id}]}
    with open_session() as session:
        ada.says("before", chat=group)
        assert take(session, 1)[0].space_id == str(group.id)
        moved = server.migrate(group)
        ada.says("after", chat=moved)
        assert take(session, 1)[0].channel_id == str(moved.id)
    ada.says("stranger", chat=other)
    ada.says("again", chat=moved)
    with open_session() as session:
        (message,) = take(session, 1)
        assert (message.content, message.space_id) == ("again", str(group.id))


def test_an_edit_and_its_message_come_in_order(
    server: BotApiServer, open_session: Callable[[], Session], ada: User
) -> None:
    """Edited before the bot has seen it: the message comes first, then the edit of it."""
    said = ada.says("frist")
    ada.edits(said, "first")
    with open_session() as session:
        found = take(session, 2)
    assert [(one.kind, one.id) for one in found] == [("message", "1"), ("edit", "1")]
    assert found[1].content == "first"


def test_a_press_behind_an_album_is_answered(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """A press that waits until the album is complete does not leave an hourglass behind."""
    send(session, ada.id, "choose", metadata={"buttons": [["Yes"]]})
    button = ada.chat.wait_for("choose")
    with server.changes:
        ada.says("look", files=[Attachment("photo", b"1"), Attachment("photo", b"2")])
        press = ada.presses(button, "Yes")
    assert [message.kind for message in take(session, 2)] == ["message", "callback"]
    assert press.wait_for_answer() == {"text": "", "alert": False}


@pytest.mark.parametrize(
    "address",
    ["-" + "9" * 5000, "１２３", "5/x", "5/" + "7" * 5000, "@", "@a/b", "--5", ""],  # noqa: RUF001
)
def test_an_address_that_is_none_fails_at_once(session: Session, address: str) -> None:
    """No address is tried again and again, however long it is."""
    receipt = send(session, address or "-", "x")
    assert receipt.status == "failed"
    assert len(str(receipt.error)) < 300


def test_a_message_id_that_is_none_fails_at_once(session: Session, ada: User) -> None:
    """The verbs that name a message refuse what cannot be one."""
    for wrong in ("x", "9" * 5000):
        assert session.delete("telegram", str(ada.id), wrong).status == "failed"
    assert send(session, ada.id, "quoted", reply_to="9" * 5000).status == "sent"
    assert send(session, ada.id, "quoted", reply_to=str(2**31)).status == "sent"


def test_what_is_no_ordinary_file_is_not_read(session: Session, ada: User, tmp_path: Path) -> None:
    """A device without an end, a pipe nobody writes to, a folder: refused, not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe", tmp_path):
        receipt = send(session, ada.id, media=[Media("document", path=path)])
        assert receipt.status == "failed"
        assert "no ordinary file" in str(receipt.error)


def test_names_of_files_are_harmless(session: Session, ada: User) -> None:
    """A name leads nowhere else, in either direction, and half a character breaks nothing."""
    for name in ("../../etc/passwd", "a\ud83d.txt", "C:\\x", "new\nline", "\u202egnp.exe"):
        ada.says(files=[Attachment("document", b"x", name)])
        (message,) = take(session, 1)
        given = str(message.media[0].filename)
        assert not set(given) & set("/\\\n\u202e\ud83d")
        assert not given.startswith(".")
        sent = send(session, ada.id, media=[Media("document", data=b"x", filename=name)])
        assert sent.status == "sent"
        assert "/" not in str(ada.chat.answers[-1].files[0].filename)


@pytest.mark.parametrize(
    "path", ["../../bot/getMe", "documents/../../x", "a\r\nb", "a\x00b", "\ud800"]
)
def test_a_way_out_of_the_folder_of_files_is_not_followed(
    server: BotApiServer, session: Session, ada: User, path: str
) -> None:
    """Where an attachment lies is a path below the server's files, and nothing else."""
    ada.says(files=[Attachment("document", b"x", "x.txt")])
    (message,) = take(session, 1)
    server.faults.add(Answer(result({"file_id": "x", "file_path": path})), on="getFile")
    with pytest.raises(PermanentError, match="names no file"):
        session.fetch(message.media[0], timeout=40)
    assert session.fetch(message.media[0], timeout=40) == b"x"


def test_files_of_a_server_that_keeps_them_to_itself(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """A server started with `--local` names paths of its own machine; the error says so."""
    ada.says(files=[Attachment("document", b"x", "a.txt")])
    (message,) = take(session, 1)
    server.faults.add(Answer(result({"file_path": "/var/lib/bot/a.txt"})), on="getFile")
    with pytest.raises(Exception, match="--local"):
        session.fetch(message.media[0])
    assert session.fetch(message.media[0]) == b"x"


def test_edits_of_one_text_in_two_chats_keep_their_formatting(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """The same words, bold here and plain there, edited while the first waits for its turn."""
    bob = server.user("Bob")
    bob.starts()
    for user in (ada, bob):
        send(session, user.id, "one")
    flood = server.faults.add(Flood(1), on="editMessageText", chat=ada.chat)
    session.edit("telegram", str(ada.id), str(ada.chat.answers[0].id), "**two**", timeout=0)
    server.wait_for(lambda: flood.hits)
    session.edit("telegram", str(bob.id), str(bob.chat.answers[0].id), "two")
    assert bob.chat.wait_for("two").entities == []
    assert [e["type"] for e in ada.chat.wait_for("two").entities] == ["bold"]


def test_a_refusal_of_any_length_is_told_in_a_short_line(
    server: BotApiServer, session: Session, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    """What a server says fills no log and no receipt, and begins no line of its own there."""
    words = "no\nERROR forged\x1b[2J " + "x" * 100_000
    server.faults.add(ServerError(400, words), on="sendMessage")
    receipt = send(session, ada.id, "x")
    assert receipt.status == "failed"
    assert str(receipt.error).startswith("Telegram says: 400 no ERROR forged")
    assert len(str(receipt.error)) < 1000
    assert str(receipt.error).isprintable()
    assert max(len(record.getMessage()) for record in caplog.records) < 1000


def test_what_is_too_large_is_told_in_words(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """A front that answers 413 and no more is told as what it means."""
    server.faults.add(Answer(HTML, status=413), on="sendMessage")
    assert send(session, ada.id, "x").error == "Telegram says: 413 too large to be sent"
