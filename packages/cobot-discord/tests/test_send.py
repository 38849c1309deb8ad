"""What the agent sends arrives on Discord, once, and pings nobody unless told to."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cobot_discord.testing import (
    CutAfter,
    CutBefore,
    DiscordServer,
    File,
    Hang,
    RateLimit,
    ServerError,
)
from cobot_session.errors import (
    AuthError,
    OutcomeUnknown,
    PermanentError,
    RateLimited,
    TemporaryError,
)
from cobot_session.messages import Media, OutgoingMessage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bot(general, hand):
    async with hand() as bot:
        yield bot


def part(chat, content, **more):
    return OutgoingMessage("discord", chat.id, content, **more)


async def test_a_long_answer_is_cut_and_quotes_once(server, general, bot):
    """6,000 characters with code arrive whole, in order, with every fence closed and reopened."""
    said = server.user("ann").says("go on", general)
    code = "\n".join(f"line_{n} = {n}" for n in range(300))
    await bot.send(general, f"Look:\n\n```python\n{code}\n```\n\nThat was it.", reply_to=said.id)
    sent = general.by_bot()
    assert len(sent) > 2
    assert all(one.content.count("```") % 2 == 0 for one in sent)
    shown = "".join(one.content for one in sent)
    assert all(f"line_{n} = {n}" in shown for n in range(300))
    assert [one.reply_to for one in sent] == [said] + [None] * (len(sent) - 1)


async def test_threads_and_direct_messages(server, general, bot):
    """A thread's address is its channel's and its own; a DM's is its id."""
    ann, thread = server.user("ann"), general.thread("details")
    await bot.channel.session_send(
        OutgoingMessage("discord", f"{general.id}/{thread.id}", "in the thread")
    )
    await bot.send(ann.dm, "in private")
    assert [one.content for one in thread.by_bot()] == ["in the thread"]
    assert [one.content for one in ann.dm.by_bot()] == ["in private"]


async def test_a_reply_to_what_is_gone_is_a_message(server, general, bot):
    """A quoted message that was deleted does not hold the answer back."""
    await bot.send(general, "anyway", reply_to="1")
    assert [one.content for one in general.by_bot()] == ["anyway"]


async def test_twelve_files_go_in_two_messages(general, bot, tmp_path):
    """Ten files a message, from data and from paths, beside the text."""
    (tmp_path / "b.txt").write_bytes(b"from a path")
    media = [Media("document", data=b"%d" % n, filename=f"{n}.txt") for n in range(11)]
    media.append(Media("document", path=tmp_path / "b.txt"))
    await bot.send(general, "files", media=media)
    first, second = general.by_bot()
    assert (first.content, len(first.attachments), len(second.attachments)) == ("files", 10, 2)
    last = second.attachments[1].file
    assert last == File("b.txt", b"from a path", "text/plain")


async def test_a_linked_attachment_is_a_link(general, bot):
    """An attachment that is an address becomes a line of the text, which Discord unfolds."""
    await bot.send(general, "see", media=[Media("image", url="https://example.org/a.png")])
    assert general.by_bot()[0].content == "see\nhttps://example.org/a.png"


async def test_embeds_and_flags(general, bot):
    """Embeds, silence and suppressed previews are asked for in the metadata."""
    metadata = {"embeds": {"title": "T"}, "silent": True, "suppress_embeds": True}
    await bot.send(general, "x" * 2500, metadata=metadata)
    first, second = general.by_bot()
    assert (first.embeds, second.embeds) == ([], [{"title": "T"}])
    assert second.flags == 4 + 4096


LOUD = "@everyone @here <@{ann}> <@&{role}>"


@pytest.fixture
def ann(server):
    return server.user("ann")


@pytest.fixture
def loud(general, ann):
    return LOUD.format(ann=ann.id, role=general.guild.role("crew").id)


@pytest.mark.parametrize("way", ["send", "reply", "edit", "upload", "embed"])
async def test_nobody_is_pinged(general, bot, ann, loud, way):
    """No text of the agent notifies anyone, on whatever path it goes out."""
    said = ann.says("hello", general)
    match way:
        case "send":
            await bot.send(general, loud)
        case "reply":
            await bot.send(general, loud, reply_to=said.id)
        case "upload":
            await bot.send(general, loud, media=[Media(data=b"x", filename="x")], reply_to=said.id)
        case "embed":
            await bot.send(general, loud, metadata={"embeds": [{"title": "T"}]})
        case "edit":
            (sent,) = await bot.send(general, "quiet")
            await bot.channel.session_edit(general.id, sent, loud)
    assert general.by_bot()[0].content == loud
    assert general.by_bot()[0].pings == []


