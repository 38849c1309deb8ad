"""Discord tells of a deletion only the id: whose message it was is known as far as remembered."""

import pytest

from cobot_discord.authors import Authors
from cobot_discord.places import Places

pytestmark = pytest.mark.anyio


async def test_a_deletion_has_the_author_of_its_message(server, general, hand):
    """A deleted message that came lately, live or from history, names its author and roles."""
    ann, crew = server.user("ann"), general.guild.role("crew")
    general.guild.give(ann, crew)
    async with hand() as bot:
        ann.says("zero", general)
        await bot.receive()
    missed = ann.says("missed", general)
    async with hand() as bot:
        await bot.receive()
        live = ann.says("live")
        await bot.receive()
        ann.deletes(missed)
        ann.deletes(live)
        first, second = await bot.receive(2)
    assert (first.kind, first.id, first.roles) == ("deletion", missed.id, [crew.id])
    assert (first.sender_id, first.sender_name) == (ann.id, "Ann")
    assert (second.id, second.sender_id, second.direct) == (live.id, ann.id, True)


async def test_a_deletion_of_what_nobody_remembers_has_no_author(server, general, hand):
    """Of a message from before nobody is named, so that no rule for a user lets it in."""
    ann = server.user("ann")
    old = ann.says("before", general)
    async with hand() as bot:
        ann.deletes(old)
        (got,) = await bot.receive()
    assert (got.kind, got.sender_id, got.sender_name, got.roles) == ("deletion", "", "", [])


async def test_a_deletion_of_what_the_agent_never_got_is_left_out(server, general, hand):
    """Other bots' messages and notices neither come nor go."""
    ann, other = server.user("ann"), server.user("other", bot=True)
    async with hand() as bot:
        gone = [other.says("beep", general), ann.says("joined", general, kind=7)]
        for one in gone:
            ann.deletes(one)
        ann.says("end", general)
        assert [one.kind for one in await bot.receive()] == ["message"]


async def test_a_deletion_of_the_bots_own_message_says_so(server, general, hand):
    """Who deleted it is not known: no sender, and a word in the metadata."""
    async with hand() as bot:
        await bot.send(general, "mine")
        server.user("ann").deletes(general.by_bot()[0])
        (got,) = await bot.receive()
    assert (got.sender_id, got.metadata["on_own"]) == ("", True)


def test_memory_is_bounded(monkeypatch):
    """The oldest are forgotten first."""
    monkeypatch.setattr("cobot_discord.authors.REMEMBERED", 2)
    authors = Authors(Places())
    for number in (1, 2, 3):
        authors.note({"id": str(number), "author": {"id": "9"}}, None)
    assert [authors.of({"id": str(n)}) is not None for n in (1, 2, 3)] == [False, True, True]
    assert authors.of({"id": "x"}) is None
