"""What is posted to the webhook, whatever it holds, is answered and stops nothing."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_telegram.request import refused

if TYPE_CHECKING:
    from cobot_session.session import Session
    from cobot_telegram.testing import BotApiServer, User

pytestmark = pytest.mark.slow

SECRET = "a-secret-of-twenty-characters"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
UPDATES = st.fixed_dictionaries(
    {},
    optional={"update_id": JSON, "message": JSON, "callback_query": JSON, "edited_message": JSON},
)
BODIES = (
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | UPDATES.map(lambda value: json.dumps(value).encode())
    | st.integers(1, 5000).map(lambda depth: b"[" * depth)
)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Content-Encoding", "X-Forwarded-For"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)


@pytest.fixture
def port(settings: dict[str, Any]) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    webhook = {"url": f"http://127.0.0.1:{number}/hook", "secret": SECRET, "port": number}
    settings["plugins"]["telegram"] |= {"webhook": webhook, "poll_interval": 0.02}
    return number


@pytest.mark.timeout(300)
def test_no_body_stops_the_webhook(
    port: int, session: Session, server: BotApiServer, ada: User
) -> None:
    """Every request is answered, and afterwards what a person says arrives."""
    server.wait_for(lambda: server.bot.webhook is not None)

    @settings(deadline=None, max_examples=60)
    @given(BODIES, HEADERS, st.sampled_from([SECRET, SECRET, "wrong", "", "\xff" * 20]))
    def is_answered(body: bytes, headers: dict[str, str], secret: str) -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
        try:
            given = {**headers, "X-Telegram-Bot-Api-Secret-Token": secret}
            line.request("POST", "/hook", body, given)
            assert line.getresponse().status in ({200, 400} if secret == SECRET else {403})
        finally:
            line.close()

    is_answered()
    ada.says("still there")
    assert "still there" in [one.content for one in session.poll_all_channels(wait=40)]


ODD = [
    (7, 7.0),
    ("7", 7.0),
    (0, 0.0),
    (10**400, None),
    (1e300, 86_400.0),
    (float("inf"), None),
    (float("nan"), None),
    (-1, None),
    ([], None),
    ("soon", None),
]


@pytest.mark.parametrize(("told", "wait"), ODD, ids=[str(told)[:9] for told, _ in ODD])
def test_no_refusal_holds_anybody_up(told: Any, wait: float | None) -> None:
    """What it says of time is believed up to a day, and what cannot be meant not at all."""
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests"}
    found = refused(429, json.dumps({**body, "parameters": {"retry_after": told}}).encode())
    assert (found.description, found.retry_after) == ("Too Many Requests", wait)


@pytest.mark.parametrize("parameters", [None, [], "x", {"migrate_to_chat_id": {"a": 1}}])
def test_no_refusal_leads_nowhere(parameters: Any) -> None:
    """Its words count, whatever else it holds."""
    body = {"ok": False, "error_code": 400, "description": "Bad Request: x"}
    found = refused(400, json.dumps({**body, "parameters": parameters}).encode())
    assert (found.description, found.retry_after, found.migrate_to) == (
        "Bad Request: x",
        None,
        None,
    )