async def test_pings_that_are_asked_for(general, bot, ann, loud):
    """`metadata["allowed_mentions"]` is Discord's own object, and nothing beyond it pings."""
    said = ann.says("hello", general)
    await bot.send(general, loud, metadata={"allowed_mentions": {"users": [int(ann.id)]}})
    await bot.send(general, loud, metadata={"allowed_mentions": {"parse": ["everyone"]}})
    wish = {"replied_user": True}
    await bot.send(general, "x", reply_to=said.id, metadata={"allowed_mentions": wish})
    assert [one.pings for one in general.by_bot()] == [[ann.id], ["@everyone", "@here"], [ann.id]]


@pytest.mark.parametrize("wish", ["all", {"parse": "everyone"}, {"parse": ["x"]}, {"users_": []}])
async def test_a_wrong_wish_is_refused(general, bot, wish):
    """A misspelt `allowed_mentions` is a clear error; nothing is sent."""
    with pytest.raises(PermanentError, match="allowed_mentions"):
        await bot.send(general, "x", metadata={"allowed_mentions": wish})
    assert general.by_bot() == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (CutBefore(), OutcomeUnknown),
        (CutAfter(), OutcomeUnknown),
        (ServerError(500), TemporaryError),
        (ServerError(502), OutcomeUnknown),
        (ServerError(503), TemporaryError),
        (ServerError(504, processed=True), OutcomeUnknown),
        (ServerError(200, processed=True), OutcomeUnknown),  # of which no id can be read
    ],
)
async def test_a_repeat_after_trouble_sends_once(server, general, bot, fault, error):
    """Whether or not the first try took effect, a second one leaves one message."""
    server.faults.add(fault, on="create_message")
    message = part(general, "once", id="abc")
    with pytest.raises(error):
        await bot.channel.session_send(message)
    sent = await bot.channel.session_send(message)
    assert [(one.id, one.content) for one in general.by_bot()] == [(sent, "once")]


@pytest.mark.parametrize(("fault", "tries"), [(CutAfter(), 1), (CutBefore(), 2)])
async def test_a_late_repeat_looks_before_it_sends(server, general, bot, monkeypatch, fault, tries):
    """When Discord has forgotten the nonce, the history tells whether the message is there."""
    monkeypatch.setattr("cobot_discord.unsettled.NONCE_SECONDS", 0.0)
    server.rest.nonce_seconds = 0.0
    server.faults.add(fault, on="create_message")
    message = part(general, "once", id="abc")
    with pytest.raises(OutcomeUnknown):
        await bot.channel.session_send(message)
    sent = await bot.channel.session_send(message)
    assert [one.id for one in general.by_bot()] == [sent]
    assert len(server.rest.named("create_message")) == tries
    again = await bot.channel.session_send(part(general, "once", id="def"))
    assert again != sent


@pytest.mark.parametrize(
    ("first", "then"), [(600, 600), (3600, 3600), (-3600, -3600), (0, -3600), (3600, 0), (0, 3600)]
)
async def test_a_late_repeat_sends_once_whatever_the_clock_shows(
    server, general, hand, monkeypatch, set_clock, first, then
):
    """With a clock that is wrong, or is set meanwhile, the message that is there is found."""
    monkeypatch.setattr("cobot_discord.unsettled.NONCE_SECONDS", 0.0)
    server.rest.nonce_seconds = 0.0
    server.faults.add(CutAfter(), on="create_message")
    set_clock(first)
    async with hand() as bot:
        with pytest.raises(OutcomeUnknown):
            await bot.channel.session_send(part(general, "once", id="abc"))
        set_clock(then)
        sent = await bot.channel.session_send(part(general, "once", id="abc"))
    assert [one.id for one in general.by_bot()] == [sent]


