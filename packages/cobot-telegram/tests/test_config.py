"""Mistakes in the settings are told at once, and no secret is repeated."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cobot_session.config import checked_common, load_config, validate_options
from cobot_session.errors import ConfigError
from cobot_session.registry import Registry
from cobot_telegram.config import TelegramConfig

TOKEN = "123456:" + "A" * 35
SECRET = "s" * 20


@pytest.mark.parametrize("group", ["@club", -1001234567890])
def test_a_group_is_an_entry_with_its_id(group: Any) -> None:
    """Where an id stands alone, the fix shows the key before it."""
    block = {"bot_token": TOKEN, "groups": [group]}
    config = load_config({"plugins": {"telegram": block}}, env={})
    with pytest.raises(ConfigError, match=r"Fix: Write `- id: -1001234567890`\."):
        validate_options(config, config.blocks["telegram"], TelegramConfig)


def mistakes_in(block: dict[str, Any]) -> str:
    """Return what is told of the keys that every channel has."""
    config = load_config({"plugins": {"telegram": block}}, env={})
    with pytest.raises(ConfigError) as refusal:
        checked_common(config, config.blocks["telegram"], TelegramConfig)
    return str(refusal.value)


def test_a_token_is_enough() -> None:
    """Everything but the token has a default."""
    config = TelegramConfig.model_validate({"bot_token": TOKEN})
    assert config.api_url == "https://api.telegram.org"
    assert config.access() == {"chats": [], "spaces": []}


def test_groups_open_the_gate_for_their_chats() -> None:
    """The ids of the listed groups are access rules; numbers are taken as ids."""
    groups = [{"id": -1001234567890, "name": "Main"}, {"id": "-100123/7"}]
    config = TelegramConfig.model_validate({"bot_token": TOKEN, "groups": groups})
    assert config.access() == {
        "chats": ["-1001234567890", "-100123/7"],
        "spaces": ["-1001234567890"],
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bot_token": "abc"}, "digits, a colon"),
        ({"bot_token": TOKEN, "groups": [{"id": 1234567890}]}, "-100"),
        ({"bot_token": TOKEN, "api_url": "ftp://x"}, "http://127.0.0.1:8081"),
        ({"bot_token": TOKEN, "api_url": "http://x:99999"}, "http://127.0.0.1:8081"),
        ({"bot_token": TOKEN, "api_url": "https://x/#y"}, "without"),
        ({"bot_token": TOKEN, "api_url": "https://me:pw@x"}, "no secret"),
        ({"bot_token": TOKEN, "api_url": f"https://x/bot{TOKEN}"}, "no secret"),
        ({"bot_token": TOKEN, "proxy": "socks5://x:1"}, "http proxy"),
        ({"bot_token": TOKEN, "proxy": "http://"}, "http proxy"),
        ({"bot_token": TOKEN, "proxy": "http://x:y"}, "http proxy"),
        ({"bot_token": TOKEN, "webhook": {"url": "https://x/y"}}, "Field required"),
        ({"bot_token": TOKEN, "webhook": {"url": "https://x/y", "secret": "short"}}, "16 to 256"),
        ({"bot_token": TOKEN, "webhook": {"url": "http://x/y", "secret": SECRET}}, "https"),
        (
            {"bot_token": TOKEN, "webhook": {"url": "https://x", "secret": SECRET, "path": "y"}},
            "begins with /",
        ),
        ({"bot_token": TOKEN, "tokn": 1}, "Extra inputs"),
    ],
)
def test_a_mistake_is_told_with_its_rule(settings: dict[str, Any], words: str) -> None:
    """Each mistake names the rule that it breaks."""
    with pytest.raises(ValidationError, match=words):
        TelegramConfig.model_validate(settings)


def test_secrets_are_in_no_error_and_no_repr() -> None:
    """Neither a refused nor an accepted secret can be read from what is printed."""
    with pytest.raises(ValidationError) as refusal:
        TelegramConfig.model_validate({"bot_token": "hunter2-hunter2"})
    assert "hunter2" not in str(refusal.value)
    hook = {"url": "https://x/y", "secret": SECRET}
    config = TelegramConfig.model_validate({"bot_token": TOKEN, "webhook": hook})
    assert TOKEN not in repr(config)
    assert SECRET not in repr(config)


@pytest.mark.parametrize(("kind", "value"), [("user", "7"), ("chat", "-100123"), ("chat", "-1/7")])
def test_access_rules_take_numbers(kind: str, value: str) -> None:
    """People, chats, and topics of a chat."""
    assert TelegramConfig.access_id(kind, value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("user", value) for value in ("@ada", "ada", "7/1", "7\n", "\u0667", "t.me/ada")),
        *(("chat", value) for value in ("@club", "7/x", "-1/2/3", "", "--7")),
        ("role", "7"),
    ],
)
def test_access_rules_take_no_names(kind: str, value: str) -> None:
    """A username, which can change hands, is refused; so is a role, which Telegram has not."""
    with pytest.raises(ValueError, match=r"no Telegram id|no roles"):
        TelegramConfig.access_id(kind, value)


def test_a_default_chat_that_is_no_address_is_a_mistake() -> None:
    """It is told before anything is sent, with the rule and the fix, and is not repeated."""
    assert mistakes_in({"default_chat": "home sweet"}) == (
        "plugins.telegram.default_chat: is no Telegram chat: a number, `-100…/7` for a topic, or"
        " `@name`. Fix: Write the chat's id: the log names it when somebody writes there."
    )


@pytest.mark.parametrize("chat", ["7", "-1001234567890", "-1001234567890/7", "@club", "007"])
def test_a_default_chat_stays_as_it_is_written(chat: str) -> None:
    """Chats, topics and public names are addresses, and none is written in another form."""
    config = load_config({"plugins": {"telegram": {"default_chat": chat}}}, env={})
    common = checked_common(config, config.blocks["telegram"], TelegramConfig)
    assert common.default_chat == chat


def test_a_word_and_nothing_among_the_users_are_two_mistakes(tmp_path: Path) -> None:
    """`true` is as little an id as no value, and neither hides the other."""
    file = tmp_path / "cobot.yml"
    block = f"bot_token: '{TOKEN}'\n    access: {{users: [true, null, 7]}}"
    file.write_text(f"plugins:\n  telegram:\n    {block}\n")
    with pytest.raises(ConfigError) as refusal:
        Registry(load_config(file, env={}, defer=True)).load()
    first, second = refusal.value.problems
    assert (first.field, second.field) == (
        "plugins.telegram.access.users[0]",
        "plugins.telegram.access.users[1]",
    )
    assert "is no Telegram id" in first.rule
    assert second.rule == "has no value"


def test_roles_are_to_be_taken_out() -> None:
    """Telegram has no roles, so the fix is not to write one in another form."""
    assert mistakes_in({"access": {"roles": ["admin"]}}) == (
        "plugins.telegram.access.roles[0]: Telegram has no roles. Fix: Take `roles` out."
    )
