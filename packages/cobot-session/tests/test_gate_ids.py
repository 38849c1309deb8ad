"""Ids in access rules: a name is refused where it stands, and an id is taken in its normal form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from cobot_session import ConfigError, Plugin, PluginMeta
from cobot_session.config import access_id, load_config
from cobot_session.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path


class Numbers(BaseModel):
    port: int = 1

    @classmethod
    def access_id(cls, kind: str, value: str) -> str:
        if value == "none":
            raise PydanticCustomError("none", "has no number", {"fix": "Take it out."})
        if not value.lstrip("#").isdecimal():
            raise ValueError(f"a {kind} is a number")
        return value.lstrip("#")


class Numbered(Plugin):
    meta = PluginMeta("numbered", "1.0")
    config_model = Numbers

    def session_receive(self) -> list[Any]:
        return []


class Plain(Plugin):
    meta = PluginMeta("plain", "1.0")
    config_model: ClassVar[None] = None

    def session_receive(self) -> list[Any]:
        return []


def loaded(source: Any) -> Registry:
    registry = Registry(
        load_config(source, env={}, defer=True), {"numbered": Numbered, "plain": Plain}
    )
    registry.load()
    return registry


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("user", "@ann"),
        ("user", "Ann Lee"),
        ("user", "ann\n"),
        ("user", "a\u200bnn"),
        ("chat", "@room"),
        ("role", "admin"),
        ("role", "/9"),
        ("role", "g1/"),
    ],
)
def test_what_looks_like_a_name_is_refused(kind: Any, value: str) -> None:
    """Without a form of the channel's own, names, odd characters and bare roles are no ids."""
    with pytest.raises(ValueError, match=r"name|space"):
        access_id(None, kind, value if value.strip() == value else f"a{value}b")


@pytest.mark.parametrize("value", ["17", "ann@example.org", "@ann:example.org", "+15550100", "U1"])
def test_what_may_be_an_id_is_taken(value: str) -> None:
    """Mail addresses, Matrix ids and telephone numbers are ids on their networks."""
    assert access_id(None, "user", value) == value


def test_the_channel_says_how_an_id_looks() -> None:
    """`access_id` of the settings model normalises every id of the access rules."""
    registry = loaded(
        {
            "plugins": {
                "numbered": {
                    "access": {
                        "users": ["#1", {"id": "#2", "chats": ["#3"]}],
                        "chats": ["#4"],
                        "send_to": ["#5"],
                    }
                }
            }
        }
    )
    access = registry.records["numbered"].common.access
    assert access.users[0] == "1"
    assert access.users[1].model_dump() == {"id": "2", "chats": ["3"]}
    assert (access.chats, access.send_to) == (["4"], ["5"])


def test_every_name_is_told_with_its_place_and_the_fix(tmp_path: Path) -> None:
    """All mistakes come at once, those of the plugin's own keys included, each once."""
    file = tmp_path / "cobot.yml"
    file.write_text(
        "plugins:\n"
        "  numbered:\n"
        "    prt: 1\n"
        "    access:\n"
        "      users: [ann, {id: bob, chats: [room]}]\n"
        "      roles: [x]\n"
        "      send_to: any\n"
        "  plain:\n"
        "    access: {users: ['@eve']}\n"
    )
    with pytest.raises(ConfigError) as raised:
        loaded(file)
    told = [(one.line, one.field.removeprefix("plugins.")) for one in raised.value.problems]
    assert told == [
        (3, "numbered.prt"),
        (5, "numbered.access.users[0]"),
        (5, "numbered.access.users[1].id"),
        (5, "numbered.access.users[1].chats[0]"),
        (6, "numbered.access.roles[0]"),
        (9, "plain.access.users[0]"),
    ]
    assert raised.value.problems[1].rule == "a user is a number"
    assert "the log names it" in raised.value.problems[1].fix
    assert "is a name, not an id" in raised.value.problems[-1].rule


def test_names_are_told_beside_what_no_id_can_be(tmp_path: Path) -> None:
    """What is empty or of the wrong kind hides no name beside it, and moves none in its list."""
    file = tmp_path / "cobot.yml"
    file.write_text(
        "plugins:\n"
        "  other:\n"
        "    use: numbered\n"
        "    prt: 1\n"
        "    poll_interval: soon\n"
        "    access:\n"
        "      users: ['', ann, {id: '', chats: ['1']}, {id: bob, chats: ['', room]}, null, true]\n"
        "      chats: 5\n"
        "      roles: [x]\n"
    )
    with pytest.raises(ConfigError) as raised:
        loaded(file)
    told = [one.field.removeprefix("plugins.other.") for one in raised.value.problems]
    assert told == [
        "prt",
        "poll_interval",
        "access.users[0]",
        "access.users[1]",
        "access.users[2].id",
        "access.users[3].id",
        "access.users[3].chats[0]",
        "access.users[3].chats[1]",
        "access.users[4]",
        "access.users[5]",
        "access.chats",
        "access.roles[0]",
    ]


def test_a_channel_says_what_to_do_about_an_id() -> None:
    """Where the usual fix does not help, the channel's own stands in its place."""
    with pytest.raises(ConfigError) as raised:
        loaded({"plugins": {"numbered": {"access": {"chats": ["none", "x"]}}}})
    own, usual = raised.value.problems
    assert (own.rule, own.fix) == ("has no number", "Take it out.")
    assert usual.fix.startswith("Write the chat's id")


@pytest.mark.parametrize(
    ("access", "field"),
    [
        ({"users": [{"id": "1"}]}, "users[0].chats"),
        ({"users": [{"id": "1", "chats": []}]}, "users[0].chats"),
        ({"users": [{"id": "1", "chats": ["2"], "chat": "3"}]}, "users[0].chat"),
        ({"send_to": "everyone"}, "send_to"),
        ({"rates": {"sender": -1}}, "rates.sender"),
        ({"rates": {"sendr": 1}}, "rates.sendr"),
    ],
)
def test_a_malformed_rule_is_told_where_it_stands(access: dict[str, Any], field: str) -> None:
    """A rule without chats, with odd keys or of the wrong kind is a mistake."""
    with pytest.raises(ConfigError) as raised:
        load_config({"plugins": {"plain": {"access": access}}}, env={})
    assert [one.field for one in raised.value.problems] == [f"plugins.plain.access.{field}"]


def test_any_chat_may_be_written_to_by_a_word() -> None:
    """`send_to: any` stands without a list."""
    config = load_config({"plugins": {"plain": {"access": {"send_to": "any"}}}}, env={})
    assert config.blocks["plain"].common.access.send_to == ["any"]
