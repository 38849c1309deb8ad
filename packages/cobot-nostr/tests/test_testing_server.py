"""The local relays behave as relays do: an independent client finds nothing odd."""

import asyncio
import datetime
import json

import httpx
import nostr_sdk
import pytest
from websockets.asyncio.client import connect

from cobot_nostr.crypto import Key
from cobot_nostr.event import make_event, parse_event
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

pytestmark = pytest.mark.anyio
SECONDS = datetime.timedelta(seconds=40)


def note(key, text="x", at=1000, kind=1, tags=()):
    return make_event(key, at, kind, tags, text)


class Client:
    """A bare client: one socket, one message at a time."""

    def __init__(self, socket):
        self.socket = socket

    async def ask(self, *message):
        await self.socket.send(json.dumps(message))

    async def next(self, timeout=40):
        async with asyncio.timeout(timeout):
            return json.loads(await self.socket.recv())


@pytest.fixture
async def server():
    async with NostrServer() as running:
        yield running


@pytest.fixture
async def client(server):
    async with connect(server.url) as socket:
        made = Client(socket)
        assert (await made.next())[0] == "AUTH"
        yield made


async def test_stored_events_come_before_eose_and_new_ones_after(server, client):
    """A subscription gets what is stored, newest first, then EOSE, then what arrives."""
    key = Key()
    for at in (1, 3, 2):
        server.publish(note(key, str(at), at))
    await client.ask("REQ", "s", {"kinds": [1], "limit": 2})
    assert [(await client.next())[2]["content"] for _ in range(2)] == ["3", "2"]
    assert await client.next() == ["EOSE", "s"]
    server.publish(note(key, "new", 4))
    server.publish(note(key, "foreign", 5, kind=7))
    server.publish(note(key, "newer", 6))
    assert [(await client.next())[2]["content"] for _ in range(2)] == ["new", "newer"]


async def test_replacement_deletion_and_expiry(server):
    """Replaceable events replace, deletion requests delete one's own, expired ones go."""
    key, other = Key(), Key()
    relay = server.relays[0]
    relay.accept(note(key, "old", 1, kind=0))
    relay.accept(note(key, "new", 2, kind=0))
    assert relay.accept(note(key, "older", 0, kind=0)).startswith("duplicate")
    target = note(key, "target")
    relay.accept(target)
    relay.accept(note(other, "", kind=5, tags=[["e", target.id]]))
    assert relay.store.get(target.id)
    relay.accept(note(key, "", kind=5, tags=[["e", target.id]]))
    assert relay.accept(target).startswith("blocked")
    assert relay.accept(note(key, "", tags=[["expiration", "1"]])).startswith("invalid")
    assert sorted(event.content for event in relay.events) == ["", "", "new"]


async def test_an_invalid_event_is_refused(client):
    """An event that breaks NIP-01 gets OK false with the reason."""
    await client.ask("EVENT", {**note(Key()).to_dict(), "content": "changed"})
    answer = await client.next()
    assert answer[2] is False
    assert answer[3].startswith("invalid:")
    for rubbish in ([], [1], [{}]):
        await client.ask("EVENT", *rubbish)
        assert (await client.next())[2] is False


async def test_authentication(server, client):
    """With auth_required nothing is read or written before the challenge is answered."""
    server.relays[0].auth_required = True
    await client.ask("REQ", "s", {"kinds": [1]})
    closed = await client.next()
    assert closed[:2] == ["CLOSED", "s"]
    assert closed[2].startswith("auth-required:")
    key = Key()
    wrong = make_event(key, 1, 22242, [["relay", server.url], ["challenge", "x"]], "")
    await client.ask("AUTH", wrong.to_dict())
    assert (await client.next())[2] is False


async def test_the_nip11_document(server):
    """The relay tells about itself over HTTP."""
    async with httpx.AsyncClient() as web:
        answer = await web.get(
            server.url.replace("ws:", "http:"), headers={"Accept": "application/nostr+json"}
        )
    assert 42 in answer.json()["supported_nips"]


async def test_faults_on_writing(server, client):
    """Refused, swallowed, dropped and delayed events are what they are called."""
    key = Key()
    relay = server.relays[0]
    server.faults.add(Refuse("rate-limited: slow"), on="EVENT")
    server.faults.add(Swallow(), on="EVENT")
    server.faults.add(Drop(), on="EVENT")
    server.faults.add(Hang(0.01), on="EVENT")
    events = [note(key, str(number)) for number in range(4)]
    for event in events:
        await client.ask("EVENT", event.to_dict())
    assert await client.next() == ["OK", events[0].id, False, "rate-limited: slow"]
    assert await client.next() == ["OK", events[3].id, True, ""]
    assert {event.content for event in relay.events} == {"1", "3"}


