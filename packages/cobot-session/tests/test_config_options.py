"""A plugin's own settings: its model decides, and no mistake repeats a value."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretBytes,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cobot_session.config import Block, MissingSettingsError, load_config, validate_options
from cobot_session.errors import ConfigError


class Group(BaseModel):
    id: str
    name: str = ""


class Telegram(BaseModel):
    bot_token: SecretStr
    groups: list[Group] = []
    limit: Annotated[int, Field(ge=1)] = 5
    mode: Literal["poll", "webhook"] = "poll"

    @field_validator("bot_token")
    @classmethod
    def has_a_colon(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if ":" not in token:
            raise ValueError(f"{token!r} should look like 123:ABC, and {token} does not")
        return value


@pytest.fixture
def validated(tmp_path):
    """Validate the block `telegram` when its text is this."""

    def validate(text: str, model: type[BaseModel] = Telegram, **env: str):
        path = tmp_path / "cobot.yml"
        path.write_text(f"plugins:\n  telegram:\n{text}")
        config = load_config(path, env=env)
        return validate_options(config, config.blocks["telegram"], model)

    return validate


def mistakes(validated, text: str, model: type[BaseModel] = Telegram, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validated(text, model, **env)
    assert not isinstance(caught.value, MissingSettingsError)
    return [line.partition("cobot.yml:")[2] for line in str(caught.value).splitlines()]


def test_valid_settings(validated):
    """What the file says arrives as the model's types; the core's keys are not among it."""
    settings = validated(
        "    enabled: true\n    bot_token: ${TOKEN}\n    limit: ${LIMIT}\n    groups: [id: '1']\n",
        TOKEN="1:a",
        LIMIT="7",
    )
    assert settings.bot_token.get_secret_value() == "1:a"
    assert settings.limit == 7
    assert settings.groups == [Group(id="1")]


def test_text_is_what_the_file_says(validated):
    """Where the model wants text, an unquoted number or word is taken as it is written."""
    settings = validated("""\
    bot_token: 12:34
    groups: [{id: -1001234567890}, {id: 0042, name: no}, {id: 1.50, name: 0x1F}]
    limit: 0x10
""")
    assert settings.bot_token.get_secret_value() == "12:34"
    assert [(group.id, group.name) for group in settings.groups] == [
        ("-1001234567890", ""),
        ("0042", "no"),
        ("1.50", "0x1F"),
    ]
    assert settings.limit == 16


def test_numbers_of_a_mapping_become_text():
    """A configuration that is a mapping has no written form; its numbers are shown as such."""
    config = load_config({"plugins": {"t": {"bot_token": "1:a", "groups": [{"id": -100}]}}}, env={})
    assert validate_options(config, config.blocks["t"], Telegram).groups == [Group(id="-100")]
    config = load_config({"plugins": {"t": {"bot_token": "1:a", "groups": [{"id": True}]}}}, env={})
    with pytest.raises(ConfigError, match=r"groups\[0\].id: should be a valid string"):
        validate_options(config, config.blocks["t"], Telegram)


def test_every_mistake_at_once(validated):
    """Typos on every level, wrong types and missing keys, each in its place."""
    text = """\
    bot_token: 1:a
    grups: []
    pol_interval: 5
    groups: [{idd: 1}, {id: {}}, 5, {name: x}]
    limit: 0
    mode: wehbook
