"""The gateway's frames, whatever they hold: read, left out, or a reason to connect anew."""

import asyncio
import contextlib
import json
import threading
import tracemalloc
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cobot_discord.inflate import Inflater
from cobot_session import Media, PluginMeta, Session
from cobot_session.errors import ChannelError, OutcomeUnknown

pytestmark = pytest.mark.slow

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
OPS = st.integers(-1, 14).filter(lambda op: op not in {7, 9}) | JSON  # those order a reconnect
FRAMES = (
    st.text(max_size=40)
    | JSON
    | st.fixed_dictionaries({"op": OPS}, optional={"d": JSON, "s": JSON, "t": JSON})
    | st.fixed_dictionaries(
        {
            "op": st.just(0),
            "t": st.sampled_from(
                ["READY", "GUILD_CREATE", "MESSAGE_CREATE", "MESSAGE_DELETE_BULK", "THREAD_CREATE"]
            ),
            "d": JSON,
        }
    )
)


class Watch:
    """An observer that knows when the channel is online."""

    meta = PluginMeta(id="watch", version="1")

    def __init__(self):
        self.online = threading.Event()

    def session_on_status(self, channel_type, status):
        if (channel_type, status.state) == ("discord", "online"):
            self.online.set()


def socket_of(loop):
    """Return a connection of ours that has read nothing yet."""
    from cobot_discord.client import Socket

    socket = Socket(None, loop=loop)
    socket.shard_id = None  # as `from_client` sets it
    return socket


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=60) | st.binary(max_size=40).map(zlib.compress), max_size=4))
def test_no_frame_is_more_than_a_reason_to_connect_anew(frames):
    """Bytes that are no stream end the connection in the one way that leads to the next."""
    from discord.gateway import ReconnectWebSocket

    async def read():
        socket = socket_of(asyncio.get_running_loop())
        with contextlib.suppress(ReconnectWebSocket):
            for frame in frames:
                await socket.received_message(frame + b"\x00\x00\xff\xff")

    asyncio.run(read())


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def session(server, watch, tmp_path):
    """A session that lets everybody in, over the local gateway."""
    block = {"bot_token": server.token, "api_url": server.api_url, "identify_seconds": 0}
    block |= {"gateway_url": server.gateway_url, "access": {"open": True}}
    plugins = {"workspace": {"path": str(tmp_path)}, "console": {"enabled": False}}
    plugins |= {"discord": block, "watch": {}}
    with Session({"plugins": plugins}, plugins={"watch": lambda: watch}) as running:
        yield running


def test_no_payload_stops_the_channel(server, general, session, watch):
    """After any frames, what a person says arrives."""
    ann = server.user("ann")

    @settings(deadline=None, max_examples=25)
    @given(st.lists(FRAMES, min_size=1, max_size=4))
    def said_behind(frames):
        for frame in frames:
            server.gateway.send_raw(frame if isinstance(frame, str) else json.dumps(frame))
        said = ann.says("still there", general)
        got = []
        while said.id not in got:
            got += [one.id for one in session.poll_all_channels(wait=20)]
            assert got, "nothing came"

    watch.online.wait(20)
    said_behind()


@pytest.mark.parametrize("packed_too", [True, False], ids=["unpacked", "packed"])
def test_a_stream_that_swells_is_given_up(monkeypatch, packed_too):
    """No more is unpacked than one message may have, and the stream is not taken up again."""
    from discord.gateway import ReconnectWebSocket

    monkeypatch.setattr("cobot_discord.inflate.MOST", 1_000_000)
    pack = zlib.compressobj(9 if packed_too else 0)
    frame = pack.compress(bytes(100_000_000 if packed_too else 1_000_000))
    frame += pack.flush(zlib.Z_SYNC_FLUSH)

    async def read():
        socket = socket_of(asyncio.get_running_loop())
        tracemalloc.start()
        try:
            with pytest.raises(ReconnectWebSocket) as order:
                await socket.received_message(frame)
            return order.value.resume, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    resume, peak = asyncio.run(read())
    assert not resume
    assert peak < 10_000_000


def test_a_message_of_several_frames_is_put_together():
    """A flush ends a message; until then its frames are gathered, and nothing is left over."""
    pack, texts = zlib.compressobj(), []
    inflater = Inflater()
    for text in ("grüß dich " * 500, "second"):
        whole = pack.compress(text.encode()) + pack.flush(zlib.Z_SYNC_FLUSH)
        texts += [inflater.text(whole[n : n + 7]) for n in range(0, len(whole), 7)]
    assert [text for text in texts if text is not None] == ["grüß dich " * 500, "second"]


def test_a_gateway_that_swells_is_met_anew(server, general, session, watch, monkeypatch):
    """After more than is read at once a new session begins; what was said meanwhile comes."""
    watch.online.wait(20)
    monkeypatch.setattr("cobot_discord.inflate.MOST", 100_000)
    server.gateway.send_raw(" " * 1_000_000)
    server.user("ann").says("still there", general)
    assert [one.content for one in session.poll_all_channels(wait=20)] == ["still there"]
    assert server.gateway.identified == 2


class Answering:
    """Stands where requests leave: whatever is asked, it answers the same."""

    def __init__(self, answer):
        self.answer = answer

    async def request(self, *_, **__):
        return self.answer


ANSWERS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "attachments": JSON | st.lists(st.fixed_dictionaries({"id": st.just("3")})),
        "reactions": JSON | st.lists(st.fixed_dictionaries({"me": st.just(True)})),
    },
)


@settings(deadline=None, max_examples=200)
@given(ANSWERS)
@example({"attachments": [{"id": "3"}]})
@example({"reactions": [{"me": True, "emoji": {"id": "1"}}]})
@example({"id": "x"})
def test_no_answer_is_more_than_trouble(answer):
    """What Discord does not document is one of the session's errors, for sending an unknown end."""
    from cobot_discord.api import Api

    api = Api(Answering(answer))
    media = Media("image", id="1/2/3")

    async def read():
        for call in (api.fetch(media, ""), api.unreact("1", "2"), api.messages("1", None)):
            with contextlib.suppress(ChannelError):
                await call
        with contextlib.suppress(OutcomeUnknown):
            assert (await api.send("1", {}, [])).isdecimal()

    asyncio.run(read())
