"""Throw bytes at what reads strangers' bytes, guided by what they reach: `fuzz.py TARGET SECONDS`.

A target may raise the errors that its callers expect and nothing else; whatever else it raises, and
whatever hangs, ends the run with the bytes that did it. Without arguments the targets are named.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(
    include=["cobot_session", "cobot_telegram", "cobot_discord", "cobot_nostr"]
):
    from cobot_discord import DiscordSettings
    from cobot_discord.parse import Parser
    from cobot_discord.places import MALFORMED, Places
    from cobot_nostr import nip19, nip44, wire
    from cobot_nostr.crypto import DecryptError
    from cobot_nostr.event import EventError, parse_event, parse_rumor
    from cobot_session.config.yamlfile import Reader
    from cobot_session.errors import ConfigError
    from cobot_session.spool.codec import load_incoming, load_outgoing
    from cobot_telegram.facts import Me
    from cobot_telegram.parse import MalformedUpdate, number_of, parse

TELEGRAM = (
    *("message", "edited_message", "callback_query", "message_reaction", "channel_post", "chat"),
    *("id", "from", "text", "date", "entities", "type", "offset", "length", "bold", "photo"),
    *("message_id", "reply_to_message", "caption", "document", "file_id", "data", "new_reaction"),
)
GATEWAY = (
    *("id", "1000", "author", "channel_id", "guild_id", "content", "mentions", "embeds", "type"),
    *("attachments", "url", "member", "roles", "timestamp", "2026-01-01T00:00:00+00:00", "<@1000>"),
    *("message_reference", "message_id", "sticker_items", "username", "bot", "emoji", "filename"),
)
EVENT = (
    "id",
    "pubkey",
    "kind",
    "tags",
    "content",
    "created_at",
    "sig",
    "e",
    "p",
    "0" * 64,
    "f" * 64,
)
ME = Me(700000001, "test_1_bot")
KEY = bytes(range(32))
SLOWEST = "5"
"""Seconds that one input may take."""
DISCORD = Parser(Places(), DiscordSettings.model_validate({"bot_token": "x"}))


def value_of(data: bytes, *words: str) -> Any:
    """Return the JSON value of some bytes; of other bytes, one that is built with those words."""
    with suppress(ValueError, RecursionError):
        return json.loads(data)
    return _built(atheris.FuzzedDataProvider(data), words, 5)


def _built(bytes_: Any, words: tuple[str, ...], depth: int) -> Any:
    match bytes_.ConsumeIntInRange(0, 7 if depth else 4):
        case 0:
            return bytes_.ConsumeIntInRange(-(2**65), 2**65)
        case 1:
            return bytes_.ConsumeUnicode(12)
        case 2:
            return bytes_.PickValueInList([None, True, False, 0, "", 1.5])
        case 3 | 4:
            return bytes_.PickValueInList(list(words))
        case 5:
            return [_built(bytes_, words, depth - 1) for _ in range(bytes_.ConsumeIntInRange(0, 3))]
        case _:
            keys = [bytes_.PickValueInList(list(words)) for _ in range(6)]
            return {key: _built(bytes_, words, depth - 1) for key in keys}


def telegram(data: bytes) -> None:
    """An update, as `getUpdates` and the webhook bring them."""
    update = value_of(data, *TELEGRAM)
    number_of(update)
    if isinstance(update, dict):
        with suppress(MalformedUpdate):
            parse({"update_id": 1, **update}, ME)


def discord(data: bytes) -> None:
    """A message of the gateway."""
    payload = value_of(data, *GATEWAY)
    if isinstance(payload, dict):
        with suppress(*MALFORMED):
            DISCORD.message(payload)


def nostr_frame(data: bytes) -> None:
    """A frame of a relay, and an event or a rumor in it."""
    text = data.decode("utf-8", "replace")
    with suppress(wire.ProtocolError):
        wire.parse(text)
    for read in (parse_event, parse_rumor):
        with suppress(EventError):
            read(value_of(data, *EVENT))


def nostr_id(data: bytes) -> None:
    """An id as people write it, and a payload as NIP-44 has it."""
    text = data.decode("utf-8", "replace")
    with suppress(nip19.IdentifierError):
        nip19.decode(text)
    with suppress(DecryptError):
        nip44.decrypt(text, KEY)


def settings(data: bytes) -> None:
    """A `cobot.yml`."""
    with suppress(ConfigError):
        Reader(Path("cobot.yml"), {}).read(data.decode("utf-8", "replace"))


def spool(data: bytes) -> None:
    """A row of the spool that somebody has tampered with."""
    text = data.decode("utf-8", "replace")
    for load in (load_incoming, load_outgoing):
        with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            load(text)


TARGETS = {one.__name__: one for one in (telegram, discord, nostr_frame, nostr_id, settings, spool)}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in TARGETS:
        sys.exit(f"fuzz.py TARGET SECONDS; targets: {' '.join(TARGETS)}")
    name, seconds = sys.argv[1:]
    atheris.Setup([name, f"-max_total_time={seconds}", f"-timeout={SLOWEST}"], TARGETS[name])
    atheris.Fuzz()
