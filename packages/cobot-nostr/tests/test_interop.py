"""The channel beside what we did not write: nostr-sdk's relay and client, and nostr-relay."""

import asyncio
import datetime
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager, nullcontext
from types import SimpleNamespace

import nostr_sdk
import pytest
from nostr_rig import nsec, running

from cobot_nostr.crypto import Key
from cobot_nostr.testing import NostrServer
from cobot_session import AsyncSession

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(200)]
SECONDS = datetime.timedelta(seconds=40)
SOON = datetime.timedelta(seconds=1)


@asynccontextmanager
async def ours():
    async with NostrServer() as server:
        yield server.url


@asynccontextmanager
async def ours_with_auth():
    async with NostrServer() as server:
        server.relays[0].auth_required = True
        yield server.url


@asynccontextmanager
async def sdk_relay(builder=None):
    relay = (builder or nostr_sdk.LocalRelayBuilder()).build()
    await relay.run()
    try:
        yield str(await relay.url())
    finally:
        relay.shutdown()


def sdk_relay_with_auth():
    mode = nostr_sdk.LocalRelayBuilderNip42(mode=nostr_sdk.LocalRelayBuilderNip42Mode.BOTH)
    return sdk_relay(nostr_sdk.LocalRelayBuilder().nip42(mode))


def sdk_relay_hiding_wraps():
    return sdk_relay(nostr_sdk.LocalRelayBuilder().auth_dm(True))


CONFIG = """\
storage: {{"sqlalchemy.url": "sqlite+aiosqlite:///{folder}/relay.sqlite3"}}
gunicorn: {{bind: "127.0.0.1:{port}", loglevel: info}}
authentication: {{enabled: true, relay_urls: ["ws://127.0.0.1:{port}"]}}
"""


