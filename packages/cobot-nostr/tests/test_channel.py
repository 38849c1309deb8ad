"""The channel's hooks against real relays: what people write arrives, what we say they can read."""

import asyncio
import json
import logging
import time

import pytest
from nostr_rig import BOT, Rig, nsec, rigged, running

from cobot_nostr import giftwrap, nip19, nip49, work
from cobot_nostr.crypto import Key
from cobot_nostr.event import make_event, make_rumor
from cobot_nostr.testing import NostrServer, Refuse
from cobot_session.errors import AuthError, PermanentError, RateLimited, TemporaryError
from cobot_session.messages import Media

pytestmark = pytest.mark.anyio


async def test_a_private_message_arrives_and_is_answered():
    """NIP-17 in and out: sender, name, time, chat; the person reads the answer, quoting theirs."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        said = ada.says("hello\n☃")
        (message,) = await rig.receive()
        assert (message.id, message.content, message.channel_id) == (
            said.id,
            "hello\n☃",
            ada.public,
        )
        assert (message.sender_id, message.sender_name, message.direct) == (ada.public, "Ada", True)
        assert message.timestamp.tzinfo is not None
        assert message.metadata["npub"] == ada.npub
        (sent,) = await rig.send(message.channel_id, "hi Ada", reply_to=message.id)
        answer = await ada.chat.wait_for_async("hi Ada")
        assert answer.reply_to == said.id
        assert sent.message_ids == (answer.id,)
        assert sent.detail == {"relays": {server.url: "ok"}}


async def test_messages_of_one_batch_come_in_the_order_they_were_written():
    """What is stored is told newest first by relays and handed on oldest first."""
    async with NostrServer(2, bot=BOT.public) as server:
        ada = server.user("Ada")
        now = int(time.time())
        for number in range(50):
            ada.says(str(number), at=now - 50 + number)
        async with running(server, people=[ada.npub]) as rig:
            got = await rig.receive(50)
            assert [message.content for message in got] == [str(n) for n in range(50)]


async def test_a_restart_repeats_nothing_and_misses_nothing():
    """A new life with the old state gets what came in between, and nothing it had."""
    state = {}
    async with NostrServer(2, bot=BOT.public) as server:
        ada = server.user("Ada")
        async with running(server, state) as rig:
            ada.says("one")
            assert [m.content for m in await rig.receive()] == ["one"]
        ada.says("two")
        async with running(server, state) as rig:
            assert [m.content for m in await rig.receive()] == ["two"]
            ada.says("three")
            assert [m.content for m in await rig.receive()] == ["three"]


async def test_what_was_not_committed_comes_again():
    """When a batch and its state are dropped, the next life gets the messages again."""
    async with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        async with running(server, {}) as rig:
            ada.says("one")
            assert [m.content for m in await rig.receive()] == ["one"]
        async with running(server, {}) as rig:
            (again,) = await rig.receive()
            assert again.content == "one"
            assert again.key == again.id


async def test_a_cancelled_receive_loses_nothing():
    """A receive that is given up leaves what has arrived for the next one."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        waiting = asyncio.create_task(rig.channel.session_receive())
        await asyncio.sleep(0)
        ada.says("one")
        await server.relays[0].wait_for_subscription_async(1059)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert [m.content for m in await rig.receive()] == ["one"]


