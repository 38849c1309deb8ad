"""What strangers say of attachments: names, types, sizes and addresses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobot_session import IncomingMessage, Media, PermanentError, TemporaryError
from cobot_session.attachments import (
    MAX_NAME,
    bounded,
    is_public,
    public_addresses,
    safe_filename,
    safe_mime_type,
    safe_url,
)
from cobot_session.normalise import incoming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photo.png", "photo.png"),
        ("../../.bashrc", "bashrc"),
        ("..\\..\\evil.exe", "evil.exe"),
        ("/etc/passwd", "passwd"),
        ("a\x00b\n.txt", "ab.txt"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("..", "attachment"),
        ("", "attachment"),
        (None, "attachment"),
        ("nul.txt", "_nul.txt"),
        ("a:b?.txt", "a_b_.txt"),
        ("x" * 400 + ".png", "x" * (MAX_NAME - 4) + ".png"),
    ],
)
def test_a_name_is_only_a_name(name: str | None, safe: str) -> None:
    """No path, nothing unseen, no device, not too long; the suffix stays."""
    assert safe_filename(name) == safe


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_name_can_be_a_file(name: str) -> None:
    """Whatever a stranger writes becomes one short path component, and stays as it is then."""
    safe = safe_filename(name)
    assert safe not in {"", ".", ".."}
    assert not set("/\\\0") & set(safe)
    assert len(safe.encode()) <= MAX_NAME + 1


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Image/PNG; charset=x", "image/png"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("text", None),
        ("text/html\r\nX: y", None),
        ("", None),
        (None, None),
    ],
)
def test_a_type_is_only_a_type(text: str | None, safe: str | None) -> None:
    """What is no MIME type is none."""
    assert safe_mime_type(text) == safe


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_only_public_addresses_are_public(address: str, public: bool) -> None:
    """Private ones are not, nor those that hold one within."""
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://user@169.254.169.254/latest",
        "file:///etc/passwd",
        "gopher://example.org/",
        "http://",
        "http://[",
    ],
)
def test_no_private_address_is_fetched(url: str) -> None:
    """However it is written, an address within is refused, and so is what is no web address."""
    with pytest.raises(PermanentError):
        asyncio.run(public_addresses(url))


def test_private_addresses_can_be_allowed() -> None:
    """Who says so gets the addresses to connect to."""
    assert asyncio.run(public_addresses("http://127.0.0.1:9/x", private=True)) == ["127.0.0.1"]


def test_a_host_that_is_not_found_may_be_later() -> None:
    """A name that nobody knows is a trouble that may pass."""
    with pytest.raises(TemporaryError, match=r"nowhere\.invalid"):
        asyncio.run(public_addresses("http://nowhere.invalid/?token=secret"))


def test_reading_stops_at_the_bound() -> None:
    """A body that never ends is given up at the bound."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    async def short() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    assert asyncio.run(bounded(short(), 3)) == b"abc"
    with pytest.raises(PermanentError, match="larger than 5000 bytes"):
        asyncio.run(bounded(endless(), 5000))


def test_what_a_channel_hands_in_is_cleaned() -> None:
    """The session itself cleans what any channel says of attachments."""
    media: Any = Media(
        filename="../../x\n.txt", mime_type="TEXT/plain\r\n", size=-1, url="file:///etc/passwd"
    )
    raw = IncomingMessage("1", "", "c", "s", "", "", datetime.now(UTC), media=[media])
    (made,) = incoming(raw, "x").media
    assert (made.filename, made.mime_type, made.size, made.url) == (
        "x.txt",
        "text/plain",
        None,
        None,
    )


def test_ordinary_addresses_pass() -> None:
    """A web address stays as it is."""
    assert safe_url("https://cdn.example.org:444/a?b=c#d") == "https://cdn.example.org:444/a?b=c#d"