"""
    assert sorted(mistakes(validated, text)) == [
        ("4:5: plugins.telegram.grups: `grups` is not a known key. Fix: Did you mean `groups`?"),
        (
            "5:5: plugins.telegram.pol_interval: `pol_interval` is not a known key. Fix: Did you "
            "mean `poll_interval`?"
        ),
        ("6:15: plugins.telegram.groups[0].idd: `idd` is not a known key. Fix: Did you mean `id`?"),
        (
            "6:29: plugins.telegram.groups[1].id: should be a valid string. Fix: Write one value, "
            "in quotes."
        ),
        ("6:34: plugins.telegram.groups[2]: should be a mapping. Fix: Write `- id: …`."),
        "6:37: plugins.telegram.groups[3].id: is required. Fix: Add `id: …` here.",
        "7:12: plugins.telegram.limit: should be greater than or equal to 1. Fix: Change it.",
        (
            "8:11: plugins.telegram.mode: should be 'poll' or 'webhook'. Fix: Did you mean "
            "`webhook`?"
        ),
    ]


def test_a_misspelt_required_key_is_one_mistake(validated):
    """`bot_tokn` is a typo, not a typo and a missing key."""
    (told,) = mistakes(validated, "    bot_tokn: 1:a\n")
    assert told.startswith("3:5: plugins.telegram.bot_tokn: `bot_tokn` is not a known key.")
    assert told.endswith("Fix: Did you mean `bot_token`?")


@pytest.mark.parametrize("text", ["", "    groups: []\n", "    bot_token:\n", "    bot_token: ~\n"])
def test_only_missing(validated, text):
    """What is merely not filled in yet is told apart from what is wrong."""
    with pytest.raises(MissingSettingsError) as caught:
        validated(text)
    assert caught.value.missing == ("bot_token",)
    (problem,) = caught.value.problems
    assert problem.rule == "is required"


def test_missing_and_wrong(validated):
    """With something wrong beside it, a missing key is a mistake like the others."""
    told = mistakes(validated, "    limit: x\n")
    assert [line.split(": ")[1] for line in told] == [
        "plugins.telegram.bot_token",
        "plugins.telegram.limit",
    ]


def test_a_block_that_is_not_there():
    """A plugin without a block is checked with nothing, and told without a place."""
    with pytest.raises(MissingSettingsError, match=r"^plugins\.telegram\.bot_token: is required"):
        validate_options(load_config({}, env={}), Block("telegram", "telegram"), Telegram)


def test_nothing_where_something_belongs(validated):
    """A key without a value is told as such."""
    (told,) = mistakes(validated, "    bot_token: 1:a\n    groups:\n")
    assert told == (
        "4:12: plugins.telegram.groups: has no value. Fix: Give it a value, or take the line out."
    )


def test_a_validator_says_what_to_do(validated):
    """The fix in the context of its error is told, without the value."""

    class Strict(BaseModel):
        token: SecretStr

        @field_validator("token")
        @classmethod
        def refuse(cls, value: SecretStr) -> SecretStr:
            fix = f"Write it without {value.get_secret_value()}."
            raise PydanticCustomError("token", "has a word before it", {"fix": fix})

    (told,) = mistakes(validated, "    token: hunter22\n", Strict)
    assert told.endswith("token: has a word before it. Fix: Write it without ….")


class Member(BaseModel):
    id: Annotated[str, Field(pattern="^[0-9]+$", description="Id of the member: a number.")]


class Team(BaseModel):
    members: dict[str, Member] | list[Member] | None = None


class Club(BaseModel):
    teams: list[Team] = []


def test_fix_says_what_belongs_there(validated):
    """However deep a setting lies: its description is the fix where no other is known."""
    (told,) = mistakes(validated, "    teams: [members: [id: Ada]]\n", Club)
    assert told.endswith(
        "plugins.telegram.teams[0].members[0].id: does not have the form `^[0-9]+$`."
        " Fix: Write what belongs here: Id of the member: a number."
    )


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("groups: [5]", "- id: -100123"),
        ("hooks: [5]", "- {url: …, to: …}"),
        ("hook: 5", "hook: {url: …, to: …}"),
        ("group: x", "group: {id: -100123}"),
    ],
)
def test_fix_names_the_keys_that_are_needed(validated, written, fix):
    """Where an entry with keys belongs, the fix is one with its required keys, by their names."""

    class Sampled(BaseModel):
        id: str = Field(examples=["-100123"])
        name: str = ""

    class Hook(BaseModel):
        url: str
        target: str = Field(alias="to")

    class Entries(BaseModel):
        groups: list[Sampled] = []
        hooks: list[Hook] = []
        hook: Hook | None = None
        group: Sampled | None = None

    (told,) = mistakes(validated, f"    {written}\n", Entries)
    assert told.endswith(f": should be a mapping. Fix: Write `{fix}`.")


@pytest.mark.parametrize(
    "token", ["hunter22", "pw", "e", "${TOKEN}", "!file token", "'with space'"]
)
def test_a_validator_that_repeats_a_secret(validated, tmp_path, token):
    """What a plugin's validator says is printed without the value."""
    (tmp_path / "token").write_text("hunter22")
    (told,) = mistakes(validated, f"    bot_token: {token}\n", TOKEN="hunter22")
    assert told.endswith("… should look like 123:ABC, and … does not. Fix: Change it.") or (
        "'…' should look like 123:ABC, and … does not" in told
    )


def test_a_model_validator_that_repeats_a_secret(validated):
    """The same goes for a check of the whole block."""

    class Talkative(BaseModel):
        token: SecretStr
        ids: list[int] = []

        @model_validator(mode="before")
        @classmethod
        def complain(cls, data):
            raise ValueError(f"cannot use {data}")

    (told,) = mistakes(validated, "    token: hunter22\n    ids: [123456789]\n", Talkative)
    assert "cannot use {'token': '…', 'ids': […]}" in told