async def test_faults_on_reading(server, client):
    """Forged, duplicate and dropped deliveries and a fake EOSE are what they are called."""
    key = Key()
    server.publish(note(key, "stored"))
    server.faults.add(FakeEose(), on="REQ")
    await client.ask("REQ", "s", {"kinds": [1]})
    assert await client.next() == ["EOSE", "s"]
    server.faults.add(Drop(), on="deliver")
    server.faults.add(Duplicate(), on="deliver")
    server.faults.add(Forge(), on="deliver")
    for text in ("dropped", "twice", "forged"):
        server.publish(note(key, text, 2000))
    got = [(await client.next())[2] for _ in range(3)]
    assert [event["content"] for event in got] == ["twice", "twice", "forged"]
    with pytest.raises(ValueError, match="signature"):
        parse_event(got[2])


async def test_a_cut_after_storing(server, client):
    """CutAfter stores the event and drops the connection without an answer."""
    server.faults.add(CutAfter(), on="EVENT")
    await client.ask("EVENT", note(Key(), "kept").to_dict())
    with pytest.raises(Exception, match="close"):
        await client.next()
    assert [event.content for event in server.relays[0].events] == ["kept"]


async def test_a_fault_must_fit(server):
    """A fault that cannot happen at that point is refused when it is ordered."""
    with pytest.raises(ValueError, match="cannot happen"):
        server.faults.add(Forge(), on="EVENT")
    with pytest.raises(ValueError, match="cannot happen"):
        server.faults.add(HalfOpen(), on="evnt")


@pytest.mark.parametrize("forget", [False, True])
async def test_a_restart_keeps_the_port_and_forgets_on_demand(server, forget):
    """After a restart the relay listens where it did, with or without its memory."""
    url = server.url
    server.publish(note(Key()))
    await server.relays[0].restart_async(forget=forget)
    assert server.url == url
    assert len(server.relays[0].events) == (0 if forget else 1)
    async with connect(url) as socket:
        assert json.loads(await socket.recv())[0] == "AUTH"


@pytest.mark.usefixtures("_sdk_loop")
async def test_a_foreign_client_talks_to_scripted_people():
    """nostr-sdk and a scripted person exchange private messages over the local relay."""
    keys = nostr_sdk.Keys.generate()
    async with NostrServer(bot=keys.public_key().to_hex()) as server:
        server.relays[0].auth_required = True
        ada = server.user("Ada")
        client = (
            nostr_sdk.ClientBuilder().authenticator(nostr_sdk.SignerAuthenticator(keys)).build()
        )
        await client.add_relay(nostr_sdk.RelayUrl.parse(server.url))
        await client.connect(and_wait=SECONDS)
        wrap = nostr_sdk.nip17_make_private_msg(
            keys, nostr_sdk.PublicKey.parse(ada.public), "hello Ada"
        )
        await client.send_event(wrap)
        heard = await ada.chat.wait_for_async("hello Ada")
        ada.replies(heard, "hello there")
        wanted = nostr_sdk.Filter().kind(nostr_sdk.Kind(1059)).pubkey(keys.public_key())
        found = await client.fetch_events(nostr_sdk.ReqTarget.auto([wanted]), timeout=SECONDS)
        gift = await nostr_sdk.UnwrappedGift.from_gift_wrap_async(keys, found[0])
        assert gift.rumor().content() == "hello there"
        await client.shutdown()


def test_the_server_runs_in_a_thread():
    """With a plain `with` everything works from synchronous code, waits included."""
    with NostrServer(relays=2) as server:
        ada, bob = server.user("Ada"), server.user("Bob")
        message = ada.says("hi", chat=ada.chat_with(bob.public))
        bob.reacts(message, "+")
        assert message.reactions == {bob.public: "+"}
        ada.deletes(message)
        assert ada.chat_with(bob.public).messages == ()
        server.relays[0].restart(forget=True)
        with pytest.raises(TimeoutError, match="did not come"):
            ada.chat_with(bob.public).wait_for("nothing", timeout=0.01)
    assert not server.relays[0].listens


async def test_a_blocking_wait_on_the_servers_loop_is_refused(server):
    """A wait that would stop the server says what to await instead."""
    ada = server.user("Ada")
    with pytest.raises(RuntimeError, match="_async"):
        ada.chat_with(ada.public).wait_for("x")