async def test_a_wrap_sent_twice_is_one_message():
    """The same rumor in two wraps is delivered once."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        said = ada.says("one")
        server.publish(giftwrap.wrap(ada.key, said.event, BOT.public, int(time.time())))
        ada.says("two")
        got = await rig.receive(2)
        assert [m.content for m in got] == ["one", "two"]


async def test_old_wraps_are_read():
    """A wrap dated back two days arrives, as NIP-59 makes them."""
    async with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        rumor = make_rumor(ada.public, int(time.time()), 14, [["p", BOT.public]], "hidden")
        for back in (0, giftwrap.BACKDATED - 1):
            server.publish(
                giftwrap.wrap(
                    ada.key, rumor, BOT.public, int(time.time()), backdate=lambda _, b=back: b
                )
            )
        async with running(server) as rig:
            assert [m.content for m in await rig.receive()] == ["hidden"]


async def test_a_room_of_several_is_one_chat():
    """A private message to us and a third person is answered to both."""
    async with rigged() as (server, rig):
        ada, bob = server.user("Ada"), server.user("Bob")
        room = ada.chat_with(bob.public, BOT.public)
        ada.says("hello both", chat=room)
        (message,) = await rig.receive()
        assert message.channel_id == ",".join(sorted([ada.public, bob.public]))
        assert not message.direct
        await rig.send(message.channel_id, "hello you two")
        await room.wait_for_async("hello you two")


async def test_an_old_direct_message_is_answered_in_kind():
    """NIP-04 in, NIP-04 out, in a chat of its own."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        ada.says("old style", chat=ada.old_chat)
        (message,) = await rig.receive()
        assert (message.content, message.channel_id) == ("old style", f"nip04/{ada.public}")
        assert message.direct
        await rig.send(message.channel_id, "old answer", reply_to=message.id)
        await ada.old_chat.wait_for_async("old answer")
        assert ada.chat.answers == ()


async def test_a_public_mention_is_answered_in_its_thread():
    """Kind 1 that names us; the answer has NIP-10 tags and tells the author."""
    async with rigged() as (server, rig):
        ada, bob = server.user("Ada"), server.user("Bob")
        root = bob.says("a thought", chat=server.notes, mention="")
        said = ada.replies(root, "what do you say, bot?")
        (message,) = await rig.receive()
        assert message.channel_id == f"notes/{root.id}"
        assert (message.reply_to, message.direct) == (root.id, False)
        await rig.send(message.channel_id, "not much", reply_to=said.id)
        answer = await server.notes.wait_for_async("not much")
        assert ("e", root.id, "", "root") in answer.event.tags
        assert ("e", said.id, "", "reply") in answer.event.tags
        assert answer.event.values("p") == [ada.public]


async def test_a_note_that_does_not_name_us_is_nothing_to_us():
    """Public notes of others do not arrive."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        ada.says("to the world", chat=server.notes, mention="")
        ada.says("to you")
        assert [m.content for m in await rig.receive()] == ["to you"]


async def test_a_new_note_names_people_by_nip27():
    """A message to `notes` begins a thread, and people named in it are told."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        await rig.send("notes", f"look, nostr:{ada.npub}!")
        note = await server.notes.wait_for_async()
        assert note.event.values("p") == [ada.public]
        assert note.reply_to is None


async def test_groups_and_channels():
    """NIP-29 and NIP-28 both ways, only for those that are configured."""
    async with NostrServer(bot=BOT.public) as server:
        group, channel, other = server.group("cooks"), server.channel("C"), server.group("other")
        async with running(server, groups=["cooks"], channels=[nip19.note(channel.id)]) as rig:
            ada = server.user("Ada")
            ada.says("elsewhere", chat=other)
            in_group = ada.says("in group", chat=group, mention="")
            (one,) = await rig.receive()
            in_channel = ada.says("in channel", chat=channel, mention="")
            (two,) = await rig.receive()
            assert (one.channel_id, two.channel_id) == ("group/cooks", f"channel/{channel.id}")
            assert two.reply_to is None
            await rig.send(one.channel_id, "group answer", reply_to=one.id)
            await rig.send(two.channel_id, "channel answer", reply_to=two.id)
            answer = await group.wait_for_async("group answer")
            assert answer.event.value("q") == in_group.id
            answer = await channel.wait_for_async("channel answer")
            assert answer.reply_to == in_channel.id


