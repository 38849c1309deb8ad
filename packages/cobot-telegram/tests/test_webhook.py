"""Updates are pushed to the channel and answered when they are stored."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from cobot_telegram import sources
from cobot_telegram.testing import Answer, Attachment, BotApiServer, Duplicate, User

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cobot_session.session import Session

SECRET = "a-secret-of-twenty-characters"


@pytest.fixture
def url(settings: dict[str, Any]) -> str:
    """Configure webhook mode on a free port and return the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/hook"
    settings["plugins"]["telegram"]["webhook"] = {"url": url, "secret": SECRET, "port": port}
    return url


def post(url: str, body: bytes, secret: str | None) -> int:
    headers = {"Content-Type": "application/json"}
    if secret is not None:
        headers["X-Telegram-Bot-Api-Secret-Token"] = secret
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_deliveries_are_confirmed_after_the_commit(
    url: str, server: BotApiServer, session: Session, ada: User
) -> None:
    """Messages come by webhook in order, and Telegram is told when they are stored."""
    for number in range(5):
        ada.says(str(number))
    found: list[str] = []
    while len(found) < 5:
        found += [message.content for message in session.poll_all_channels(wait=40)]
    assert found == ["0", "1", "2", "3", "4"]
    server.bot.wait_until_confirmed()
    assert server.calls("getUpdates") == []


def test_a_delivery_is_answered_only_after_the_commit(
    url: str, server: BotApiServer, session: Session, tmp_path: Path
) -> None:
    """While the spool cannot write, Telegram gets no answer; a second later it is 200."""
    server.wait_for(lambda: server.bot.webhook is not None)
    chat = {"id": 5, "type": "private"}
    user = {"id": 5, "is_bot": False, "first_name": "Eve"}
    said = {"message_id": 1, "date": 1, "chat": chat, "from": user, "text": "hi"}
    body = json.dumps({"update_id": 1, "message": said}).encode()
    answers: list[int] = []
    writer = sqlite3.connect(tmp_path / "session.db", isolation_level=None, timeout=40)
    with contextlib.closing(writer):
        writer.execute("BEGIN IMMEDIATE")
        delivery = threading.Thread(target=lambda: answers.append(post(url, body, SECRET)))
        delivery.start()
        delivery.join(1.0)  # were the answer given before the commit, it would be here
        assert answers == []
        writer.execute("ROLLBACK")
    delivery.join(30)
    assert answers == [200]
    assert [message.content for message in session.poll_all_channels(wait=40)] == ["hi"]


def test_it_is_set_at_start_and_removed_at_stop(
    url: str, server: BotApiServer, open_session: Callable[[], Session], ada: User
) -> None:
    """Nobody is left delivering to a bot that is off, and nothing waiting is thrown away."""
    with open_session() as session:
        server.wait_for(lambda: server.bot.webhook is not None)
        ada.says("hi")
        assert session.poll_all_channels(wait=40)
    assert server.bot.webhook is None
    assert not any(call.params.get("drop_pending_updates") for call in server.requests)


def test_a_delivery_without_the_secret_is_refused(
    url: str, server: BotApiServer, session: Session, ada: User
) -> None:
    """Whoever does not know the secret gets 403 and reaches nobody."""
    server.wait_for(lambda: server.bot.webhook is not None)
    body = json.dumps({"update_id": 1, "message": {"text": "let me in"}}).encode()
    assert post(url, body, None) == 403
    assert post(url, body, "wrong-secret-wrong-secret") == 403
    assert post(url, b"no json", SECRET) == 400
    assert post(url, b"[]", SECRET) == 400
    assert post(url, b"x" * 1_100_000, SECRET) == 413
    ada.says("hi")
    assert [m.content for m in session.poll_all_channels(wait=40)] == ["hi"]


def test_a_malformed_delivery_is_taken_off_telegrams_hands(
    url: str, server: BotApiServer, session: Session
) -> None:
    """What cannot be read is answered 200, or Telegram would deliver it for ever."""
    server.wait_for(lambda: server.bot.webhook is not None)
    assert post(url, b'{"update_id": 5, "message": {"chat": 7}}', SECRET) == 200


