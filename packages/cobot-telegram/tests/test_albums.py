"""An album becomes one message, and nobody loses the order over it."""

from functools import partial
from typing import Any

import pytest

from cobot_telegram.albums import Albums
from cobot_telegram.facts import Me
from cobot_telegram.parse import parse
from cobot_telegram.testing import Attachment, BotApiServer, User

READ = partial(parse, me=Me())
PHOTOS = [Attachment("photo", b"1"), Attachment("photo", b"2"), Attachment("photo", b"3")]


@pytest.fixture
def world() -> BotApiServer:
    return BotApiServer()


@pytest.fixture
def ada(world: BotApiServer) -> User:
    return world.user("Ada")


def test_pieces_become_one_message(world: BotApiServer, ada: User) -> None:
    """Id, key and caption are the first piece's; every picture is there."""
    first = ada.says("look", files=PHOTOS)
    albums = Albums({}, wait=1.0)
    assert all(albums.take(update) for update in world.bot.updates.pending)
    albums.wake(0.0)
    assert albums.complete(0.9, READ) == []
    (message,) = albums.complete(1.0, READ)
    assert (message.id, message.content) == (str(first.id), "look")
    assert [media.size for media in message.media] == [1, 1, 1]
    assert message.metadata["album_ids"] == ["1", "2", "3"]
    assert albums.due_in(2.0) is None


def test_a_further_piece_prolongs_the_wait(world: BotApiServer, ada: User) -> None:
    """The wait counts from the latest piece."""
    ada.says(files=PHOTOS)
    albums = Albums({}, wait=1.0)
    for number, update in enumerate(world.bot.updates.pending):
        albums.take(update)
        albums.wake(number * 0.8)
    assert albums.due_in(1.8) == pytest.approx(0.8)


def test_a_full_album_does_not_wait(world: BotApiServer, ada: User) -> None:
    """Ten pieces are all there can be."""
    ada.says(files=[Attachment("photo", b"x")] * 10)
    albums = Albums({}, wait=60.0)
    for update in world.bot.updates.pending:
        albums.take(update)
    assert len(albums.complete(0.0, READ)[0].media) == 10


def test_what_follows_in_the_chat_waits_and_others_do_not(world: BotApiServer, ada: User) -> None:
    """A message after the album comes after it; another chat's is not kept."""
    ada.says("look", files=PHOTOS)
    ada.says("nice?")
    world.user("Bob").says("hi")
    albums = Albums({}, wait=1.0)
    taken = [albums.take(update) for update in world.bot.updates.pending]
    albums.wake(0.0)
    assert taken == [True, True, True, True, False]
    assert [m.content for m in albums.complete(1.0, READ)] == ["look", "nice?"]


def test_pieces_outlive_a_restart_and_do_not_come_twice(world: BotApiServer, ada: User) -> None:
    """Pieces lie in the durable state; what Telegram sends again is known."""
    ada.says("look", files=PHOTOS)
    updates = world.bot.updates.pending
    state: dict[str, Any] = {}
    Albums(state, wait=1.0).take(updates[0])
    restarted = Albums(state, wait=1.0)
    for update in updates:
        restarted.take(update)
    restarted.wake(100.0)
    (message,) = restarted.complete(101.0, READ)
    assert len(message.media) == 3
    again = Albums(state, wait=1.0)
    assert all(again.take(update) for update in updates)
    assert again.due_in(200.0) is None


def test_a_growing_album_ends_at_last(world: BotApiServer, ada: User) -> None:
    """However steadily pieces come, the wait has an end."""
    ada.says(files=PHOTOS)
    albums = Albums({}, wait=1.0)
    for second in range(11):
        albums.take(world.bot.updates.pending[second % 3])
        albums.wake(second * 0.95)
    assert albums.due_in(10.0) == 0.0
