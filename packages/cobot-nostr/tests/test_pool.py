"""The relay pool against real sockets: everything arrives once, whatever the relays do."""

import asyncio
import json
import logging
import time
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import serve

from cobot_nostr.crypto import Key
from cobot_nostr.event import make_event
from cobot_nostr.pool import Pool
from cobot_nostr.testing import (
    CutAfter,
    Drop,
    Duplicate,
    FakeEose,
    Forge,
    HalfOpen,
    Hang,
    NostrServer,
    Refuse,
    Swallow,
)
from cobot_nostr.tuning import Tuning
from cobot_nostr.wire import Subscription

pytestmark = pytest.mark.anyio

US = Key.from_hex("11" * 32)
LOG = logging.getLogger("test")
FAST = Tuning(backoff=0.02, backoff_most=0.1, idle=0.2, patience=60.0, penalty=0.1, linger=0.2)
MENTIONS = Subscription(
    "mentions", lambda since: [{"kinds": [1], "#p": [US.public], "since": since}]
)


def mention(text, at=None, key=None):
    return make_event(key or Key(), at or int(time.time()), 1, [["p", US.public]], text)


def pool_of(server, **options):
    options.setdefault("tuning", FAST)
    return Pool(server.urls, [MENTIONS], US, LOG, strangers_anywhere=True, **options)


async def texts(pool, count, seconds=40):
    """Take until so many events have come."""
    got = []
    async with asyncio.timeout(seconds):
        while len(got) < count:
            await pool.wait(seconds)
            got += [arrival.event.content for arrival in pool.take(100)]
    return got


async def logged_in(relay, pool):
    """Wait until nothing is asked for again: having logged in we ask for all that is stored."""
    async with asyncio.timeout(40):
        await pool.until(lambda: relay._login.done and relay.inbox.caught_up)


async def nothing_more(pool, server):
    """Tell whether a last message comes alone: nothing else was on its way."""
    server.publish(mention("last"))
    return await texts(pool, 1) == ["last"] and not pool.take(10)


async def caught_up(pool, seconds=40):
    async with asyncio.timeout(seconds):
        await pool.until(lambda: all(relay.inbox.caught_up for relay in pool.relays.values()))


@asynccontextmanager
async def world(relays=1, **options):
    async with NostrServer(relays) as server, pool_of(server, **options) as pool:
        yield server, pool


async def test_what_several_relays_have_arrives_once():
    """Stored and new events arrive once, though three relays deliver them."""
    async with NostrServer(3) as server:
        server.publish(mention("stored"))
        async with pool_of(server) as pool:
            assert await texts(pool, 1) == ["stored"]
            server.publish(mention("new"))
            assert await texts(pool, 1) == ["new"]
            assert await nothing_more(pool, server)


async def test_one_relay_down_changes_nothing():
    """With one of two relays down events arrive, and when it is back it is read, too."""
    async with world(2) as (server, pool):
        await caught_up(pool)
        await server.relays[0].stop_async()
        server.relays[1].accept(mention("by the other"))
        assert await texts(pool, 1) == ["by the other"]
        server.relays[0].accept(mention("stored while we were away"))
        await server.relays[0].start_async()
        assert await texts(pool, 1) == ["stored while we were away"]


@pytest.mark.parametrize("forget", [False, True])
async def test_a_restarted_relay_is_asked_again(forget):
    """After a restart, with or without memory, nothing comes twice and new events come."""
    async with world() as (server, pool):
        server.publish(mention("before"))
        assert await texts(pool, 1) == ["before"]
        await server.relays[0].restart_async(forget=forget)
        await server.relays[0].wait_for_subscription_async(1)
        server.publish(mention("after"))
        assert await texts(pool, 1) == ["after"]
        assert await nothing_more(pool, server)