async def test_an_earlier_message_is_not_the_one_that_was_lost(
    server, general, hand, monkeypatch, set_clock
):
    """With a clock that is behind, the same words of ten minutes ago do not settle a send."""
    monkeypatch.setattr("cobot_discord.unsettled.NONCE_SECONDS", 0.0)
    ago = datetime.now(UTC) - timedelta(minutes=10)
    earlier = server.world.post(general, server.bot, "once", sent_at=ago)
    server.faults.add(CutBefore(), on="create_message")
    set_clock(-3600)
    async with hand() as bot:
        with pytest.raises(OutcomeUnknown):
            await bot.channel.session_send(part(general, "once", id="abc"))
        sent = await bot.channel.session_send(part(general, "once", id="abc"))
    assert sent != earlier.id
    assert len(general.by_bot()) == 2


async def test_a_repeat_after_a_restart_looks_before_it_sends(server, general, hand):
    """How long a process was away nobody knows: a send whose answer was lost is looked for."""
    server.rest.nonce_seconds = 0.0
    server.faults.add(CutAfter(), on="create_message")
    async with hand() as bot:
        with pytest.raises(OutcomeUnknown):
            await bot.channel.session_send(part(general, "once", id="abc"))
    async with hand() as bot:
        sent = await bot.channel.session_send(part(general, "once", id="abc"))
    assert [one.id for one in general.by_bot()] == [sent]
    assert [name for name in hand.values if name.startswith("unsettled/")] == []


async def test_a_send_that_was_given_up_is_forgotten(server, general, hand, monkeypatch):
    """What is noted of a send that nobody tries again does not stay for ever."""
    server.faults.add(CutAfter(), on="create_message", times=2)
    async with hand() as bot:
        for name in ("old", "new"):
            with pytest.raises(OutcomeUnknown):
                await bot.channel.session_send(part(general, "x", id=name))
            monkeypatch.setattr("cobot_discord.unsettled.KEPT", timedelta(0))
    assert [name for name in hand.values if name.startswith("unsettled/")] == ["unsettled/new"]


@pytest.mark.parametrize("bad", ["x", "9" * 30, -1, [1], {"a": 1}, True])
async def test_a_bad_note_of_a_send_is_none(general, hand, bad):
    """What is stored and cannot be a moment holds no message back."""
    hand.values["unsettled/abc"] = bad
    async with hand() as bot:
        await bot.channel.session_send(part(general, "once", id="abc"))
    assert [one.content for one in general.by_bot()] == ["once"]


async def test_a_server_that_hangs_has_an_unknown_outcome(server, general, bot, monkeypatch):
    """An answer that does not come in time leaves the outcome open."""
    monkeypatch.setattr("cobot_discord.rest.JSON_SECONDS", 0.1)
    server.faults.add(Hang(3600), on="create_message")
    with pytest.raises(OutcomeUnknown):
        await bot.channel.session_send(part(general, "late", id="abc"))


async def test_a_server_that_is_gone_is_temporary(general, hand):
    """A request that cannot even leave is one to try again."""
    with DiscordServer() as short:
        chat = short.guild("Home").channel("general")
        async with hand(short) as bot:
            short.stop_thread()
            with pytest.raises((TemporaryError, OutcomeUnknown)):
                await bot.channel.session_send(part(chat, "on a line that was open"))
            with pytest.raises(TemporaryError, match="cannot connect") as caught:
                await bot.channel.session_send(part(chat, "x"))
    assert not isinstance(caught.value, OutcomeUnknown)


async def test_rate_limits_say_how_long_and_for_whom(server, general, bot):
    """A bucket's limit holds the chat, a global one the channel; nobody asks in between."""
    server.faults.add(RateLimit(0.4), on="create_message")
    with pytest.raises(RateLimited) as one:
        await bot.channel.session_send(part(general, "x"))
    assert (one.value.retry_after, one.value.scope) == (0.4, "chat")
    server.faults.add(RateLimit(3600, "global"), on="create_message")
    for _ in range(3):
        with pytest.raises(RateLimited) as every:
            await bot.channel.session_send(part(general, "x"))
        assert every.value.scope == "channel"
    assert server.rest.invalid == 2


async def test_the_proxys_own_limit_is_one_for_everything(server, general, bot):
    """A 429 without JSON comes from the proxy in front: everything waits."""
    server.faults.add(RateLimit(7, "cloudflare"), on="create_message")
    with pytest.raises(RateLimited) as limit:
        await bot.channel.session_send(part(general, "x"))
    assert (limit.value.retry_after, limit.value.scope) == (7, "channel")