def test_duplicates_are_stored_once(
    url: str, server: BotApiServer, session: Session, ada: User
) -> None:
    """Telegram delivers again what it is not sure of."""
    server.faults.add(Duplicate(), on="webhook", times=None)
    ada.says("one")
    ada.says("two")
    found: list[str] = []
    while len(found) < 2:
        found += [message.content for message in session.poll_all_channels(wait=40)]
    server.bot.wait_until_confirmed()
    assert found == ["one", "two"]
    assert session.poll_all_channels() == []


def test_an_album_is_gathered_although_each_piece_waits_for_its_answer(
    url: str, settings: dict[str, Any], open_session: Any, ada: User
) -> None:
    """A chat's deliveries come one after the other, each only after the last was confirmed."""
    settings["plugins"]["telegram"]["album_wait"] = 10  # and a full one ends at once
    with open_session() as session:
        ada.says("look", files=[Attachment("photo", b"1")] * 10)
        (album,) = session.poll_all_channels(wait=40)
    assert len(album.media) == 10


def test_a_webhook_that_another_program_took_is_told(
    url: str, server: BotApiServer, settings: dict[str, Any], watch: Any, open_session: Any
) -> None:
    """When deliveries go elsewhere the status says so, though the port is still open."""
    taken = b'{"ok": true, "result": {"url": "http://127.0.0.1/", "pending_update_count": 0}}'
    server.faults.add(Answer(taken), on="getWebhookInfo", times=None)
    with open_session():
        watch.until(error="another program has set or removed")
        assert server.bot.webhook is not None


def test_an_odd_word_about_deliveries_is_told(
    url: str, server: BotApiServer, settings: dict[str, Any], watch: Any, open_session: Any
) -> None:
    """An answer that tells of no webhook is told as such, and outlived."""
    odd = server.faults.add(Answer(b'{"ok": true, "result": true}'), on="getWebhookInfo")
    with open_session():
        watch.until(error="tells of no webhook")
        watch.until(state="online")
    assert odd.hits == 1


def test_a_secret_of_odd_bytes_is_refused_as_any_other(
    url: str, server: BotApiServer, session: Session
) -> None:
    """What cannot even be text is no secret, and no defect."""
    server.wait_for(lambda: server.bot.webhook is not None)
    head = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=40) as line:
        line.sendall(head + b"X-Telegram-Bot-Api-Secret-Token: \xff\xfe\r\n\r\n{}")
        assert line.recv(100).startswith(b"HTTP/1.1 403")


def test_a_client_that_does_not_come_to_an_end_holds_nobody_up(
    url: str, server: BotApiServer, session: Session, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a delivery is given up after a while; the others are taken meanwhile."""
    monkeypatch.setattr(sources, "_BODY_SECONDS", 0.5)
    server.wait_for(lambda: server.bot.webhook is not None)
    head = f"POST /hook HTTP/1.1\r\nHost: x\r\nX-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=40) as line:
        line.sendall(f"{head}Content-Length: 500000\r\n\r\n{{".encode())
        ada.says("hi")
        assert [message.content for message in session.poll_all_channels(wait=40)] == ["hi"]
        assert line.recv(100).startswith(b"HTTP/1.1 408")


def test_a_delivery_nested_beyond_reason_is_refused(
    url: str, server: BotApiServer, session: Session
) -> None:
    """Nothing that is posted makes the listener fail."""
    server.wait_for(lambda: server.bot.webhook is not None)
    assert post(url, b"[" * 900_000, SECRET) == 400


def test_deliveries_while_the_inbox_is_full_wait_at_telegram(
    url: str, server: BotApiServer, settings: dict[str, Any], open_session: Any, ada: User
) -> None:
    """Nothing is taken that cannot be stored: Telegram keeps it and delivers it again."""
    settings["plugins"]["session"]["max_pending"] = 5
    with open_session() as session:
        server.wait_for(lambda: server.bot.webhook is not None)
        for number in range(20):
            ada.says(str(number))
        found: list[str] = []
        while len(found) < 20:
            batch = session.poll_all_channels(wait=40, limit=3)
            assert batch, found
            found += [message.content for message in batch]
    assert found == [str(number) for number in range(20)]
