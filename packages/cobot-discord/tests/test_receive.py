"""What people do on Discord arrives as the session's messages."""

import pytest

from cobot_discord.testing import File
from cobot_session.errors import PermanentError

pytestmark = pytest.mark.anyio


async def test_a_message_in_a_guild(server, general, hand):
    """A guild message carries its place, its author and the author's roles."""
    ann, admin = server.user("ann"), general.guild.role("admin")
    general.guild.give(ann, admin)
    async with hand() as bot:
        said = ann.says("hello **world**", general)
        (got,) = await bot.receive()
    assert (got.id, got.kind, got.key) == (said.id, "message", f"m{said.id}")
    assert (got.channel_id, got.space_id, got.direct) == (general.id, general.guild.id, False)
    assert (got.sender_id, got.sender_name) == (ann.id, "Ann")
    assert (got.content, got.timestamp) == ("hello **world**", said.created)
    assert got.roles == [admin.id]
    assert got.metadata == {"channel_name": "general", "username": "ann", "mentioned": False}


async def test_a_thread_lies_in_its_channel(server, general, hand):
    """A thread's address is `channel/thread`, so that a rule for the channel holds for it."""
    ann, thread = server.user("ann"), general.thread("details")
    async with hand() as bot:
        ann.says("in the thread", thread)
        late = general.thread("late")
        ann.says("in a new one", late)
        got = await bot.receive(2)
    assert [one.channel_id for one in got] == [f"{general.id}/{c.id}" for c in (thread, late)]
    assert got[0].metadata["parent_id"] == general.id


async def test_forum_posts_voice_chats_and_direct_messages(server, general, hand):
    """Every place where people write is one to listen in."""
    ann, guild = server.user("ann"), general.guild
    forum, voice = guild.forum("help"), guild.voice("Lounge")
    async with hand() as bot:
        post = ann.posts(forum, "How?", "Tell me how.")
        ann.says("spoken", voice)
        ann.says("between us")
        got = await bot.receive(3)
    assert [one.content for one in got] == ["Tell me how.", "spoken", "between us"]
    assert [one.channel_id for one in got] == [f"{forum.id}/{post.id}", voice.id, ann.dm.id]
    assert [one.direct for one in got] == [False, False, True]


async def test_edits_reactions_and_deletions_have_kinds(server, general, hand):
    """What happens to a message afterwards is an event of its own kind."""
    ann = server.user("ann")
    async with hand() as bot:
        said = ann.says("helo", general)
        ann.edits(said, "hello")
        ann.reacts(said, "👍")
        ann.unreacts(said, "👍")
        ann.deletes(said)
        _, edit, added, removed, deletion = await bot.receive(5)
    assert (edit.kind, edit.id, edit.content) == ("edit", said.id, "hello")
    assert edit.metadata["edited_at"]
    assert (added.kind, added.content, added.reply_to) == ("reaction", "👍", said.id)
    assert (removed.kind, removed.content, removed.reply_to) == ("reaction", "", said.id)
    assert removed.metadata["emoji"] == "👍"
    assert (deletion.kind, deletion.id, deletion.content) == ("deletion", said.id, "")
    assert len({one.key for one in (edit, added, removed, deletion)}) == 4


async def test_replies_and_mentions(server, general, hand):
    """A reply names what it answers; mentions read as names, their ids stay at hand."""
    ann, bob, role = server.user("ann"), server.user("bob"), general.guild.role("crew")
    async with hand() as bot:
        first = ann.says("first", general)
        text = f"<@{bob.id}> <@&{role.id}> <#{general.id}> <:wave:123> `<@{bob.id}>`"
        bob.replies(first, text)
        got = (await bot.receive(2))[1]
    assert got.content == f"@Bob @crew #general :wave: `<@{bob.id}>`"
    assert got.reply_to == first.id
    assert got.metadata["mentions"] == {bob.id: "Bob", ann.id: "Ann"}
    assert got.metadata["mention_roles"] == [role.id]


async def test_attachments_can_be_fetched_after_their_link_has_ended(server, general, hand):
    """An attachment is downloaded when asked, by a fresh link if need be."""
    ann, png = server.user("ann"), File("a.png", b"\x89PNG", "image/png")
    voice = File("voice.ogg", b"Ogg", "audio/ogg", duration=2.0)
    async with hand() as bot:
        ann.says("", general, files=[png])
        ann.says("", general, files=[voice], flags=1 << 13)
        pictured, spoken = (one.media[0] for one in await bot.receive(2))
        assert (pictured.kind, pictured.mime_type, pictured.size) == ("image", "image/png", 4)
        assert spoken.kind == "voice"
        assert await bot.channel.session_fetch(pictured) == b"\x89PNG"
        server.expire_links()
        assert await bot.channel.session_fetch(pictured) == b"\x89PNG"


async def test_no_more_of_an_attachment_is_read_than_it_may_have(server, general, hand):
    """A file that is larger than `max_download` is refused for good."""
    async with hand(max_download=10) as bot:
        server.user("ann").says("", general, files=[File("a.bin", bytes(11))])
        (message,) = await bot.receive()
        with pytest.raises(PermanentError, match="larger than 10 bytes"):
            await bot.channel.session_fetch(message.media[0])
    assert len(server.rest.named("cdn")) == 1  # a fresh link would lead to no other file


