"""The block `nostr` of `cobot.yml`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # pydantic reads the annotation
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from cobot_nostr.addresses import normalised


def _relay(url: str) -> str:
    spelled = normalised(url)
    if spelled is None:
        raise ValueError("a relay is a websocket address such as wss://relay.example")
    return spelled


def _distinct(urls: list[str]) -> list[str]:
    return list(dict.fromkeys(urls))


def _event(text: str) -> str:
    from cobot_nostr import nip19

    return nip19.event(text)


def _person(text: str) -> str:
    from cobot_nostr import nip19

    if nip19.is_nip05(text):
        raise ValueError(
            "a name such as user@example.com may change hands; write the npub it stands for"
        )
    return nip19.person(text)


def _scalar(value: object) -> object:
    """A block that lists groups by `id` and `name`, as other channels' do, is taken, too."""
    return value.get("id") if isinstance(value, dict) and set(value) <= {"id", "name"} else value


def _usable_key(value: SecretStr) -> SecretStr:
    """Look at the key where its place in the configuration is known; one with a password later."""
    from cobot_nostr.keys import parse_key

    if not value.get_secret_value().strip().startswith("ncryptsec1"):
        parse_key(value.get_secret_value())
    return value


Relay = Annotated[str, AfterValidator(_relay)]
Relays = Annotated[list[Relay], AfterValidator(_distinct)]
Person = Annotated[str, AfterValidator(_person)]
EventId = Annotated[str, BeforeValidator(_scalar), AfterValidator(_event)]
GroupId = Annotated[str, BeforeValidator(_scalar), Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class NostrConfig(BaseModel):
    """Settings of the Nostr channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nsec: Annotated[SecretStr, AfterValidator(_usable_key)] | None = Field(
        None, description="The private key: nsec1…, 64 hexadecimal digits, or ncryptsec1…."
    )
    key_file: Path | None = Field(
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
    name: str | None = Field(None, max_length=100, description="Name for our profile (kind 0).")
    about: str | None = Field(None, max_length=2000, description="A line about us for the profile.")
    picture: str | None = Field(None, max_length=500, description="Address of a picture of us.")
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
        return self

    def access(self) -> dict[str, Any]:
        """Return what these settings say about who may reach the agent."""
        chats = [f"group/{one}" for one in self.groups]
        chats += [f"channel/{one}" for one in self.channels]
        return {"users": self.people, "chats": chats}