async def test_buckets_are_kept_to(server, general, bot):
    """Requests keep to the bucket by its headers: all come, and none is refused."""
    server.limit("create_message", 2, 0.3)
    await asyncio.gather(*(bot.send(general, str(n)) for n in range(5)))
    assert len(general.by_bot()) == 5
    assert server.rest.invalid == 0


async def test_another_chat_does_not_wait_for_a_bucket(server, general, bot, monkeypatch):
    """While requests of one chat wait for their bucket, those of another go out."""
    monkeypatch.setattr("cobot_discord.rates.PATIENCE", 7200.0)
    server.limit("create_message", 2, 3600)
    other = general.guild.channel("other")
    crowd = [asyncio.create_task(bot.send(general, str(n))) for n in range(5)]
    await general.wait_for_async(count=2)
    await bot.send(other, "not held up")
    for task in crowd:
        task.cancel()
    ended = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(end, asyncio.CancelledError) for end in ended) >= 3
    assert len(general.by_bot()) == 2
    assert server.rest.invalid == 0


async def test_a_long_wait_is_the_lanes(server, general, bot, monkeypatch):
    """A bucket that stays empty for long is told to the lane instead of waited for."""
    monkeypatch.setattr("cobot_discord.rates.PATIENCE", 0.05)
    server.limit("create_message", 1, 3600)
    await bot.send(general, "one")
    with pytest.raises(RateLimited) as limit:
        await bot.send(general, "two")
    assert 3000 < limit.value.retry_after <= 3600
    assert len(server.rest.named("create_message")) == 1


@pytest.mark.parametrize("act", ["send", "view"])
async def test_a_forbidden_chat_is_permanent(general, bot, act):
    """What the bot may not do is not tried again; the error says Discord's reason."""
    general.forbid(act)
    with pytest.raises(PermanentError, match="403 Missing"):
        await bot.send(general, "x")


async def test_refusals_for_good(server, general, bot):
    """An unknown chat, a closed DM and a wrong id are permanent."""
    ann = server.user("ann")
    ann.closes_direct_messages()
    with pytest.raises(PermanentError, match="50007"):
        await bot.send(ann.dm, "x")
    with pytest.raises(PermanentError, match="10003"):
        await bot.channel.session_send(OutgoingMessage("discord", "1", "x"))
    with pytest.raises(PermanentError, match="is no Discord id"):
        await bot.channel.session_send(OutgoingMessage("discord", "../@me", "x"))
    with pytest.raises(PermanentError, match="50006"):
        await bot.send(general, "")


async def test_a_revoked_token_is_an_auth_error(server, general, bot):
    """A 401 ends the channel, with words that say what to check."""
    server.revoke_token()
    with pytest.raises(AuthError, match="bot_token"):
        await bot.send(general, "x")


async def test_edit_delete_react_and_typing(server, general, bot):
    """The other verbs do what they say, and what is done already is success."""
    channel = bot.channel
    (sent,) = await bot.send(general, "one")
    await channel.session_edit(general.id, sent, "two")
    assert general.by_bot()[0].content == "two"
    await channel.session_react(general.id, sent, "👍")
    await channel.session_react(general.id, sent, "<:wave:123>")
    assert list(general.by_bot()[0].reactions) == ["👍", "wave:123"]
    await channel.session_react(general.id, sent, "")
    assert general.by_bot()[0].reactions == {}
    await channel.session_typing(general.id)
    assert general.typing == 1
    await channel.session_delete(general.id, sent)
    await channel.session_delete(general.id, sent)
    await channel.session_react(general.id, sent, "")
    assert general.by_bot() == []


async def test_presence_is_shown_and_shown_again(server, general, hand):
    """A presence and the activity hold over a new session."""
    gateway = server.gateway
    shown = {"away": "idle", "busy": "dnd", "offline": "invisible", "online": "online"}
    async with hand(activity="at work") as bot:
        for word, status in shown.items():
            await bot.channel.session_presence(word)
            await gateway.wait_until_async(lambda gw, s=status: gw.world.presence["status"] == s)
            assert gateway.world.presence["activities"][0]["state"] == "at work"
        await bot.channel.session_presence("busy")
        gateway.invalidate()
        await gateway.wait_until_async(lambda gw: gw.identified == 2)
        assert gateway.world.presence["status"] == "dnd"