@pytest.mark.parametrize("place", ["private", "notes"])
async def test_reactions_of_people_arrive_and_are_taken_back(place):
    """A reaction to what we said arrives, and so does its retraction."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        chat = ada.chat if place == "private" else server.notes
        said = ada.says("hello", chat=chat)
        (message,) = await rig.receive()
        await rig.send(message.channel_id, "answer", reply_to=said.id)
        answer = await chat.wait_for_async("answer")
        reaction = ada.reacts(answer, "+")
        (seen,) = await rig.receive()
        assert (seen.kind, seen.content, seen.reply_to) == ("reaction", "👍", answer.id)
        assert seen.channel_id == message.channel_id
        await deletions_followed(server, chat)
        ada.retracts(reaction, chat)
        (gone,) = await rig.receive()
        assert (gone.kind, gone.content, gone.reply_to) == ("reaction", "", answer.id)
        assert gone.key != seen.key


@pytest.mark.parametrize("place", ["private", "notes"])
async def test_our_reactions_are_seen_changed_and_taken_back(place):
    """One reaction of ours stands at a message at a time; an empty one removes it."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        said = ada.says("judge me", chat=ada.chat if place == "private" else server.notes)
        (message,) = await rig.receive()
        for emoji in ("🔥", "🎉", "", ""):
            await rig.channel.session_react(message.channel_id, said.id, emoji)
            await wait(server, lambda wanted=emoji: said.reactions.get(BOT.public, "") == wanted)


async def test_deletions_both_ways():
    """What people delete is told; what we delete is gone for them; others' is refused."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        for chat in (ada.chat, server.notes):
            said = ada.says("oops", chat=chat)
            (message,) = await rig.receive()
            (sent,) = await rig.send(message.channel_id, "wrong")
            answer = await chat.wait_for_async("wrong")
            await rig.channel.session_delete(message.channel_id, sent.message_ids[0])
            await wait(server, lambda answer=answer: answer.deleted)
            with pytest.raises(PermanentError, match="author"):
                await rig.channel.session_delete(message.channel_id, said.id)
            await deletions_followed(server, chat)
            ada.deletes(said)
            (gone,) = await rig.receive()
            assert (gone.kind, gone.id, gone.content) == ("deletion", said.id, "")


async def test_a_stranger_cannot_delete_what_is_not_theirs():
    """A deletion request by another than the author is nothing."""
    async with rigged() as (server, rig):
        ada, eve = server.user("Ada"), server.user("Eve")
        said = ada.says("mine")
        await rig.receive()
        rumor = make_rumor(eve.public, int(time.time()), 5, [["e", said.id]], "")
        server.publish(giftwrap.wrap(eve.key, rumor, BOT.public, int(time.time())))
        ada.says("next")
        assert [m.content for m in await rig.receive()] == ["next"]


async def test_our_own_messages_are_not_news():
    """What we wrote, here or on another device, does not come back as a message."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        me = server.user("me", key=BOT, introduced=False)
        me.says("from my phone", chat=me.chat_with(ada.public))
        me.says("note to all", chat=server.notes, mention=BOT.public)
        await rig.send(ada.public, "from here")
        ada.says("hello")
        assert [m.content for m in await rig.receive()] == ["hello"]


async def test_presence_is_a_status():
    """`presence` publishes NIP-38; the latest counts, also of several in one second."""
    async with rigged() as (server, rig):
        for status in ("online", "busy", "away", "offline"):
            await rig.channel.session_presence(status)
        (event,) = [event for event in server.relays[0].events if event.kind == 30315]
        assert event.content == server.statuses[BOT.public] == "offline"


async def test_inbox_relays_and_profile_are_published_once():
    """Kind 10050 and kind 0 are brought up to date, and left alone when they are."""
    async with NostrServer(bot=BOT.public) as server:
        for _ in range(2):
            async with running(server, name="cobot", inbox_relays=["wss://in.example"]):
                await wait(server, lambda: len(announced(server)) == 2)
        inbox, profile = sorted(announced(server), key=lambda event: -event.kind)
        assert inbox.tags == (("relay", "wss://in.example"),)
        assert json.loads(profile.content) == {"name": "cobot", "bot": True}


