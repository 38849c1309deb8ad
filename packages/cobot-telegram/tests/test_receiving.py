"""Updates reach the agent through a session, over a real socket."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cobot_session.messages import IncomingMessage, OutgoingMessage
from cobot_telegram.testing import (
    Attachment,
    BotApiServer,
    CutAfter,
    Duplicate,
    Flood,
    Reorder,
    ServerError,
    User,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Watch

    from cobot_session.session import Session

PHOTOS = [Attachment("photo", b"one"), Attachment("photo", b"two")]


def take(session: Session, count: int = 1) -> list[IncomingMessage]:
    """Return the next messages; one more poll would acknowledge them."""
    found: list[IncomingMessage] = []
    while len(found) < count:
        batch = session.poll_all_channels(wait=40)
        assert batch, f"only {found} came"
        found += batch
    return found


def test_a_message_is_confirmed_only_after_it_is_stored(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """Telegram keeps an update until the poll after the one that brought it."""
    ada.says("hi")
    (message,) = take(session)
    assert (message.content, message.channel_type) == ("hi", "telegram")
    server.bot.wait_until_confirmed()


def test_what_came_while_the_bot_was_off_is_received(
    server: BotApiServer, open_session: Callable[[], Session], ada: User
) -> None:
    """A backlog is kept, not dropped, and comes in order."""
    for number in range(250):
        ada.says(str(number))
    with open_session() as session:
        texts = [message.content for message in take(session, 250)]
    assert texts == [str(number) for number in range(250)]


def test_every_kind_of_event_arrives(server: BotApiServer, session: Session, ada: User) -> None:
    """Messages, edits, reactions and presses come as their own kinds, in order."""
    said = ada.says("hi")
    ada.edits(said, "hello")
    take(session, 2)
    ada.reacts(said, "👍")
    (reaction,) = take(session)
    assert (reaction.kind, reaction.content, reaction.reply_to) == ("reaction", "👍", str(said.id))
    buttons = [[{"text": "Yes", "data": "yes"}]]
    session.send(OutgoingMessage("telegram", str(ada.id), "choose", metadata={"buttons": buttons}))
    press = ada.presses(ada.chat.wait_for("choose"), "Yes")
    (callback,) = take(session)
    assert (callback.kind, callback.content) == ("callback", "yes")
    assert press.wait_for_answer() == {"text": "", "alert": False}


def test_an_album_is_one_message_and_keeps_its_place(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """The pictures of an album come together, before what was written after them."""
    with server.changes:  # in one answer to a poll: no pause cuts it
        ada.says("look", files=PHOTOS)
        ada.says("nice?")
    album, question = take(session, 2)
    assert (album.content, len(album.media)) == ("look", 2)
    assert question.content == "nice?"
    assert [session.fetch(media) for media in album.media] == [b"one", b"two"]


@pytest.mark.slow
def test_an_album_cut_by_a_restart_is_whole(
    server: BotApiServer, settings: dict[str, Any], open_session: Callable[[], Session], ada: User
) -> None:
    """Pieces that were confirmed before a stop wait in the spool for the rest."""
    settings["plugins"]["telegram"]["album_wait"] = 10
    with open_session():
        ada.says("look", files=PHOTOS)
        server.bot.wait_until_confirmed()
    settings["plugins"]["telegram"]["album_wait"] = 0.2
    with open_session() as session:
        (album,) = take(session)
    assert len(album.media) == 2


def test_a_malformed_update_blocks_nothing(
    server: BotApiServer, session: Session, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    """An update that cannot be read is named in the log and skipped; the next one comes."""
    number = server.bot.updates.push_raw({"message": {"chat": 7, "text": "x"}})
    server.bot.updates.push_raw({"telepathy": {}})
    ada.says("hi")
    (message,) = take(session)
    assert message.content == "hi"
    server.bot.wait_until_confirmed()
    assert f"skipped the malformed update {number}" in caplog.text


def test_updates_that_come_twice_or_shuffled_are_stored_once_in_order(
    server: BotApiServer, open_session: Callable[[], Session], ada: User
) -> None:
    """Keys come from the update's number, and so does the order."""
    for number in range(20):
        ada.says(str(number))
    server.faults.add(Reorder(), on="getUpdates")
    server.faults.add(Duplicate(), on="getUpdates")
    with open_session() as session:
        texts = [message.content for message in take(session, 20)]
        server.bot.wait_until_confirmed()
        assert session.poll_all_channels() == []
    assert texts == [str(number) for number in range(20)]


