"""What marks tell: where something may be missing, whatever overtook it or forbade reading it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cobot_discord.clock import Clock
from cobot_discord.marks import Marks
from cobot_discord.parse import snowflake_at
from cobot_discord.places import Place
from cobot_discord.testing import CutAfter, Refuse, Reorder

pytestmark = pytest.mark.anyio


@pytest.fixture
def quiet(general):
    """A channel in which nobody has spoken yet."""
    return general.guild.channel("quiet")


async def overtaken(server, bot, general, quiet):
    """Let a message in one channel be overtaken by another's, and lost with the session."""
    ann = server.user("ann")
    ann.says("zero", general)
    assert await bot.texts() == ["zero"]
    server.faults.add(Reorder(), on="MESSAGE_CREATE", chat=quiet)
    server.faults.add(CutAfter(), on="MESSAGE_CREATE", chat=general)
    ann.says("overtaken", quiet)
    ann.says("one", general)
    server.gateway.forget_sessions()


async def test_a_message_overtaken_in_another_channel_is_not_lost(server, general, quiet, hand):
    """What a channel without marks missed is found, though its guild is further by now."""
    async with hand() as bot:
        await overtaken(server, bot, general, quiet)
        assert sorted(await bot.texts(2)) == ["one", "overtaken"]


async def test_a_floor_stays_behind_what_may_be_overtaken(server, general, quiet, hand):
    """After a restart the same message is found: the stored floor has not passed it."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("zero", general)
        assert await bot.texts() == ["zero"]
        before = int(hand.values[f"floor/{general.guild.id}"])
        lost = {"sent_at": datetime.now(UTC), "message_id": server.world.new_id()}
        late = ann.says("never told", quiet, **lost)  # history alone has it
        ann.says("one", general)
        assert await bot.texts() == ["one"]
    assert before <= int(hand.values[f"floor/{general.guild.id}"]) < int(late.id)
    async with hand() as bot:
        assert await bot.texts() == ["never told"]


async def test_the_first_message_of_a_chat_may_be_overtaken_too(server, general, hand):
    """With few marks all that came is known, so that something before them can be missing."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("zero", general.guild.channel("elsewhere"))
        await bot.receive()
    ann.says("one", general)
    two = ann.says("two", general)
    hand.values[f"seen/{general.id}"] = [int(two.id)]  # "two" overtook "one", and was stored
    async with hand() as bot:
        assert await bot.texts() == ["one"]


def id_ago(**ago):
    return snowflake_at(datetime.now(UTC) - timedelta(**ago))


@pytest.mark.parametrize(
    ("received", "floor"),
    [
        ([{"seconds": 1}], {"minutes": 10}),
        ([{"minutes": 5}], {"minutes": 10}),
        ([{"minutes": 30}], {"minutes": 30}),
        ([{"seconds": 90 + 2 * n} for n in range(20)], {"seconds": 120}),
        ([{"seconds": n} for n in range(1, 21)], {"minutes": 1}),
        ([{"minutes": 5 + n} for n in range(20)], {"minutes": 10}),
    ],
)
def test_how_far_a_floor_stays_behind(received, floor):
    """It passes neither the last minute nor the newest 16, unless those are old."""
    state, place, began = {}, Place("5", 0, guild="3"), datetime.now(UTC)
    marks = Marks(state)
    marks.begin("3", 1)
    for ago in received:
        marks.add(place, snowflake_at(began - timedelta(**ago)))
    marks.settle(["3"], moved=True)
    ended, back, second = datetime.now(UTC), timedelta(**floor), timedelta(seconds=1)
    assert snowflake_at(began - back - second) <= marks.floor("3")
    assert marks.floor("3") <= snowflake_at(ended - back + second)


@pytest.mark.parametrize("off", [-3600, 3600])
def test_a_floor_and_what_is_recent_keep_to_discords_time(set_clock, off):
    """With a wrong clock a floor stays behind as far, and a busy chat is looked at."""
    clock = Clock()
    clock.hear(format_datetime(datetime.now(UTC), usegmt=True))
    set_clock(off)
    marks, place = Marks({}, clock), Place("5", 0, guild="3", last=id_ago(minutes=2))
    marks.begin("3", 1)
    marks.add(place, place.last)
    marks.settle(["3"], moved=True)
    assert id_ago(minutes=11) < marks.floor("3") < id_ago(minutes=9)
    marks.begin("3", id_ago(seconds=0))
    assert marks.may_miss(place)


def test_a_guild_that_is_quiet_stores_its_floor_once():
    """A floor that only follows the clock is not written at every look."""
    writes = []

    class Noting(dict):
        def __setitem__(self, name, value):
            writes.append(name)
            super().__setitem__(name, value)

    marks, place = Marks(Noting()), Place("5", 0, guild="3")
    marks.begin("3", 1)
    marks.add(place, id_ago(minutes=3))
    writes.clear()
    marks.settle(["3"], moved=False)
    assert writes == []
    marks.add(place, id_ago(minutes=2))
    marks.settle(["3"], moved=True)
    assert writes == ["floor/3"]