def test_a_secret_that_is_one_already():
    """A mapping may hold a `SecretStr`; its value is not printed either."""
    config = load_config({"plugins": {"t": {"bot_token": SecretStr("hunter22")}}}, env={})
    with pytest.raises(ConfigError) as caught:
        validate_options(config, config.blocks["t"], Telegram)
    assert "and … does not" in str(caught.value)


def test_the_error_carries_no_secret(validated):
    """No exception that leads to the error holds the value either."""
    with pytest.raises(ConfigError) as caught:
        validated("    bot_token: hunter22\n")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("written", ["[1]", "{a: 1}"])
def test_a_secret_of_the_wrong_type(validated, written):
    """A secret that is no text is told without showing it."""
    (told,) = mistakes(validated, f"    bot_token: {written}\n")
    assert "plugins.telegram.bot_token: should be a valid string. Fix: Write one value" in told


def test_a_line_without_its_space(validated):
    """`bot_token:123` is a word, not a key; the word is not printed."""
    path = "    bot_token:123:hunter22\n"
    with pytest.raises(ConfigError) as caught:
        validated(path)
    assert "should be a mapping" in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_a_key_that_could_be_a_secret(validated):
    """A key is repeated only when it looks like one."""
    text = f"    bot_token: 1:a\n    '123:hunter22': 1\n    {'x' * 41}: 1\n"
    told = mistakes(validated, text)
    assert [line.split(". Fix")[0] for line in told] == [
        "4:5: plugins.telegram.…: `…` is not a known key",
        "5:5: plugins.telegram.…: `…` is not a known key",
    ]


def test_extra_keys_that_a_model_wants(validated):
    """A model that says `extra="allow"` gets them."""

    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    assert validated("    anything: 5\n", Open).anything == 5


@pytest.mark.parametrize("extra", ["forbid", "ignore"])
def test_extra_keys_that_a_model_does_not_want(validated, extra):
    """Unknown keys are told once, whether the model forbids or ignores them."""

    class Inner(BaseModel):
        model_config = ConfigDict(extra=extra)
        known: int = 1

    class Outer(BaseModel):
        model_config = ConfigDict(extra=extra)
        one: Inner | None = None
        many: dict[str, Inner] = {}
        either: str | list[Inner] | Inner = ""
        rooted: RootModel[list[Inner]] = RootModel[list[Inner]]([])

    text = """\
    one: {knwon: 1}
    many: {a: {x: 1}, b: {known: 2}}
    either: [{known: 1, y: 1}]
    rooted: [{z: 1}]
    top: 1
"""
    told = [line.split(": ")[1] for line in mistakes(validated, text, Outer)]
    assert sorted(told) == [
        "plugins.telegram.either[0].y",
        "plugins.telegram.many.a.x",
        "plugins.telegram.one.knwon",
        "plugins.telegram.rooted[0].z",
        "plugins.telegram.top",
    ]


class ByName(BaseModel):
    name: str


class ById(BaseModel):
    id: int
    note: str = ""


class Places(BaseModel):
    place: str | ByName | list[ById] | ById = ""


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{id: 1, nte: x}", ["place.nte: `nte` is not a known key. Fix: Did you mean `note`?"]),
        ("[{id: 1, x: 2}]", ["place[0].x: `x` is not a known key. Fix: Known here: id, note."]),
        (
            "[{id: 1}, {id: x}]",
            [
                (
                    "place[1].id: should be a valid integer, unable to parse string as an integer. "
                    "Fix: Write a whole number."
                )
            ],
        ),
    ],
)
def test_unions(validated, written, told):
    """Of a value that may be several things, only the mistake in what it was meant to be."""
    found = mistakes(validated, f"    place: {written}\n", Places)
    assert [line.partition("telegram.")[2] for line in found] == told


def test_aliases_are_keys(validated):
    """A setting is known by its alias, by all its aliases, and by name where the model says so."""

    class Aliased(BaseModel):
        model_config = ConfigDict(populate_by_name=True)
        from_: str = Field("", alias="from")
        where: str = Field("", validation_alias=AliasChoices("to", "target"))

    settings = validated("    from: a\n    target: b\n", Aliased)
    assert (settings.from_, settings.where) == ("a", "b")
    assert validated("    to: b\n", Aliased).where == "b"
    assert validated("    from_: a\n", Aliased).from_ == "a"
    (told,) = mistakes(validated, "    targt: a\n", Aliased)
    assert "Did you mean `target`?" in told


def test_secret_bytes(validated):
    """A secret of bytes takes unquoted digits, too."""

    class Bytes(BaseModel):
        key: SecretBytes

    assert validated("    key: 0042\n", Bytes).key.get_secret_value() == b"0042"