async def test_private_messages_go_to_the_persons_inbox_relays():
    """A message goes where the person reads, and our copy where we do."""
    async with NostrServer(2, bot=BOT.public) as server:
        ours, theirs = server.urls
        ada = server.user("Ada", introduced=False)
        ada.publishes(10050, [["relay", theirs]])
        async with running(server, relays=[ours], publish_inbox=False) as rig:
            (sent,) = await rig.send(ada.public, "hi")
            assert sent.detail == {"relays": {theirs: "ok", ours: "ok"}}
            await ada.chat.wait_for_async("hi")
            wraps = [event.value("p") for event in server.relays[0].events if event.kind == 1059]
            assert wraps == [BOT.public]


async def test_a_retry_publishes_the_same_event():
    """A part that is sent twice is one event at the relay."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        (part,) = await asyncio.to_thread(rig.render, ada.public, "once")
        first = await rig.channel.session_send(part)
        second = await rig.channel.session_send(part)
        assert first.message_ids == second.message_ids
        assert len([e for e in server.relays[0].events if e.value("p") == ada.public]) == 1


async def test_equal_texts_are_different_messages():
    """Two messages with the same text in the same second are two."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        await rig.send(ada.public, "ok")
        await rig.send(ada.public, "ok")
        await ada.chat.wait_for_async("ok", count=2)


async def test_a_long_text_comes_in_parts_that_relays_take():
    """Each part stays below 64 KiB on the wire, whatever it is made of, and nothing is lost."""
    async with NostrServer(bot=BOT.public) as server:
        server.relays[0].info["limitation"] = {"max_message_length": 65536}
        async with running(server) as rig:
            ada = server.user("Ada")
            text = 'a "quoted" line\n' * 5000
            sent = await rig.send(ada.public, text)
            await ada.chat.wait_for_async(count=len(sent))
            times = [message.event.created_at for message in ada.chat.answers]
            assert "".join(ada.chat.texts) == text
            assert times == sorted(set(times))


async def test_control_characters_do_not_leave_us():
    """They would give an id on which clients disagree; the rest of the text is kept."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        await rig.send(ada.public, "a\x00b\x1b[31m\tc\n\ud800")
        await ada.chat.wait_for_async("ab[31m\tc\n?")


@pytest.mark.parametrize(
    ("reasons", "error"),
    [
        (["blocked: no", "invalid: no"], PermanentError),
        (["blocked: no", "error: database"], TemporaryError),
        (["rate-limited: slow", "rate-limited: slow"], RateLimited),
        (["pow: 29 bits needed", "pow: 29 bits needed"], PermanentError),
    ],
)
async def test_what_relays_refuse_has_a_meaning(reasons, error):
    """Refused by all is permanent, anything that may pass is temporary, slow down is a pause."""
    async with rigged(2, publish_inbox=False) as (server, rig):
        ada = server.user("Ada")
        for relay, reason in zip(server.relays, reasons, strict=True):
            server.faults.add(Refuse(reason), on="EVENT", relay=relay, times=None)
        with pytest.raises(error) as caught:
            await rig.send(ada.public, "hi")
        assert type(caught.value) is error


async def test_work_is_done_for_a_relay_that_asks():
    """A refusal for want of work (NIP-13) is answered with work, in private and in public."""
    async with rigged(publish_inbox=False) as (server, rig):
        ada = server.user("Ada")
        for place, chat in ((ada.public, ada.chat), ("notes", server.notes)):
            server.faults.add(Refuse("pow: 8 bits needed"), on="EVENT", times=2)
            if place == "notes":
                rig.channel._identity.outbox.work = 0
                server.faults.clear()
                server.faults.add(Refuse("pow: 8 bits needed"), on="EVENT")
            await rig.send(place, "worked")
            answer = await chat.wait_for_async("worked")
        assert work.bits(answer.id) >= 8


async def test_work_that_a_relay_states_is_done_beforehand():
    """NIP-11's min_pow_difficulty is met before the first refusal."""
    async with NostrServer(bot=BOT.public) as server:
        server.relays[0].info["limitation"] = {"min_pow_difficulty": 8}
        async with running(server) as rig:
            await until(rig, lambda: rig.channel._identity.pool.work_wanted() == 8)
            await rig.send("notes", "worked")
            assert work.bits((await server.notes.wait_for_async("worked")).id) >= 8


