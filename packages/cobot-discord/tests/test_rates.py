"""What a 429 and its headers say is believed as far as it can be meant."""

import asyncio
import json

import pytest
from aiohttp import web

from cobot_discord.rates import Bucket, seconds_told
from cobot_discord.testing import RateLimit
from cobot_session.errors import RateLimited
from cobot_session.messages import OutgoingMessage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def limited(hand, server, general, monkeypatch):
    """Send to a server whose 429 has a body and headers of one's own; return what is raised."""

    async def met(body, headers=None):
        answer = web.Response(
            status=429,
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers={"Via": "1.1 google", "Content-Type": "application/json", **(headers or {})},
        )
        monkeypatch.setattr(server.rest, "_flood", lambda _: answer)
        server.faults.add(RateLimit(), on="create_message")
        async with hand() as bot:
            with pytest.raises(RateLimited) as caught:
                async with asyncio.timeout(30):
                    await bot.channel.session_send(OutgoingMessage("discord", general.id, "x"))
        return caught.value.retry_after, caught.value.scope

    return met


ODD = [
    None,
    "x",
    "",
    -1,
    float("inf"),
    float("-inf"),
    float("nan"),
    [1],
    {},
    True,
    10**400,
]


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_time_is_replaced_by_the_header(limited, odd):
    """A body that tells no seconds leaves the word to `Retry-After`."""
    assert await limited({"retry_after": odd}, {"Retry-After": "3"}) == (3.0, "chat")


@pytest.mark.parametrize(
    ("body", "header"),
    [({}, None), ([], "soon"), (7, "-5"), ("x", "inf"), (None, "nan"), ({"retry_after": None}, "")],
)
async def test_without_any_time_it_is_a_second(limited, body, header):
    """Where neither body nor header tells seconds, one is waited."""
    headers = {"Retry-After": header} if header else {}
    assert await limited(body, headers) == (1.0, "chat")


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b"[" * 100_000])
async def test_the_proxy_without_a_time_is_a_minute_for_everything(limited, body):
    """What is no JSON comes from the proxy in front of Discord."""
    assert await limited(body) == (60.0, "channel")


@pytest.mark.parametrize(
    ("told", "kept"), [(7200, 7200.0), (1e6, 86_400.0), ("2.5", 2.5), (0, 0.05)]
)
async def test_hours_are_kept_and_a_day_is_the_most(limited, told, kept):
    """A long limit that Discord really says is kept; one of weeks is cut to a day."""
    assert await limited({"retry_after": told, "global": True}) == (kept, "channel")


@pytest.mark.parametrize("value", [*ODD, b"1", "1e999"])
def test_what_tells_no_seconds(value):
    """Only a finite number that is not negative is one."""
    assert seconds_told(value) is None


@pytest.mark.parametrize("name", ["Limit", "Remaining", "Reset-After", "Reset"])
@pytest.mark.parametrize("value", ["x", "-1", "inf", "nan", "1e30", ""])
async def test_odd_headers_hold_nobody_up(name, value):
    """A bucket learns from headers of whatever sort without raising or blocking for long."""

    class Answer:
        headers = {  # noqa: RUF012
            "X-Ratelimit-Limit": "5",
            "X-RateLimit-Limit": "5",
            "X-Ratelimit-Remaining": "5",
            "X-RateLimit-Remaining": "5",
            "X-Ratelimit-Reset-After": "" if name == "Reset" else "0.01",
            "X-Ratelimit-Reset": "1",
            f"X-Ratelimit-{name}": value,
            f"X-RateLimit-{name}": value,
        }

    bucket = Bucket()
    async with bucket:
        bucket.update(Answer())
    assert bucket.limit >= 1
    assert bucket.reset_after >= 0
    assert bucket.reset_after <= 86_400
