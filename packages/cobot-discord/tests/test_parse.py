"""Payloads become messages or are left out; nothing else happens, however broken they are."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_discord import DiscordSettings
from cobot_discord.mentions import readable
from cobot_discord.parse import Parser, moment_of, snowflake_at
from cobot_discord.places import MALFORMED, Places

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)

USER = {"id": "7", "username": "ann", "global_name": "Ann", "bot": False}
MESSAGE = {
    "id": "1000",
    "channel_id": "5",
    "guild_id": "3",
    "author": USER,
    "member": {"nick": "Annie", "roles": ["8"]},
    "content": "hi <@9> <@&8> <#5>",
    "timestamp": "2025-01-02T03:04:05.678000+00:00",
    "edited_timestamp": "2025-01-02T03:04:06+00:00",
    "mentions": [{**USER, "id": "9", "username": "bob", "global_name": None}],
    "mention_roles": ["8"],
    "attachments": [{"id": "1", "filename": "a", "url": "https://x", "content_type": "image/png"}],
    "sticker_items": [{"id": "1", "name": "s", "format_type": 1}],
    "embeds": [{}],
    "message_reference": {"message_id": "999"},
    "referenced_message": {"author": USER},
    "message_snapshots": [{"message": {"content": "x"}}],
    "type": 0,
    "flags": 0,
}
REACTION = {
    "user_id": "7",
    "channel_id": "5",
    "message_id": "1000",
    "guild_id": "3",
    "emoji": {"id": None, "name": "👍"},
    "member": {"user": USER, "roles": ["8"]},
    "message_author_id": "2",
    "type": 0,
}
GUILD = {
    "id": "3",
    "roles": [{"id": "8", "name": "crew", "tags": {"bot_id": "2"}}],
    "channels": [{"id": "5", "type": 0, "name": "general", "last_message_id": "10"}],
    "threads": [{"id": "6", "type": 11, "parent_id": "5", "name": "t"}],
}


def parser(**more):
    places = Places()
    places.learn("READY", {"user": {"id": "2"}})
    places.learn("GUILD_CREATE", GUILD)
    return Parser(places, DiscordSettings.model_validate({"bot_token": "x.y.z", **more}))


@st.composite
def broken(draw, whole):
    """A payload with some of its parts replaced or missing."""
    made = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        at = made
        while isinstance(at, dict) and at:
            key = draw(st.sampled_from(sorted(at)))
            if isinstance(at[key], dict) and at[key] and draw(st.booleans()):
                at = at[key]
                continue
            if draw(st.booleans()):
                at[key] = draw(JSON)
            else:
                del at[key]
            break
    return made


@settings(deadline=None, max_examples=100)
@given(broken(MESSAGE))
def test_a_broken_message_is_refused_in_a_known_way(data):
    """Reading a message gives a message, nothing, or an error of a known kind."""
    for read in (parser().message, parser(respond="mentioned").edit, parser(bots=True).deletion):
        try:
            made = read(copy.deepcopy(data))
        except MALFORMED:
            continue
        assert made is None or made.channel_id


@settings(deadline=None, max_examples=60)
@given(broken(REACTION), st.booleans())
def test_a_broken_reaction_is_refused_in_a_known_way(data, added):
    """The same for reactions."""
    try:
        made = parser().reaction(data, "s:1", added=added)
    except MALFORMED:
        return
    assert made is None or made.kind == "reaction"


@settings(deadline=None, max_examples=60)
@given(broken(GUILD), JSON)
def test_a_broken_guild_is_learnt_as_far_as_it_goes(data, other):
    """Broken events about places end in a known kind of error."""
    places = Places()
    for event in ("GUILD_CREATE", "CHANNEL_UPDATE", "THREAD_LIST_SYNC", "GUILD_ROLE_CREATE"):
        for payload in (data, other):
            try:
                places.learn(event, payload)
            except MALFORMED:
                continue


@settings(deadline=None)
@given(st.text(st.sampled_from("<@&!#:>at1/ `\n"), max_size=60))
def test_markup_of_nobody_stays(text):
    """Text that mentions nothing known keeps its characters, and never fails."""
    assert isinstance(readable(text, {}, Places()), str)


def test_a_whole_message():
    """Everything that has a place of its own is put there."""
    made = parser().message(MESSAGE)
    assert made.content == "hi @bob @crew #general"
    assert (made.sender_name, made.roles, made.space_id) == ("Annie", ["8"], "3")
    assert (made.reply_to, made.media[0].id) == ("999", "5/1000/1")
    assert made.metadata["mentioned"]
    assert made.metadata["forwarded"] == [{"content": "x"}]
    json.dumps(made.metadata)


def test_times_and_emoji_and_commands_are_readable():
    """Discord's markup for moments, custom emoji and commands reads like text."""
    text = "<t:0:R> <a:party:1> </help:2> <t:99999999999999>"
    assert readable(text, {}, Places()) == "1970-01-01 00:00 UTC :party: /help <t:99999999999999>"


def test_a_withheld_message_is_left_out():
    """A message whose content Discord keeps back is nothing to answer."""
    bare = {**MESSAGE, "content": "", "attachments": [], "sticker_items": [], "embeds": []}
    assert parser().message({**bare, "message_snapshots": []}) is None


@pytest.mark.parametrize("mark", [0, 1, 175928847299117063, 2**63 - 1])
def test_snowflakes_and_moments(mark):
    """An id tells its moment, to the millisecond."""
    assert snowflake_at(moment_of(mark)) >> 22 == mark >> 22
