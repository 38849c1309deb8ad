"""The gateway's frames, whatever they hold: read, left out, or a reason to connect anew."""

import asyncio
import contextlib
import json
import threading
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_session import PluginMeta, Session

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
