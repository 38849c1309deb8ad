"""The block `nostr` of `cobot.yml`."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cobot_nostr.addresses import normalised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cobot_nostr.crypto import Key

_HEX64 = re.compile(r"[0-9a-fA-F]{64}")


def _relay(url: str) -> str:
    spelled = normalised(url)
    if spelled is None:
        raise ValueError("a relay is a websocket address such as wss://relay.example")
    return _no_private_key(spelled)


def _distinct(urls: list[str]) -> list[str]:
    return list(dict.fromkeys(urls))


def _event(text: str) -> str:
    from cobot_nostr import nip19

    return nip19.event(text)


def _person(text: str) -> str:
    from cobot_nostr import chats, nip19

    if nip19.is_nip05(text):
        raise ValueError(
            "a name such as user@example.com may change hands; write the npub it stands for"
        )
    return chats.person(text)


def _scalar(value: object) -> object:
    """A block that lists groups by `id` and `name`, as other channels' do, is taken, too."""
    return value.get("id") if isinstance(value, dict) and set(value) <= {"id", "name"} else value


def _no_private_key(text: str) -> str:
    from cobot_nostr import nip19

    if nip19.holds_private_key(text):
        raise ValueError("this is a private key, and everybody would read it here; keep it secret")
    return text


def _usable_key(value: SecretStr) -> SecretStr:
    """Look at the key where its place in the configuration is known; one with a password later."""
    from cobot_nostr.keys import check_key

    with _told_in_one():
        check_key(value.get_secret_value())
    return value


def _no_key_for_a_path(value: object) -> object:
    """Refuse a key that was pasted in the place of a path, before it is taken for one."""
    text = str(value).strip()
    if text.lower().startswith(("nsec1", "ncryptsec1")) or _HEX64.fullmatch(text):
        raise ValueError(
            "this is the private key itself and no path: put it into a file that only you can read"
            " (mode 0600) and write that file's path here, or write it as `nsec`"
        )
    return value


def _usable_file(path: Path) -> Path:
    """Look at the file now, so that a mistake is told before anything starts."""
    from cobot_nostr.keys import check_key, key_file_text

    with _told_in_one():
        check_key(key_file_text(path))
    return path


@contextmanager
def _told_in_one() -> Iterator[None]:
    """Say rule and fix in one sentence: the session has a fix of its own to add."""
    from cobot_nostr.keys import KeyProblem

    try:
        yield
    except KeyProblem as problem:
        raise ValueError(f"{problem.rule}: {problem.fix}") from None


Relay = Annotated[str, AfterValidator(_relay)]
Relays = Annotated[list[Relay], AfterValidator(_distinct)]
Person = Annotated[str, AfterValidator(_person)]
EventId = Annotated[str, BeforeValidator(_scalar), AfterValidator(_event)]
GroupId = Annotated[
    str,
    BeforeValidator(_scalar),
    Field(pattern=r"^[A-Za-z0-9_-]{1,100}$"),
    AfterValidator(_no_private_key),
]
KeyFile = Annotated[Path, BeforeValidator(_no_key_for_a_path), AfterValidator(_usable_file)]
Public = Annotated[str, AfterValidator(_no_private_key)]


class NostrConfig(BaseModel):
    """Settings of the Nostr channel."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    nsec: Annotated[SecretStr, AfterValidator(_usable_key)] | None = Field(
        None, description="The private key: nsec1…, 64 hexadecimal digits, or ncryptsec1…."
    )
    key_file: KeyFile | None = Field(
        None, description="A file that holds the key instead, readable by its owner only."
    )
    password: SecretStr | None = Field(
        None, description="Password of a key that begins with ncryptsec1."
    )
    relays: Relays = Field(
        min_length=1, max_length=32, description="Our relays, to read from and write to."
    )
    min_acks: int = Field(
        1, ge=1, le=32, description="How many relays must take a message before it counts as sent."
    )
    people: list[Person] = Field(
        [], description="Who may write to the agent: npub1…, nprofile1… or 64 hexadecimal digits."
    )
    groups: list[GroupId] = Field([], description="NIP-29 groups to take part in, by id.")
    channels: list[EventId] = Field(
        [], description="NIP-28 channels to take part in: note1…, nevent1… or hexadecimal."
    )
    mentions: bool = Field(True, description="Read public notes that mention us or answer us.")
    old_direct_messages: bool = Field(
        True, description="Read NIP-04 messages, which hide neither who writes nor to whom."
    )
    inbox_relays: Relays = Field(
        [], max_length=8, description="Relays we ask people to write to; default: `relays`."
    )
    publish_inbox: bool = Field(
        True, description="Publish that list (kind 10050), so that people's clients find us."
    )
    name: Public | None = Field(None, max_length=100, description="Name for our profile (kind 0).")
    about: Public | None = Field(
        None, max_length=2000, description="A line about us for the profile."
    )
    picture: Public | None = Field(None, max_length=500, description="Address of a picture of us.")
    catch_up: int = Field(
        86_400, ge=0, description="Seconds that the very first start reaches back."
    )
    clock_skew: int = Field(900, ge=0, description="Seconds an event may be dated into the future.")
    max_work: int = Field(
        20, ge=0, le=28, description="Most bits of work (NIP-13) done for a relay that asks."
    )
    private_networks: bool = Field(
        False, description="Use relays people name even when their address is not public."
    )

    @model_validator(mode="after")
    def _one_key(self) -> NostrConfig:
        if (self.nsec is None) == (self.key_file is None):
            raise ValueError("give the key once: `nsec: ${NOSTR_NSEC}` or `key_file: <path>`")
        if self._is_encrypted() and self.password is None:
            raise ValueError(
                "the key is encrypted (ncryptsec) and no password is given: set"
                " `password: ${NOSTR_PASSWORD}`"
            )
        key = None if self._is_encrypted() else self.key()
        shown = self.model_dump(mode="json", exclude={"nsec", "key_file", "password"})
        if key is not None and key.is_in(json.dumps(shown)):
            raise ValueError(
                "the private key stands in a second place, where others would see it: take it out"
            )
        return self

    def _key_text(self) -> str:
        from cobot_nostr.keys import key_file_text

        if self.key_file is not None:
            return key_file_text(self.key_file)
        return self.nsec.get_secret_value() if self.nsec is not None else ""

    def _is_encrypted(self) -> bool:
        from cobot_nostr.keys import is_encrypted

        return is_encrypted(self._key_text())

    def key(self) -> Key:
        """Return the key; one with a password takes a moment.

        Raises:
            KeyProblem: there is no usable one.
        """
        from cobot_nostr.keys import parse_key

        password = self.password.get_secret_value() if self.password is not None else None
        return parse_key(self._key_text(), password)

    def access(self) -> dict[str, Any]:
        """Return what these settings say about who may reach the agent."""
        chats = [f"group/{one}" for one in self.groups]
        chats += [f"channel/{one}" for one in self.channels]
        return {"users": self.people, "chats": chats}

    @classmethod
    def access_id(cls, kind: str, value: str) -> str:
        """Return a person's public key as digits, or a chat's id as messages carry it.

        Raises:
            ValueError: it is a name such as `ada@example.com`, or no key at all.
        """
        from cobot_nostr import chats

        if kind == "role":
            raise PydanticCustomError("role", "Nostr has no roles", {"fix": "Take `roles` out."})
        return _person(value) if kind == "user" else str(chats.parse(value))

    @classmethod
    def target_id(cls, value: str) -> str:
        """Return where a message is to go, unless that is a private key.

        Raises:
            ValueError: it is one; the text does not repeat it.
        """
        return _no_private_key(value)