def test_troubles_of_polling_lose_nothing(
    server: BotApiServer, session: Session, ada: User
) -> None:
    """Errors, floods and lost answers on getUpdates only delay what was said."""
    for fault in (ServerError(502), CutAfter(), Flood(1)):
        server.faults.add(fault, on="getUpdates")
        ada.says(type(fault).__name__)
        (message,) = take(session)
        assert message.content == type(fault).__name__


def test_a_second_poller_is_named_and_outlived(
    server: BotApiServer, session: Session, ada: User, watch: Watch
) -> None:
    """A 409 shows in the status with what to do; when the other has gone, messages come."""
    server.bot.wait_until_polling()
    with server.changes:
        server.bot.updates._turn += 1  # what a poll of another program does
        server.changes.notify()
    watch.until(error="another program is asking")
    ada.says("hi")
    assert take(session)[0].content == "hi"


@pytest.mark.slow
def test_a_second_poller_that_stays_is_asked_after_less_and_less(
    server: BotApiServer, session: Session, watch: Watch
) -> None:
    """Each 409 is followed by a longer pause than the one before: the two do not fight."""
    server.bot.wait_until_polling()
    conflict = "Conflict: terminated by other getUpdates request"
    server.faults.add(ServerError(409, conflict), on="getUpdates", times=None)
    before = len(server.calls("getUpdates"))
    with server.changes:
        server.bot.updates._turn += 1  # ends the poll that waits
        server.changes.notify()
    server.wait_for(lambda: len(server.calls("getUpdates")) >= before + 3)
    times = [call.at for call in server.calls("getUpdates")[before:][:3]]
    first, second = (later - earlier for earlier, later in pairwise(times))
    assert first > 0.4
    assert second > 0.8
    assert watch.until(error="another program is asking").state != "failed"


def test_a_webhook_that_was_left_behind_is_told(
    server: BotApiServer, open_session: Callable[[], Session], ada: User, watch: Watch
) -> None:
    """Polling while a webhook is set is refused; the status says what to do about it."""
    server.bot.updates.webhook_active = True
    with open_session() as session:
        watch.until(error="webhook is set")
        server.bot.updates.webhook_active = False
        ada.says("hi")
        assert take(session)[0].content == "hi"


def test_a_refused_token_stops_the_channel_and_names_its_place(
    server: BotApiServer,
    settings: dict[str, Any],
    open_session: Callable[[], Session],
    watch: Watch,
) -> None:
    """401: the channel fails for good, tells the setting, and does not repeat the token."""
    wrong = f"{server.bot.id}:{'x' * 35}"
    settings["plugins"]["telegram"]["bot_token"] = wrong
    with open_session():
        error = str(watch.until(state="failed").last_error)
    assert "plugins.telegram.bot_token" in error
    assert wrong not in error


def test_a_group_that_moved_is_followed(server: BotApiServer, session: Session, ada: User) -> None:
    """After a migration, what is sent to the old id arrives in the supergroup."""
    group = server.group("Main", basic=True)
    ada.says("before", chat=group)
    take(session)
    supergroup = server.migrate(group)
    server.bot.wait_until_confirmed()
    receipt = session.send(OutgoingMessage("telegram", str(group.id), "still here"))
    assert receipt.status == "sent"
    assert supergroup.wait_for("still here").by_bot


def test_a_large_attachment_is_refused_before_it_is_loaded(session: Session, ada: User) -> None:
    """What is above the bound is not downloaded."""
    ada.says(files=[Attachment("video", b"x", size=30_000_000)])
    (message,) = take(session)
    with pytest.raises(Exception, match="max_download"):
        session.fetch(message.media[0])


def test_a_polling_channel_is_online(
    server: BotApiServer, session: Session, ada: User, watch: Watch
) -> None:
    """The status says online once a poll has been answered."""
    ada.says("hi")
    take(session)
    assert watch.until(state="online").last_error is None


def test_a_webhook_that_was_left_behind_is_ended_as_the_status_says(
    server: BotApiServer, open_session: Callable[[], Session], ada: User, watch: Watch
) -> None:
    """The command in the status, the token put in its place, lets messages in again."""

    def call(address: str, body: dict[str, str]) -> None:
        httpx.post(address, json=body, timeout=60).raise_for_status()

    call(f"{server.api_url}/bot{server.token}/setWebhook", {"url": "https://127.0.0.1:9/hook"})
    with open_session() as session:
        told = str(watch.until(error="a webhook is set for this bot").last_error)
        command = re.search(r'`curl -X POST "(\S+)"`', told)
        assert command
        call(command[1].replace("$TOKEN", server.token), {})
        ada.says("hi")
        assert take(session)[0].content == "hi"