async def test_names_a_person_may_write():
    """A chat is named by npub, nprofile, note, nevent or digits; nonsense is a clear error."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        for name in (ada.npub, nip19.nprofile(ada.public), f"nostr:{ada.npub}", ada.public.upper()):
            await rig.send(name, name)
            await ada.chat.wait_for_async(name)
        for wrong in ("", "ada", "npub1x", "00" * 32, "group/", "nip04/x", "x/y"):
            with pytest.raises(PermanentError, match="channel_id"):
                await rig.send(wrong, "x")


OTHER = nsec(Key.from_hex("0e" * 32))
DIGITS = BOT.secret_bytes().hex()


@pytest.mark.parametrize(
    "place",
    [
        *(nsec(), nsec().upper(), f"nostr:{nsec()}", DIGITS, OTHER, OTHER.upper()),
        *(nip49.encrypt(BOT, "x", 4), f"group/{OTHER}", f"nip04/{OTHER}", f"notes/{DIGITS}"),
        f"{Key.from_hex('0e' * 32).public},{OTHER}",
    ],
)
async def test_a_private_key_names_no_chat(place):
    """Written as a target it is refused, ours in digits too; nothing is published or repeated."""
    async with rigged(publish_inbox=False) as (server, rig):
        with pytest.raises(PermanentError, match="private key") as caught:
            await rig.send(place, "x")
        assert server.relays[0].events == []
        assert place.rpartition("/")[2] not in str(caught.value)


async def test_our_private_key_is_said_to_nobody():
    """An agent that was talked into telling the key cannot: no field of a message takes it."""
    async with rigged(publish_inbox=False) as (server, rig):
        ada = server.user("Ada", introduced=False)
        for fields in (
            {"content": f"here: {nsec()}."},
            {"content": DIGITS.upper()},
            {"content": "x", "reply_to": DIGITS},
            {"content": "x", "metadata": {"subject": nsec()}},
        ):
            with pytest.raises(PermanentError, match="private key of this channel") as caught:
                await rig.send(ada.public, **fields)
            assert DIGITS not in str(caught.value)
        for wrong in ((DIGITS, "x"), ("00" * 32, nsec())):
            with pytest.raises(PermanentError, match="private key of this channel"):
                await rig.channel.session_react(ada.public, *wrong)
        assert server.relays[0].events == []
        await rig.send(ada.public, f"somebody else's is not ours to judge: {OTHER}")


async def test_expired_and_future_events_are_dropped():
    """NIP-40 is honoured, and an event from the far future is not believed."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        now = int(time.time())
        for tags, at in (([["expiration", "1"]], now), ([], now + 10_000)):
            rumor = make_rumor(ada.public, at, 14, [["p", BOT.public], *tags], "no")
            server.publish(giftwrap.wrap(ada.key, rumor, BOT.public, now))
        ada.says("yes")
        assert [m.content for m in await rig.receive()] == ["yes"]


async def test_a_disappearing_message():
    """`metadata["expiration"]` lets relays forget the message."""
    async with rigged() as (server, rig):
        ada = server.user("Ada")
        later = int(time.time()) + 100
        await rig.send(ada.public, "psst", metadata={"expiration": later})
        await ada.chat.wait_for_async("psst")
        wraps = [event for event in server.relays[0].events if event.kind == 1059]
        assert {event.value("expiration") for event in wraps} == {str(later)}


async def test_health_tells_which_relay_is_in_trouble():
    """Healthy as long as one relay is read; the others are named with their trouble."""
    async with rigged(2) as (server, rig):
        await server.relays[0].stop_async()
        pool = rig.channel._identity.pool
        await until(rig, lambda: len(pool.reading) == 1)
        health = await rig.channel.session_health()
        assert health.ok
        assert server.urls[0] in health.detail
        await server.relays[1].stop_async()
        await until(rig, lambda: not pool.reading)
        assert not (await rig.channel.session_health()).ok