async def test_forbidden_history_is_read_once_it_is_permitted(server, general, quiet, hand):
    """A gap that may not be read stays one, in a chat without marks too, over restarts."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("zero", general)
        await bot.receive()
    quiet.forbid("history")
    ann.says("out of reach", quiet)
    for word in ("live", "and live"):
        async with hand() as bot:
            ann.says(word, quiet)
            assert await bot.texts() == [word]
            hand.values[f"floor/{general.guild.id}"] = str(id_ago(seconds=0))
    quiet.permit("history")
    async with hand() as bot:
        assert await bot.texts() == ["out of reach"]
    assert f"unread/{quiet.id}" not in hand.values


async def test_a_gap_is_open_until_what_was_read_is_received(
    server, general, quiet, hand, monkeypatch
):
    """A crash after a forbidden gap was read, and before it was stored, leaves it open."""
    monkeypatch.setattr("cobot_discord.channel.BATCH", 1)
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("zero", general)
        await bot.receive()
    quiet.forbid("history")
    ann.says("one", quiet)
    ann.says("two", quiet)
    async with hand() as bot:
        await hand.until(lambda: f"unread/{quiet.id}" in hand.values)
    quiet.permit("history")
    async with hand() as bot:
        assert await bot.texts() == ["one"]
        assert f"unread/{quiet.id}" in hand.values
    async with hand() as bot:
        assert await bot.texts() == ["two"]
    assert f"unread/{quiet.id}" not in hand.values


async def test_a_changed_permission_is_tried_at_once(server, general, quiet, hand):
    """A channel that Discord tells a change of is asked again for what was forbidden."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("zero", general)
        await bot.receive()
    quiet.forbid("history")
    ann.says("out of reach", quiet)
    async with hand() as bot:
        await hand.until(lambda: f"unread/{quiet.id}" in hand.values)
        quiet.permit("history")
        server.gateway.dispatch(
            "CHANNEL_UPDATE",
            {"id": quiet.id, "type": 0, "guild_id": general.guild.id, "name": "quiet"},
        )
        assert await bot.texts() == ["out of reach"]


@pytest.mark.parametrize("by", ["role", "member", "deletion"])
async def test_what_a_role_forbade_is_read_when_roles_change(server, general, quiet, hand, by):
    """A changed role, another one of the bot's, and one that is gone may each permit it."""
    ann, thread = server.user("ann"), general.thread("details")
    async with hand() as bot:
        for place in (general, thread):
            ann.says("zero", place)
        await bot.receive(2)
    places = [quiet, thread]
    for place in places:
        place.forbid("history")
        ann.says("out of reach", place)
    async with hand() as bot:
        await hand.until(lambda: sum(name.startswith("unread/") for name in hand.values) == 2)
        general.guild.permit("history", by=by)
        got = await bot.receive(2)
    assert sorted(one.channel_id for one in got) == sorted([quiet.id, f"{general.id}/{thread.id}"])


async def test_a_chat_that_is_gone_is_not_asked_for_again(server, general, hand):
    """404 is no gap: there is nothing to read."""
    ann, thread = server.user("ann"), general.thread("details")
    async with hand() as bot:
        ann.says("zero", thread)
        await bot.receive()
    ann.says("one", thread)
    server.faults.add(Refuse(404, 10003, "Unknown Channel"), on="get_channel_messages")
    async with hand() as bot:
        ann.says("two", thread)
        assert await bot.texts() == ["two"]
    assert [name for name in hand.values if name.startswith("unread/")] == []


async def test_a_member_who_may_not_be_looked_up_costs_no_history(server, general, hand, caplog):
    """One refused look-up leaves one person without roles, and the rest of the chat whole."""
    ann, bob, crew = server.user("ann"), server.user("bob"), general.guild.role("crew")
    general.guild.give(bob, crew)
    async with hand() as bot:
        ann.says("zero", general)
        await bot.receive()
    ann.says("from ann", general)
    bob.says("from bob", general)
    server.faults.add(Refuse(403, 50001, "Missing Access"), on="get_guild_member")
    async with hand() as bot:
        got = await bot.receive(2)
    assert [(one.content, one.roles) for one in got] == [("from ann", []), ("from bob", [crew.id])]
    assert f"the roles of user {ann.id} are not known" in caplog.text


@pytest.mark.parametrize("odd", ["9" * 30, str(2**64 - 1), str(2**63), "0", "-1", "1e9", None])
async def test_an_id_that_cannot_be_one_poisons_nothing(server, general, hand, odd):
    """An event with an impossible id is left out; gaps are found as before."""
    ann = server.user("ann")
    event = {"channel_id": general.id, "guild_id": general.guild.id, "type": 0, "content": "odd"}
    event |= {"author": {"id": ann.id, "username": "ann"}, "timestamp": "2026-01-01T00:00:00Z"}
    async with hand() as bot:
        ann.says("zero", general)
        server.gateway.dispatch("MESSAGE_CREATE", {**event, "id": odd})
        server.gateway.dispatch("MESSAGE_CREATE", {**event, "id": "7", "channel_id": odd})
        if odd is not None:
            server.gateway.dispatch("MESSAGE_CREATE", {**event, "id": "7", "guild_id": odd})
        server.gateway.dispatch(
            "CHANNEL_UPDATE",
            {"id": general.id, "type": 0, "guild_id": general.guild.id, "last_message_id": odd},
        )
        ann.says("one", general)
        assert await bot.texts(2) == ["zero", "one"]
    ann.says("missed", general)
    async with hand() as bot:
        assert await bot.texts() == ["missed"]


@pytest.mark.parametrize("bad", [[10**30], ["x"], "x", [None], {"a": 1}, [2**63, -1], 5])
async def test_bad_stored_marks_are_dropped(server, general, hand, bad):
    """What is stored and cannot be a mark stops neither a session nor the filling of a gap."""
    ann, thread = server.user("ann"), general.thread("details")
    async with hand() as bot:
        ann.says("zero", general)
        await bot.receive()
    hand.values[f"seen/{general.id}/{thread.id}"] = hand.values["dm/77"] = bad
    hand.values["unread/88"] = bad
    hand.values["seen/"] = hand.values["dm"] = [1]
    ann.says("missed", general)
    async with hand() as bot:
        assert await bot.texts() == ["missed"]
