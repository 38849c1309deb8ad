"""A relay that means harm: memory stays flat, nothing raises out, the others' messages arrive."""

import itertools
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from nostr_rig import BOT, running
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from cobot_nostr import giftwrap, nip44
from cobot_nostr.crypto import Key
from cobot_nostr.event import make_event, make_rumor
from cobot_nostr.testing import NostrServer
from cobot_nostr.tuning import Tuning

pytestmark = pytest.mark.anyio
MEGABYTE = 2**20


def wicked_frames():
    """Return messages that are each wrong in a way of their own, for one subscription."""
    eve = Key()
    now = int(time.time())
    note = make_event(eve, now, 1, [["p", BOT.public]], "hello").to_dict()
    foreign = make_event(eve, now, 1, [["p", eve.public]], "hello").to_dict()
    junk = make_event(eve, now, 1059, [["p", BOT.public]], "A" * 500).to_dict()
    rumor = make_rumor(eve.public, now, 14, [["p", BOT.public]], "x")
    wrap = giftwrap.wrap(eve, rumor, BOT.public, now).to_dict()
    inside = nip44.encrypt("[" * 5000, nip44.conversation_key(eve, BOT.public))
    deep = make_event(eve, now, 1059, [["p", BOT.public]], inside).to_dict()
    wicked = [
        {**note, "content": "changed"},
        {**note, "sig": "0" * 128},
        {**note, "id": "0" * 64},
        {**note, "kind": "1"},
        {**note, "tags": [["p", BOT.public]] * 6000},
        {**note, "content": "x" * 600_000},
        {**note, "created_at": 10**30},
        {**wrap, "pubkey": eve.public},
        foreign,
        junk,
        deep,
        None,
        {},
    ]
    frames = [json.dumps(["EVENT", "wraps", one]) for one in wicked]
    frames += [json.dumps(["EVENT", "public", one]) for one in wicked]
    return [*frames, "[", "[" * 20_000, '["OK"]', '["EVENT","nobody",{}]', "\x00", '["AUTH",1]']


class Hostile:
    """Answers every subscription with wicked messages, as fast as they are read, for ever."""

    def __init__(self):
        self.connections = 0
        self._frames = wicked_frames()
        self._small = [frame for frame in self._frames if len(frame) < 10_000]

    async def __call__(self, peer):
        self.connections += 1
        try:
            await peer.recv()
            for turn in itertools.count():
                for frame in self._small if turn % 5 else self._frames:
                    await peer.send(frame)
        except ConnectionClosed:
            return


def resident():
    """Return the memory this process holds, in bytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


async def hostile_run(monkeypatch, total):
    """Read `total` messages of a hostile relay, while a person talks over an honest one.

    Returns the megabytes that memory grew after a fifth of them, and the figures of the run.
    """
    tuning = Tuning(backoff=0.01, backoff_most=0.02, penalty=0.01, patience=60.0)
    monkeypatch.setattr("nostr_rig.FAST", tuning)
    hostile = Hostile()
    async with serve(hostile, "127.0.0.1", 0, ping_interval=None, compression=None) as wicked:
        port = next(iter(wicked.sockets)).getsockname()[1]
        async with NostrServer(bot=BOT.public) as server:
            ada = server.user("Ada")
            place = SimpleNamespace(urls=[f"ws://127.0.0.1:{port}", server.url])
            async with running(place) as rig:
                counts = rig.channel._identity.pool.relays[place.urls[0]].line.counts
                said, early = 0, 0
                while (read := counts.bad + counts.events + counts.duplicates) < total:
                    if not early and read > total / 5:
                        early = resident()
                    ada.says(f"message {said}")
                    (message,) = await rig.receive(seconds=60)
                    assert (message.sender_id, message.content) == (ada.public, f"message {said}")
                    said += 1
                growth = (resident() - early) / MEGABYTE
                assert (await rig.channel.session_health()).ok
    return growth, f"{hostile.connections} connections, {counts}, {said} messages meanwhile"


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_a_hostile_relay_harms_nobody(monkeypatch):
    """3,000 wicked messages: what a person says over an honest relay arrives all the while."""
    growth, _ = await hostile_run(monkeypatch, 3000)
    assert growth < 40


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_a_hostile_relay_harms_nobody_in_a_long_run(monkeypatch):
    """100,000 wicked messages: memory does not grow with them."""
    begun = time.monotonic()
    growth, figures = await hostile_run(monkeypatch, 100_000)
    print(  # the figures of the run
        f"\n100,000 wicked messages: {figures}, memory grew {growth:.1f} MB,"
        f" {time.monotonic() - begun:.0f} s"
    )
    assert growth < 40