async def test_health_counts_what_is_wrong_with_each_relay(caplog):
    """What is malformed, forged or unreadable is told by relay and reason, with few log lines."""
    async with rigged(2) as (server, rig):
        ada, now = server.user("Ada"), int(time.time())
        said = [make_event(ada.key, now, 1, [["p", BOT.public]], text) for text in "abc"]
        forged = json.dumps(["EVENT", "public", {**said[2].to_dict(), "sig": "0" * 128}])
        for frame in ["["] * 12 + [forged] * 2:
            server.relays[0].sends(frame)
        server.relays[1].accept(make_event(ada.key, now, 1059, [["p", BOT.public]], "no cipher"))
        for relay, event in zip(server.relays, said, strict=False):
            relay.accept(event)  # comes after all that
        await rig.receive(2)
        health = await rig.channel.session_health()
    assert health.ok
    assert health.latency is not None
    bad = "14 bad messages (12x not JSON, 2x the signature is not the author's)"
    assert f"{server.urls[0]}: {bad}" in health.detail
    assert f"{server.urls[1]}: 1 unusable events (1x unreadable)" in health.detail
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2  # at the first and at the tenth


async def test_the_channel_stops_without_a_trace():
    """After stop no task of the channel is left."""
    before = asyncio.all_tasks()
    async with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        async with running(server) as rig:
            await rig.send(ada.public, "x")
        left = {task for task in asyncio.all_tasks() - before if "relay" in task.get_name()}
        assert not left


async def test_hooks_before_start_and_after_stop_say_so():
    """A hook called outside start and stop is a temporary trouble, no crash."""
    async with NostrServer(bot=BOT.public) as server:
        rig = Rig(server)
        with pytest.raises(TemporaryError):
            await rig.channel.session_receive()


async def test_the_private_key_is_nowhere(caplog, capfd):
    """Neither logs, messages, state, parts, errors nor output show the key."""
    caplog.set_level(logging.DEBUG)
    state = {}
    async with rigged(state=state) as (server, rig):
        ada = server.user("Ada")
        server.relays[0].auth_required = True
        await server.relays[0].restart_async()
        ada.says("hi")
        messages = await rig.receive()
        parts = await asyncio.to_thread(rig.render, ada.public, "hello")
        await rig.channel.session_send(parts[0])
        health = await rig.channel.session_health()
        shown = f"{messages} {parts} {state} {health} {rig.channel.config!r} {vars(rig.channel)}"
        shown += repr(rig.channel._identity) + str(rig.channel.config.model_dump())
    out = capfd.readouterr()
    everything = shown + caplog.text + out.out + out.err
    assert ada.public in everything
    for secret in (BOT.secret_bytes().hex(), nsec(), repr(BOT.secret_bytes())):
        assert secret not in everything


async def test_a_wrong_key_ends_the_channel(tmp_path):
    """A key that can no longer be read when the channel starts is never tried again."""
    path = tmp_path / "key"
    path.write_text(nsec())
    path.chmod(0o600)
    async with NostrServer(bot=BOT.public) as server:
        rig = Rig(server, nsec=None, key_file=str(path))
        path.chmod(0o644)
        with pytest.raises(AuthError, match="others can read the key file"):
            await rig.channel.start()
        path.chmod(0o600)
        await rig.channel.start()
        await rig.channel.stop()