async def test_more_than_one_answer_holds_is_read():
    """A relay caps its answers; older events are asked for page by page, none is missed."""
    now = int(time.time())
    async with NostrServer() as server:
        for number in range(1205):
            server.relays[0].accept(mention(str(number), now - number // 3))
        async with pool_of(server, start_at=now - 3600) as pool:
            got = await texts(pool, 1205)
            assert sorted(map(int, got)) == list(range(1205))
            await caught_up(pool)


async def test_a_cursor_never_runs_ahead_of_what_was_taken():
    """While something waits to be taken the cursor stays before its arrival."""
    async with world() as (server, pool):
        await caught_up(pool)
        server.publish(mention("x"))
        await pool.wait(20)
        arrived = pool.relays[server.url].inbox.arrivals[0].at
        assert pool.cursors()[server.url] <= arrived
        pool.take(1)
        assert pool.cursors()[server.url] >= arrived - 1


async def test_duplicates_forgeries_and_fake_eose():
    """Twice delivered comes once, forged never, and after a fake EOSE new events still come."""
    async with NostrServer() as server:
        server.faults.add(FakeEose(), on="REQ")
        async with pool_of(server) as pool:
            await logged_in(pool.relays[server.url], pool)
            server.faults.add(Duplicate(), on="deliver")
            server.faults.add(Forge(), on="deliver")
            for text in ("twice", "forged", "plain"):
                server.publish(mention(text))
            assert await texts(pool, 2) == ["twice", "plain"]
            counts = pool.relays[server.url].line.counts
            assert (counts.duplicates, counts.forged) == (1, 1)


async def test_a_forged_copy_does_not_hide_the_real_event():
    """A liar that is faster than an honest relay cannot make us skip the honest copy."""
    async with world(2) as (server, pool):
        await caught_up(pool)
        await logged_in(pool.relays[server.url], pool)
        event = mention("real")
        server.faults.add(Forge(), on="deliver", relay=server.relays[0])
        server.relays[0].accept(event)
        server.relays[0].accept(mention("marker"))
        assert await texts(pool, 1) == ["marker"]
        server.relays[1].accept(event)
        assert await texts(pool, 1) == ["real"]


@pytest.mark.parametrize("reason", ["rate-limited: slow down", "error: no", "", "blocked: no"])
async def test_a_closed_subscription_is_opened_again(reason):
    """CLOSED with any reason is answered with another REQ, sooner or later."""
    async with NostrServer() as server:
        server.faults.add(Refuse(reason), on="REQ")
        async with pool_of(server) as pool:
            await server.relays[0].wait_for_subscription_async(1)
            server.publish(mention("x"))
            assert await texts(pool, 1) == ["x"]


async def test_authentication_is_given_and_everything_repeated():
    """A relay that demands NIP-42 is answered; then it is read and takes our events."""
    async with NostrServer(2) as server:
        server.relays[0].auth_required = True
        server.relays[0].accept(mention("stored"))
        async with pool_of(server) as pool:
            assert await texts(pool, 1) == ["stored"]
            published = await pool.publish(make_event(US, 1, 1, (), "out"), min_acks=2)
            assert published.done
            await server.relays[0].restart_async()
            published = await pool.publish(make_event(US, 2, 1, (), "out"), min_acks=2)
            assert published.done


async def test_refused_authentication_is_said():
    """When a relay refuses who we are, the answer of a send says so."""
    async with NostrServer() as server:
        server.relays[0].auth_required = True
        server.faults.add(Refuse("restricted: not you"), on="AUTH", times=None)
        async with pool_of(server) as pool:
            published = await pool.publish(make_event(US, 1, 1, (), "out"), patience=40)
            (answer,) = published.answers.values()
            assert (answer.verdict, answer.reason) == ("refused", "restricted: not you")
            assert "restricted" in pool.relays[server.url].line.problem


async def test_a_send_is_done_when_one_relay_has_it():
    """One OK is enough by default, and each relay's answer is told."""
    async with world(2) as (server, pool):
        await caught_up(pool)
        server.faults.add(Refuse("blocked: go away"), on="EVENT", relay=server.relays[0])
        published = await pool.publish(make_event(US, 1, 1, (), "out"))
        assert published.done
        assert list(published.as_dict().values()) == ["refused: blocked: go away", "ok"]


async def test_a_relay_that_says_nothing_holds_no_send_up():
    """One relay has it; the other's answer is waited for a while, and told as missing."""
    async with world(2) as (server, pool):
        await caught_up(pool)
        server.faults.add(Swallow(), on="EVENT", relay=server.relays[0])
        published = await pool.publish(make_event(US, 1, 1, (), "out"), grace=0.1)
        assert published.done
        silent, said = published.as_dict().values()
        assert silent.startswith("silent")
        assert said == "ok"


async def test_min_acks_waits_for_as_many():
    """With min_acks=2 one OK and one refusal are not enough."""
    async with world(2) as (server, pool):
        await caught_up(pool)
        server.faults.add(Refuse("blocked: go away"), on="EVENT", relay=server.relays[0])
        assert not (await pool.publish(make_event(US, 1, 1, (), "x"), min_acks=2)).done
        assert (await pool.publish(make_event(US, 2, 1, (), "x"), min_acks=2)).done


async def test_a_duplicate_is_success():
    """Publishing the same event again is answered `duplicate`, which means: it has it."""
    async with world() as (_, pool):
        event = make_event(US, 1, 1, (), "x")
        assert (await pool.publish(event)).done
        assert (await pool.publish(event)).done


async def test_an_event_waits_for_a_relay_that_comes_back():
    """An event handed over while the relay is away reaches it later, without asking again."""
    async with world() as (server, pool):
        await caught_up(pool)
        await server.relays[0].stop_async()
        event = make_event(US, 1, 1, (), "late")
        published = await pool.publish(event, patience=0.05)
        assert not published.done
        assert published.count("later") == 1
        await server.relays[0].start_async()
        assert (await pool.publish(event, patience=40)).done
        assert [one.content for one in server.relays[0].events] == ["late"]


@pytest.mark.parametrize("fault", [Drop(), Swallow(), CutAfter(), Hang(0.05)])
async def test_whatever_happens_to_a_publish_a_retry_has_one_effect(fault):
    """Lost, unanswered, cut or slow: after the retry the relay has the event once."""
    async with world() as (server, pool):
        await caught_up(pool)
        server.faults.add(fault, on="EVENT")
        event = make_event(US, 1, 1, (), "x")
        if not (await pool.publish(event, patience=0.2)).done:
            pool.relays[server.url].outbox.give_up(event.id)
            assert (await pool.publish(event, patience=40)).done
        assert len(server.relays[0].events) == 1


async def test_a_rate_limited_event_is_sent_again():
    """`rate-limited` is told at once, and the relay gets the event a little later all the same."""
    async with world() as (server, pool):
        await caught_up(pool)
        server.faults.add(Refuse("rate-limited: slow down"), on="EVENT", times=2)
        published = await pool.publish(make_event(US, 1, 1, (), "x"), patience=40)
        assert (published.done, published.count("later")) == (False, 1)
        await server.changes.wait_async(lambda: server.relays[0].events, 40)
        assert (await pool.publish(make_event(US, 1, 1, (), "x"), patience=40)).done


async def test_the_limits_a_relay_states_are_respected():
    """An event larger than NIP-11 allows is refused before it is sent."""

    async def describe(_):
        return {
            "limitation": {"max_message_length": 300, "min_pow_difficulty": 9, "max_limit": "x"}
        }

    async with world(describe=describe) as (server, pool):
        await caught_up(pool)
        published = await pool.publish(make_event(US, 1, 1, (), "x" * 300))
        (answer,) = published.answers.values()
        assert answer.reason == "the relay takes messages of at most 300 bytes"
        assert server.relays[0].counts.get("EVENT") is None
        assert pool.work_wanted() == 9


async def test_a_half_open_connection_is_noticed():
    """A connection that is open and dead is replaced, and what was missed is read."""
    async with NostrServer() as server:
        tuning = Tuning(backoff=0.02, idle=0.1, patience=0.3)
        async with pool_of(server, tuning=tuning) as pool:
            await caught_up(pool)
            server.faults.add(HalfOpen(), on="deliver")
            server.publish(mention("into the void"))
            assert await texts(pool, 1) == ["into the void"]
            assert pool.relays[server.url].line.counts.connects >= 2


async def test_silence_is_answered_with_a_question():
    """A relay that has nothing to say is asked whether it is still there, and keeps its place."""
    async with NostrServer() as server:
        tuning = Tuning(idle=0.05, patience=3600)
        async with pool_of(server, tuning=tuning) as pool:
            await caught_up(pool)
            await server.changes.wait_async(
                lambda: server.relays[0].counts.get("CLOSE", 0) >= 2, 30, lambda: "no probe"
            )
            assert pool.relays[server.url].line.counts.connects == 1


async def test_a_relay_that_is_asked_again_is_still_read():
    """New filters for a subscription are no trouble; a subscription that was refused is one."""
    async with world() as (server, pool):
        await caught_up(pool)
        pool.ask_again("mentions")
        assert not pool.relays[server.url].inbox.caught_up
        assert pool.reading
        server.faults.add(Refuse("error: no"), on="REQ")
        pool.ask_again("mentions")
        async with asyncio.timeout(40):
            await pool.until(lambda: not pool.reading)
            await pool.until(lambda: pool.reading)


async def test_the_latency_is_that_of_a_ping():
    """How long a relay takes is known soon after it is connected, and forgotten with it."""
    async with world() as (server, pool):
        relay = pool.relays[server.url]
        await caught_up(pool)
        await pool.publish(make_event(US, 1, 1, (), "x"))  # answered after the ping
        assert 0 < relay.pulse.latency < float("inf")
        await server.relays[0].stop_async()
        async with asyncio.timeout(40):
            await pool.until(lambda: not relay.line.connected)
        assert relay.pulse.latency is None


async def test_a_full_queue_pushes_back_and_loses_nothing():
    """When nobody takes, reading stops at the bound; all arrives when taking goes on."""
    tuning = Tuning(queue=8, backoff=0.02)
    async with world(2, tuning=tuning) as (server, pool):
        await caught_up(pool)
        for number in range(200):
            server.relays[0].accept(mention(str(number)))
        server.relays[1].accept(mention("quiet"))
        flooding, quiet = pool.relays.values()
        async with asyncio.timeout(40):
            await pool.until(lambda: quiet.inbox.arrivals and len(flooding.inbox.arrivals) >= 8)
        assert len(flooding.inbox.arrivals) == 8
        first = pool.take(4)
        assert "quiet" in [arrival.event.content for arrival in first]
        rest = await texts(pool, 197)
        assert len({*rest, *(a.event.content for a in first)}) == 201


RUBBISH = [
    "",
    "x",
    "[",
    "[]",
    "{}",
    "[1]",
    '["EVENT"]',
    '["EVENT","mentions"]',
    '["EVENT","mentions",{}]',
    '["EVENT","mentions",null]',
    '["EVENT","nobody",{}]',
    '["EOSE"]',
    '["OK"]',
    '["OK","x","true","y"]',
    '["CLOSED"]',
    '["AUTH"]',
    '["AUTH",{}]',
    '["NOTICE"]',
    '["NOTICE",{}]',
    '["CLOSED","mentions",7]',
    '["EVENT","mentions",{"id":7}]',
    '["UNKNOWN",1,2,3]',
    "[" * 50_000,
    '"\\ud800"',
    "1" * 5000,
]


async def test_rubbish_is_counted_and_harms_nobody():
    """Whatever one relay sends, nothing raises out, and the other relay's events arrive."""
    async with world(2) as (server, pool):
        await caught_up(pool)
        for frame in RUBBISH:
            server.relays[0].sends(frame)
        server.relays[1].accept(mention("good"))
        assert await texts(pool, 1) == ["good"]
        await server.relays[0].wait_for_subscription_async(1)
        server.relays[0].accept(mention("still here"))
        assert await texts(pool, 1) == ["still here"]
        counts = pool.relays[server.url].line.counts
        assert counts.bad == counts.bad_by.total() >= 15
        assert counts.bad_by["not JSON"] >= 5
        assert pool.relays[server.urls[1]].line.counts.told() == ""


async def test_a_relay_that_sends_only_rubbish_is_cut_off():
    """After many bad messages the connection is dropped and the relay left alone for a while."""
    tuning = Tuning(rubbish=10, penalty=60, backoff=0.02)
    async with world(tuning=tuning) as (server, pool):
        await caught_up(pool)
        for _ in range(20):
            server.relays[0].sends("[")
        relay = pool.relays[server.url]
        await server.changes.wait_async(lambda: not server.relays[0]._connections, 40)
        assert relay.line.problem == "it sent too much rubbish"


async def test_a_close_that_is_cut_off_leaves_no_connection(monkeypatch):
    """A relay that lets nobody go, or a machine that stood still, costs no socket."""
    monkeypatch.setattr("cobot_nostr.relay._CLOSE_SECONDS", 0.05)
    async with world(tuning=Tuning(rubbish=10, penalty=60, backoff=0.02)) as (server, pool):
        await caught_up(pool)
        for _ in range(50):  # what is not read holds up the answer to the close
            server.relays[0].sends("[")
        await server.changes.wait_async(lambda: not server.relays[0]._connections, 40)


async def test_a_message_too_large_to_read_ends_the_connection_only():
    """A message over the size limit ends that connection; then all goes on."""
    async with world() as (server, pool):
        await caught_up(pool)
        server.relays[0].sends("x" * (4 * 1024 * 1024 + 1))
        await server.changes.wait_async(lambda: server.relays[0].counts["connect"] >= 2, 30)
        await server.relays[0].wait_for_subscription_async(1)
        server.publish(mention("x"))
        assert await texts(pool, 1) == ["x"]


async def test_events_nobody_asked_for_are_dropped():
    """A valid event that no filter of ours asks for is foreign."""
    async with world() as (server, pool):
        await caught_up(pool)
        foreign = make_event(Key(), int(time.time()), 1, (), "advertisement")
        server.relays[0].sends(json.dumps(["EVENT", "mentions", foreign.to_dict()]))
        server.publish(mention("x"))
        assert await texts(pool, 1) == ["x"]
        assert pool.relays[server.url].line.counts.foreign == 1


async def test_a_relay_that_is_not_ours_is_used_and_let_go():
    """A relay named by a person is connected to for a send and left when idle."""
    async with NostrServer(2) as server:
        ours, theirs = server.urls
        async with Pool([ours], [MENTIONS], US, LOG, tuning=FAST, strangers_anywhere=True) as pool:
            published = await pool.publish(make_event(US, 1, 1, (), "x"), [theirs])
            assert published.as_dict() == {theirs: "ok"}
            assert server.relays[0].events == []
            await server.changes.wait_async(lambda: not server.relays[1]._connections, 40)
            published = await pool.publish(make_event(US, 2, 1, (), "x"), [theirs])
            assert published.done


async def test_strangers_cannot_point_us_at_our_own_network():
    """A relay that a person names must have a public address."""
    async with NostrServer() as server, Pool([], [], US, LOG, tuning=FAST) as pool:
        told = ""
        async with asyncio.timeout(40):
            while "public address" not in told:
                event = make_event(US, 1, 1, (), "x")
                published = await pool.publish(event, [server.url], patience=0.1)
                assert not published.done
                told = published.as_dict()[server.url]
        assert server.relays[0].counts == {}


async def test_fetch_asks_all_relays_and_ends_at_eose():
    """A question gets the union of what the relays have, newest first, in bounded time."""
    async with world(2) as (server, pool):
        await caught_up(pool)
        key = Key()
        server.relays[0].accept(make_event(key, 1, 0, (), "old"))
        server.relays[1].accept(make_event(key, 2, 0, (), "new"))
        found = await pool.fetch([{"kinds": [0], "authors": [key.public]}], 40)
        assert [event.content for event in found] == ["new", "old"]
        server.faults.add(Drop(), on="REQ", times=None)
        assert await pool.fetch([{"kinds": [0], "authors": [key.public]}], 0.1) == []


async def test_the_pool_leaves_no_task_behind():
    """After the pool is left, none of its tasks is."""
    before = asyncio.all_tasks()
    async with NostrServer() as server:
        async with pool_of(server) as pool:
            await caught_up(pool)
            await pool.publish(make_event(US, 1, 1, (), "x"), ["ws://127.0.0.1:1"], patience=0.1)
        assert not {
            t for t in asyncio.all_tasks() - before if t.get_name().startswith(("re", "wr"))
        }


async def test_what_is_no_websocket_is_survived():
    """A port that answers nonsense is retried quietly."""

    async def babble(reader, writer):
        writer.write(b"\x00\xff nonsense\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as nonsense:
        port = nonsense.sockets[0].getsockname()[1]
        async with NostrServer() as server:
            urls = [f"ws://127.0.0.1:{port}", server.url]
            async with Pool(urls, [MENTIONS], US, LOG, tuning=FAST) as pool:
                server.publish(mention("x"))
                assert await texts(pool, 1) == ["x"]


async def test_a_server_that_never_answers_is_survived():
    """A relay that accepts connections and says nothing holds nobody up."""

    async def silent(socket):
        await socket.wait_closed()

    async with serve(silent, "127.0.0.1", 0) as mute, NostrServer() as server:
        port = next(iter(mute.sockets)).getsockname()[1]
        tuning = Tuning(idle=0.1, patience=0.5, backoff=0.02, backoff_most=0.1)
        urls = [f"ws://127.0.0.1:{port}", server.url]
        async with Pool(urls, [MENTIONS], US, LOG, tuning=tuning) as pool:
            server.publish(mention("x"))
            assert await texts(pool, 1) == ["x"]
            published = await pool.publish(make_event(US, 1, 1, (), "x"), grace=0.1)
            assert published.done