async def test_stickers_and_embeds(server, general, hand):
    """A sticker is media; embeds are metadata."""
    ann = server.user("ann")
    async with hand() as bot:
        ann.says("", general, stickers=[{"id": "7", "name": "wave", "format_type": 1}])
        ann.says("", general, embeds=[{"title": "News"}])
        sticker, embed = await bot.receive(2)
    assert (sticker.media[0].kind, sticker.media[0].filename) == ("sticker", "wave.png")
    assert embed.metadata["embeds"] == [{"title": "News"}]


async def test_notices_the_bots_own_and_other_bots_are_left_out(server, general, hand):
    """System messages, what the bot wrote and what bots and webhooks wrote does not arrive."""
    ann, other = server.user("ann"), server.user("other", bot=True)
    async with hand() as bot:
        ann.says("joined", general, kind=7)
        other.says("beep", general)
        other.says("hook", general, webhook=True)
        await bot.send(general, "my own")
        ann.says("the only one", general)
        assert await bot.texts() == ["the only one"]


async def test_other_bots_by_choice(server, general, hand):
    """`bots: true` lets other bots and webhooks in, and says what they are."""
    other = server.user("other", bot=True)
    async with hand(bots=True) as bot:
        await bot.send(general, "my own")
        other.says("beep", general)
        (got,) = await bot.receive()
    assert (got.content, got.metadata["bot"]) == ("beep", True)


async def test_mention_gating_needs_no_privileged_intent(server, general, hand):
    """With `respond: mentioned` only mentions, answers and DMs arrive, with their text."""
    server.gateway.privileged.clear()
    ann = server.user("ann")
    async with hand(respond="mentioned") as bot:
        (own_id,) = await bot.send(general, "mine")
        own = next(one for one in general.messages if one.id == own_id)
        ann.says("among us", general)
        ann.says(f"<@{server.bot.id}> you", general)
        ann.replies(own, "an answer")
        ann.says("direct")
        ann.reacts(own, "👍")
        got = await bot.receive(4)
    assert [one.content for one in got if not one.direct] == ["@Robot you", "an answer", "👍"]
    assert [one.content for one in got if one.direct] == ["direct"]


async def test_a_configured_channel_is_the_only_one_of_its_guild(server, general, hand):
    """`channels` narrows a guild to them and their threads."""
    ann, other = server.user("ann"), general.guild.channel("other")
    thread = general.thread("details")
    guilds = [{"id": int(general.guild.id), "channels": [int(general.id)]}]
    async with hand(guilds=guilds) as bot:
        ann.says("elsewhere", other)
        ann.says("here", general)
        ann.says("and here", thread)
        assert await bot.texts(2) == ["here", "and here"]


async def test_malformed_events_are_left_out_and_the_rest_goes_on(server, general, hand, caplog):
    """No event, frame or payload, however broken, stops those that come after it."""
    ann = server.user("ann")
    broken = [
        ("MESSAGE_CREATE", {}),
        ("MESSAGE_CREATE", {"id": "x", "channel_id": general.id, "author": None, "type": 0}),
        ("MESSAGE_CREATE", {"id": "1", "channel_id": general.id, "author": {}, "type": "z"}),
        ("MESSAGE_UPDATE", {"channel_id": general.id, "author": 3, "content": 4}),
        ("MESSAGE_REACTION_ADD", {"channel_id": general.id}),
        ("GUILD_CREATE", {"id": general.guild.id, "channels": [{}]}),
        ("MESSAGE_CREATE", []),
        ("MESSAGE_CREATE", None),
        ("THREAD_CREATE", "what"),
        ("UNHEARD_OF", {"a": 1}),
    ]
    async with hand() as bot:
        for event, data in broken:
            server.gateway.dispatch(event, data)
        for frame in ("{", "[]", '"x"', "{}", '{"op": 0, "t": null}', '{"op": "x"}'):
            server.gateway.send_raw(frame)
        ann.says("still here", general)
        assert await bot.texts() == ["still here"]
        assert server.gateway.identified == 1
    assert "cannot be read" in caplog.text


async def test_half_characters_are_replaced(server, general, hand):
    """Text that no UTF-8 can hold arrives, live and from history, with a mark in its place."""
    ann, half = server.user("ann"), "a\ud800b\udc00 👍"
    async with hand() as bot:
        ann.says(half, general)
        (live,) = await bot.receive()
    ann.says(half, general)
    async with hand() as bot:
        (missed,) = await bot.receive()
    assert live.content == missed.content == "a�b� 👍"


@pytest.mark.parametrize("odd", [{"a": 1}, ["x"], 5, True, 1.5])
async def test_content_that_is_no_text_is_none(server, general, hand, odd):
    """What should be text and is not is left out, and the message with it if nothing remains."""
    ann = server.user("ann")
    async with hand() as bot:
        for more in ({}, {"embeds": [{"title": "T"}]}):
            event = {
                "id": server.world.new_id(),
                "channel_id": general.id,
                "type": 0,
                "content": odd,
            }
            event |= {"author": {"id": ann.id, "username": odd, "global_name": odd}, "content": odd}
            event |= more
            event |= {"guild_id": general.guild.id, "timestamp": "2026-01-01T00:00:00+00:00"}
            server.gateway.dispatch("MESSAGE_CREATE", event)
        (got,) = await bot.receive()
    assert (got.content, got.metadata["embeds"]) == ("", [{"title": "T"}])
    assert got.sender_name == ann.id