async def test_an_encrypted_attachment_is_fetched():
    """A kind 15 file is downloaded, checked and decrypted."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from cobot_nostr import attachments

    key, nonce = bytes(32), bytes(12)
    cipher = AESGCM(key).encrypt(nonce, b"a picture", None)
    from hashlib import sha256

    async with web_server(cipher) as url, rigged() as (server, rig):
        ada = server.user("Ada")
        tags = [
            ["p", BOT.public],
            ["file-type", "image/png"],
            ["encryption-algorithm", "aes-gcm"],
            ["decryption-key", key.hex()],
            ["decryption-nonce", nonce.hex()],
            ["x", sha256(cipher).hexdigest()],
        ]
        rumor = make_rumor(ada.public, int(time.time()), 15, tags, url)
        server.publish(giftwrap.wrap(ada.key, rumor, BOT.public, int(time.time())))
        (message,) = await rig.receive()
        (media,) = message.media
        assert (media.kind, message.content) == ("image", "")
        assert await rig.channel.session_fetch(media) == b"a picture"
        with pytest.raises(PermanentError, match="hash"):
            attachments.decrypted(media, cipher + b"x")


async def test_attachments_inside_our_own_network_are_not_fetched():
    """Without `private_networks` an address that is not public is refused."""
    async with web_server(b"secret") as url, rigged(private_networks=False) as (_, rig):
        port = url.rpartition(":")[2]
        for inside in (
            url,
            f"http://[::ffff:127.0.0.1]:{port}",
            f"http://[64:ff9b::7f00:1]:{port}",
        ):
            with pytest.raises(PermanentError, match="not public"):
                await rig.channel.session_fetch(Media(url=inside))
        with pytest.raises(PermanentError):
            await rig.channel.session_fetch(Media(url="file:///etc/passwd"))


async def test_an_attachment_is_read_from_the_address_that_was_looked_at(monkeypatch):
    """A name that stands for another address the next time is not asked for twice."""
    looks = []

    async def resolve(url, *, private):
        looks.append((url, private))
        return ["127.0.0.1"]

    monkeypatch.setattr("cobot_nostr.web.public_addresses", resolve)
    async with web_server(b"a picture") as url, rigged(private_networks=False) as (_, rig):
        named = url.replace("127.0.0.1", "pictures.invalid")
        assert await rig.channel.session_fetch(Media(url=named)) == b"a picture"
        assert looks == [(named, False)]


async def test_hostile_tags_do_no_harm():
    """Valid signatures around nonsense: whatever the tags say, the next message arrives."""
    async with rigged() as (server, rig):
        eve = server.user("Eve")
        now = int(time.time())
        nonsense = [
            [["p", BOT.public], ["e", "x/y", "", "root"]],
            [["p", BOT.public], ["e", ""], ["e"], ["p"], ["p", "zz"]],
            [["p", BOT.public], ["imeta", "url http://[", "size 9"], ["imeta"], ["q"]],
            [["p", BOT.public], ["expiration", "9" * 400]],
            [["p", BOT.public], *[["p", f"{n:064x}"] for n in range(200)]],
        ]
        count = 0
        for tags in nonsense:
            for kind in (1, 4, 5, 7, 9, 14, 15, 42):
                server.publish(make_event(eve.key, now, kind, tags, "x"))
                rumor = make_rumor(eve.public, now, kind, tags, "http://x")
                server.publish(giftwrap.wrap(eve.key, rumor, BOT.public, now))
                count += 1
        ada = server.user("Ada")
        ada.says("sane", at=now + 5)
        got = []
        async with asyncio.timeout(40):
            while not any(m.content == "sane" for m in got):
                got += await rig.channel.session_receive()
        for message in got:
            assert message.sender_id in {eve.public, ada.public}
            assert "x/y" not in message.channel_id


async def wait(server, look):
    """Wait until something is true of the server's world."""
    await server.changes.wait_async(look, 40)


async def until(rig, look):
    """Wait until something is true of the channel's relays."""
    async with asyncio.timeout(40):
        await rig.channel._identity.pool.until(look)


async def deletions_followed(server, chat):
    """Wait until every relay is asked for the deletions by the people we heard in public."""
    if chat.kind == "private":
        return
    people = {user.public for user in server.users}

    def followed():
        return all(
            any(
                one.get("kinds") == [5] and people & set(one["authors"])
                for connection in relay._connections
                for filters in connection.subscriptions.values()
                for one in filters
            )
            for relay in server.relays
        )

    await wait(server, followed)


def announced(server):
    return [e for e in server.relays[0].events if e.kind in {0, 10050} and e.pubkey == BOT.public]


class web_server:  # noqa: N801  # used as a context manager
    """Serves one body over HTTP."""

    def __init__(self, body):
        self.body = body

    async def __aenter__(self):
        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + self.body)
            await writer.drain()
            writer.close()

        self.server = await asyncio.start_server(answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/file"

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()