@pytest.fixture(scope="module")
def nostr_relay(tmp_path_factory):
    """One nostr-relay on SQLite for all tests; each comes with an identity of its own."""
    folder = tmp_path_factory.mktemp("nostr-relay")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "relay.yaml").write_text(CONFIG.format(folder=folder, port=port))
    code = "from nostr_relay.cli import main; main()"
    command = [sys.executable, "-W", "ignore", "-c", code, "-c", "relay.yaml", "serve"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--use-uvicorn"], cwd=folder, stderr=log, stdout=log)
    try:
        end = time.monotonic() + 120
        while b"Uvicorn running" not in (folder / "log").read_bytes():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, "nostr-relay did not start"
            time.sleep(0.05)  # another process: there is no event to wait for
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


RELAYS = {
    "ours": lambda _: ours(),
    "ours with AUTH": lambda _: ours_with_auth(),
    "nostr-sdk": lambda _: sdk_relay(),
    "nostr-sdk with AUTH": lambda _: sdk_relay_with_auth(),
    "nostr-sdk hiding wraps": lambda _: sdk_relay_hiding_wraps(),
    "nostr-relay on SQLite": lambda request: nullcontext(request.getfixturevalue("nostr_relay")),
}


class Peer:
    """A person with a nostr-sdk client."""

    def __init__(self, bot):
        self.bot = nostr_sdk.PublicKey.parse(bot.public)
        self.keys = nostr_sdk.Keys.generate()
        self.public = self.keys.public_key().to_hex()

    @asynccontextmanager
    async def connected(self, *urls):
        authenticator = nostr_sdk.SignerAuthenticator(self.keys)
        self.client = nostr_sdk.ClientBuilder().authenticator(authenticator).build()
        soon = nostr_sdk.RelayOptions().retry_interval(SOON).adjust_retry_interval(False)
        for url in urls:
            await self.client.add_relay(nostr_sdk.RelayUrl.parse(url), opts=soon)
        await self.client.connect(and_wait=SECONDS)
        self.stream = self.client.notifications()
        wanted = nostr_sdk.Filter().pubkey(self.keys.public_key())
        await self.client.subscribe(nostr_sdk.ReqTarget.auto([wanted]))
        try:
            yield self
        finally:
            await self.client.shutdown()

    async def says(self, text):
        event = nostr_sdk.nip17_make_private_msg(self.keys, self.bot, text)
        await self.client.send_event(event)

    async def publishes(self, kind, content, tags):
        builder = nostr_sdk.EventBuilder(nostr_sdk.Kind(kind), content)
        event = builder.tags([nostr_sdk.Tag.parse(tag) for tag in tags]).finalize(self.keys)
        await self.client.send_event(event)
        return event.id().to_hex()

    async def wraps(self, kind, content, tags):
        builder = nostr_sdk.EventBuilder(nostr_sdk.Kind(kind), content)
        rumor = builder.tags([nostr_sdk.Tag.parse(tag) for tag in tags])
        rumor = rumor.finalize_unsigned(self.keys.public_key())
        await self.client.send_event(nostr_sdk.nip59_make_gift_wrap(self.keys, self.bot, rumor))

    async def hears(self, kind):
        """Return the next rumor or event of a kind that reaches this person."""
        async with asyncio.timeout(40):
            while True:
                news = await self.stream.next()
                assert news is not None
                if not news.is_new_event():
                    continue
                event = news.event
                if event.kind().as_u16() == 1059:
                    gift = await nostr_sdk.UnwrappedGift.from_gift_wrap_async(self.keys, event)
                    assert gift.sender().to_hex() == self.bot.to_hex()
                    event = gift.rumor().ensure_id()
                if event.kind().as_u16() == kind:
                    return event

    async def fetch(self, *ids):
        wanted = nostr_sdk.Filter().ids([nostr_sdk.EventId.parse(one) for one in ids])
        wanted = wanted.kind(nostr_sdk.Kind(1))
        return await self.client.fetch_events(nostr_sdk.ReqTarget.auto([wanted]), timeout=SECONDS)


@pytest.fixture(params=RELAYS)
async def met(request, _sdk_loop):
    """A relay with the channel and a nostr-sdk client on it."""
    bot = Key()
    async with RELAYS[request.param](request) as url:
        place = SimpleNamespace(urls=[url])
        async with running(place, nsec=nsec(bot)) as rig, Peer(bot).connected(url) as peer:
            yield SimpleNamespace(place=place, rig=rig, peer=peer, bot=bot)


async def test_private_messages_reactions_and_deletions(met):
    """NIP-17 messages, reactions and deletion requests are understood in both directions."""
    peer, rig = met.peer, met.rig
    await peer.says("grüße ☃")
    (message,) = await rig.receive()
    assert (message.content, message.channel_id) == ("grüße ☃", peer.public)
    (sent,) = await rig.send(message.channel_id, "zurück", reply_to=message.id)
    answer = await peer.hears(14)
    assert (answer.content(), answer.id().to_hex()) == ("zurück", sent.message_ids[0])
    await rig.channel.session_react(message.channel_id, message.id, "🔥")
    assert (await peer.hears(7)).content() == "🔥"
    await rig.channel.session_delete(message.channel_id, sent.message_ids[0])
    assert (await peer.hears(5)).kind().as_u16() == 5
    await peer.wraps(7, "+", [["e", sent.message_ids[0]], ["p", met.bot.public]])
    (reaction,) = await rig.receive()
    assert (reaction.kind, reaction.content) == ("reaction", "👍")
    await peer.wraps(5, "", [["e", message.id]])
    (deletion,) = await rig.receive()
    assert (deletion.kind, deletion.id) == ("deletion", message.id)


async def test_public_notes_reactions_and_deletions(met):
    """Mentions, threads, reactions and deletion requests are understood in both directions."""
    peer, rig = met.peer, met.rig
    note = await peer.publishes(1, "hello bot", [["p", met.bot.public]])
    (message,) = await rig.receive()
    assert message.channel_id == f"notes/{note}"
    (sent,) = await rig.send(message.channel_id, "hello", reply_to=message.id)
    answer = await peer.hears(1)
    assert answer.id().to_hex() == sent.message_ids[0]
    await peer.publishes(7, "🔥", [["e", sent.message_ids[0]], ["p", met.bot.public]])
    (reaction,) = await rig.receive()
    assert (reaction.kind, reaction.content) == ("reaction", "🔥")
    await rig.channel.session_react(message.channel_id, note, "🎉")
    assert (await peer.hears(7)).content() == "🎉"
    assert len(await peer.fetch(sent.message_ids[0])) == 1
    await rig.channel.session_delete(message.channel_id, sent.message_ids[0])
    assert len(await peer.fetch(sent.message_ids[0])) == 0


async def test_old_messages_and_our_inbox_list(met):
    """NIP-04 both ways; our kind 10050 is there for the client to find."""
    peer, rig = met.peer, met.rig
    cipher = nostr_sdk.nip04_encrypt(peer.keys.secret_key(), peer.bot, "old")
    await peer.publishes(4, cipher, [["p", met.bot.public]])
    (message,) = await rig.receive()
    assert (message.content, message.channel_id) == ("old", f"nip04/{peer.public}")
    await rig.send(message.channel_id, "old, too")
    answer = await peer.hears(4)
    text = nostr_sdk.nip04_decrypt(peer.keys.secret_key(), peer.bot, answer.content())
    assert text == "old, too"
    wanted = nostr_sdk.Filter().author(peer.bot).kind(nostr_sdk.Kind(10050))
    found = await peer.client.fetch_events(nostr_sdk.ReqTarget.auto([wanted]), timeout=SECONDS)
    relays = nostr_sdk.nip17_extract_relay_list(found[0])
    assert [str(url).rstrip("/") for url in relays] == met.place.urls


async def test_what_was_said_while_we_were_away(met):
    """After a pause the channel reads what the relay kept, once and in order."""
    peer, rig = met.peer, met.rig
    await peer.says("before")
    assert [m.content for m in await rig.receive()] == ["before"]
    await rig.channel.stop()
    for number in range(5):
        await peer.says(f"{number}")
    async with running(met.place, rig.state, nsec=nsec(met.bot)) as again:
        got = await again.receive(5)
        assert sorted(m.content for m in got) == ["0", "1", "2", "3", "4"]
        await peer.says("after")
        assert [m.content for m in await again.receive()] == ["after"]


@pytest.mark.usefixtures("_sdk_loop")
async def test_a_conversation_over_two_relays_with_one_restarted(tmp_path):
    """A session answers a nostr-sdk client message by message, while a relay goes and comes."""
    bot = Key()
    async with NostrServer() as server, sdk_relay() as sdk_url:
        urls = [server.url, sdk_url]
        peer = Peer(bot)
        block = {"nsec": nsec(bot), "relays": urls, "private_networks": True}
        block["people"] = [peer.keys.public_key().to_bech32()]
        config = {"plugins": {"workspace": {"path": str(tmp_path)}, "nostr": block}}
        async with peer.connected(*urls), AsyncSession(config) as session:
            answering = asyncio.create_task(session.run(lambda message: f"re: {message.content}"))
            heard = []
            for number in range(6):
                if number == 3:
                    await server.relays[0].restart_async()
                await peer.says(f"message {number}")
                heard.append(await peer.hears(14))
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            state = session.status()["nostr"].state
    print([rumor.content() for rumor in heard])  # the conversation
    assert [rumor.content() for rumor in heard] == [f"re: message {n}" for n in range(6)]
    assert len({rumor.id().to_hex() for rumor in heard}) == 6
    assert state == "online"
