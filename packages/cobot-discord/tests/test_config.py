"""The settings say what is wrong with them, and never show the token."""

import pytest
from pydantic import ValidationError

from cobot_discord import DiscordSettings
from cobot_discord.config import INTENTS
from cobot_discord.testing import TOKEN as SERVER_TOKEN
from cobot_session.config import load_config, validate_options
from cobot_session.errors import ConfigError

TOKEN = "MTAx.secret-part.of-it"


def made(**settings):
    return DiscordSettings.model_validate({"bot_token": TOKEN, **settings})


def mistake_in_the_token(token):
    config = load_config({"plugins": {"discord": {"bot_token": token}}}, env={})
    with pytest.raises(ConfigError) as caught:
        validate_options(config, config.blocks["discord"], DiscordSettings)
    return str(caught.value)


def test_ids_are_text_without_loss():
    """A snowflake written as a number in YAML keeps every digit."""
    big = 2**63 - 1
    config = made(guilds=[{"id": big, "channels": [str(big - 1)], "roles": [big - 2]}])
    (guild,) = config.guilds
    assert (guild.id, guild.channels, guild.roles) == (str(big), [str(big - 1)], [str(big - 2)])


@pytest.mark.parametrize("wrong", [1.5, True, "12a", "", "-3", None, [1]])
def test_what_is_no_id_is_refused(wrong):
    """An id is digits; the error names its place."""
    with pytest.raises(ValidationError) as caught:
        made(guilds=[{"id": wrong}])
    assert caught.value.errors()[0]["loc"] == ("guilds", 0, "id")


def test_a_guild_is_an_entry_with_its_id():
    """Where an id stands alone, the fix shows the key before it."""
    config = load_config({"plugins": {"discord": {"bot_token": TOKEN, "guilds": [123]}}}, env={})
    with pytest.raises(ConfigError, match=r"Fix: Write `- id: 1234567890123456789`\."):
        validate_options(config, config.blocks["discord"], DiscordSettings)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "  ",
        "a b",
        "Bot ",
        "tök",
        "a\nb",
        "a\x00b",
        "abc",
        "ab.cd",
        "ab..cd",
        "a.b.c.d",
        "ab.c=.d",
    ],
)
def test_a_token_that_cannot_be_one_is_refused_unseen(token):
    """A bad token is refused before it breaks a header, and is not repeated in the error."""
    with pytest.raises(ValidationError, match="should be the token alone") as caught:
        made(bot_token=token)
    assert caught.value.error_count() == 1
    assert not token.strip() or token not in str(caught.value).replace("Bot ", "")


def test_the_fix_of_a_token_says_where_it_stands():
    """What is no token is told with the place to copy it from, and is not repeated."""
    told = mistake_in_the_token("hunter22")
    assert "three parts of letters" in told
    assert told.endswith("Fix: Copy it whole from the bot's page in Discord's developer portal.")
    assert "hunter22" not in told


def test_the_token_of_the_local_server_is_one():
    """What the server for tests gives out has the form of a token."""
    assert made(bot_token=SERVER_TOKEN).bot_token.get_secret_value() == SERVER_TOKEN


@pytest.mark.parametrize("token", [TOKEN, f"Bot {TOKEN}", f" {TOKEN}\n"])
def test_a_token_is_taken_as_people_paste_it(token):
    """The prefix `Bot` and white space around it are no part of it, and it is never shown."""
    config = made(bot_token=token)
    assert config.bot_token.get_secret_value() == TOKEN
    assert TOKEN not in repr(config) + str(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_url", "ftp://x"),
        ("api_url", "discord.com"),
        ("gateway_url", "https://x"),
        ("api_url", "https://user:password@x"),
        ("respond", "sometimes"),
        ("intents", ["message_contents"]),
        ("backfill_messages", -1),
        ("backfill_hours", 0),
        ("backfill_hours", float("inf")),
        ("activity", ""),
        ("tokn", "x"),
    ],
)
def test_wrong_settings_are_refused(key, value):
    """Each wrong value is an error at its key."""
    with pytest.raises(ValidationError) as caught:
        made(**{key: value})
    assert caught.value.errors()[0]["loc"][0] == key


def test_the_intents_follow_what_is_wanted():
    """`mentioned` asks for nothing privileged; a list of one's own is taken as it is."""
    assert "message_content" in made().asked()
    assert "message_content" not in made(respond="mentioned").asked()
    assert made(intents=["dm_messages"]).asked() == {"guilds", "dm_messages"}


def test_every_intent_is_one_that_discord_py_knows():
    """No name of ours is misspelt."""
    from discord import Intents

    assert all(hasattr(Intents, name) for name in INTENTS)
    Intents(**dict.fromkeys(INTENTS, True))


def test_guilds_are_access_rules():
    """A guild opens for its roles, else in its channels, else as a whole."""
    config = made(
        guilds=[
            {"id": 1},
            {"id": 2, "channels": [20, 21]},
            {"id": 3, "roles": [30], "channels": [31]},
        ]
    )
    assert config.access() == {"roles": ["3/30"], "chats": ["20", "21"], "spaces": ["1"]}


def test_channels_narrow_their_guild_only():
    """Where channels are named, others of that guild are not listened to."""
    config = made(guilds=[{"id": 1}, {"id": 2, "channels": [20]}])
    assert config.listens_in("1", ("5",))
    assert config.listens_in("2", ("7", "20"))
    assert not config.listens_in("2", ("21",))
    assert config.listens_in("9", ("1",))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("user", "7"), ("chat", "7"), ("chat", "7/8"), ("role", "7/8")],
)
def test_access_rules_take_ids(kind, value):
    """People, channels, threads, and roles with their guild."""
    assert DiscordSettings.access_id(kind, value) == value


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("user", "ann", "is no Discord id"),
        ("user", "ann#1234", "is no Discord id"),
        ("user", "<@7>", "is no Discord id"),
        ("user", "7\n", "is no Discord id"),
        ("user", "\u0667", "is no Discord id"),
        ("chat", "#general", "is no Discord id"),
        ("chat", "7/8/9", "is no Discord id"),
        ("role", "@owner", "is no Discord id"),
        ("role", "8", "names a role without its guild"),
    ],
)
def test_access_rules_take_no_names(kind, value, words):
    """What can change hands, and a role of any guild, is refused with the rule."""
    with pytest.raises(ValueError, match=words):
        DiscordSettings.access_id(kind, value)
