"""Updates become messages."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_session.messages import IncomingMessage
from cobot_telegram.facts import Me
from cobot_telegram.formatting import as_markdown
from cobot_telegram.media import safe_name
from cobot_telegram.parse import ALLOWED_UPDATES, MalformedUpdate, migration, parse
from cobot_telegram.testing import Attachment, BotApiServer, User
from cobot_telegram.testing.files import FileKind

ME = Me(700000001, "test_1_bot")


@pytest.fixture
def world() -> BotApiServer:
    """A server that is not running: its updates are read where they queue."""
    made = BotApiServer()
    made.bot.updates.allow(ALLOWED_UPDATES)
    return made


@pytest.fixture
def ada(world: BotApiServer) -> User:
    return world.user("Ada", username="ada")


def last(world: BotApiServer) -> IncomingMessage:
    message = parse(world.bot.updates.pending[-1], ME)
    assert message is not None
    return message


def test_a_private_message(world: BotApiServer, ada: User) -> None:
    """Ids are strings, the time is aware, the key is the update's number."""
    said = ada.says("hi")
    message = last(world)
    assert (message.id, message.channel_id, message.sender_id) == (str(said.id), "1001", "1001")
    assert (message.content, message.sender_name, message.kind) == ("hi", "Ada", "message")
    assert message.timestamp == datetime.fromtimestamp(said.date, UTC)
    assert message.key == str(world.bot.updates.pending[-1]["update_id"])
    assert (message.direct, message.space_id) == (True, None)
    assert message.metadata["username"] == "ada"


def test_a_group_message_has_its_group_as_space(world: BotApiServer, ada: User) -> None:
    """A group is a space and no direct chat."""
    group = world.group("Main")
    ada.says("hi", chat=group)
    message = last(world)
    assert (message.direct, message.space_id) == (False, str(group.id))
    assert message.channel_id == str(group.id)
    assert message.metadata["chat_title"] == "Main"


def test_a_topic_is_part_of_the_address(world: BotApiServer, ada: User) -> None:
    """A message in a topic is answered in that topic, and does not answer the topic's opening."""
    forum = world.group("Forum", forum=True)
    topic = forum.topic("News")
    ada.says("hi", chat=forum, topic=topic)
    assert last(world).channel_id == f"{forum.id}/{topic}"
    raw = world.bot.updates.pending[-1]
    opening = {"message_id": topic, "forum_topic_created": {"name": "News"}}
    raw["message"]["reply_to_message"] = opening
    answered = parse(raw, ME)
    assert answered is not None
    assert answered.reply_to is None


def test_a_reply_and_its_quote(world: BotApiServer, ada: User) -> None:
    """A reply names what it answers and carries its text; a quoted part stands beside it."""
    bob = world.user("Bob")
    group = world.group("Main")
    question = ada.says("the long question", chat=group)
    bob.replies(question, "yes", quote="long")
    message = last(world)
    assert message.reply_to == str(question.id)
    assert message.metadata["quote"] == "long"
    assert message.metadata["replied"] == {
        "sender_id": "1001",
        "sender_name": "Ada",
        "content": "the long question",
    }


def test_an_edit(world: BotApiServer, ada: User) -> None:
    """An edit has the edited message's id, the new text, and a key of its own."""
    said = ada.says("hi")
    first = last(world)
    ada.edits(said, "hello")
    edit = last(world)
    assert (edit.kind, edit.id, edit.content) == ("edit", str(said.id), "hello")
    assert edit.key != first.key
    assert "edited_at" in edit.metadata


def test_a_reaction_and_its_taking_back(world: BotApiServer, ada: User) -> None:
    """A reaction is an event of its own that points at the message; taken back it is empty."""
    said = ada.says("hi")
    ada.reacts(said, "👍")
    given_one = last(world)
    ada.reacts(said, "")
    taken = last(world)
    assert (given_one.kind, given_one.content, given_one.reply_to) == (
        "reaction",
        "👍",
        str(said.id),
    )
    assert (taken.content, taken.metadata["reactions"]) == ("", [])
    assert given_one.id != taken.id


def test_a_pressed_button(world: BotApiServer, ada: User) -> None:
    """A press carries the button's data and points at the message."""
    ada.starts()
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    asked = world.add_message(
        ada.chat, {"text": "?", "reply_markup": keyboard}, sender=world.bot.json(), by_bot=True
    )
    press = ada.presses(asked, "Yes")
    message = last(world)
    assert (message.kind, message.content, message.id) == ("callback", "y", press.id)
    assert (message.reply_to, message.sender_id) == (str(asked.id), "1001")


def test_a_channel_post_is_from_the_channel(world: BotApiServer) -> None:
    """Nobody but the channel itself speaks there."""
    news = world.channel("News")
    world.posts(news, "extra")
    message = last(world)
    assert (message.sender_id, message.sender_name) == (str(news.id), "News")
    assert message.content == "extra"


def test_an_anonymous_admin_is_the_group(world: BotApiServer) -> None:
    """All anonymous admins share one user id, so it is never the sender."""
    group = world.group("Main")
    world.says_anonymously(group, "do it")
    message = last(world)
    assert message.sender_id == str(group.id)
    assert message.metadata["anonymous"] is True


def test_a_forwarded_message_names_its_origin(world: BotApiServer, ada: User) -> None:
    """Where a message was forwarded from is kept, also of people who hide their account."""
    bob = {"id": 5, "is_bot": False, "first_name": "Bob"}
    ada.says("x", forward_origin={"type": "user", "date": 1, "sender_user": bob})
    assert last(world).metadata["forwarded_from"] == {"kind": "user", "id": "5", "name": "Bob"}
    ada.says("x", forward_origin={"type": "hidden_user", "date": 1, "sender_user_name": "B"})
    assert last(world).metadata["forwarded_from"] == {"kind": "hidden_user", "name": "B"}


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        ("photo", "image"),
        ("video", "video"),
        ("animation", "video"),
        ("audio", "audio"),
        ("voice", "voice"),
        ("document", "document"),
        ("sticker", "sticker"),
        ("video_note", "video"),
    ],
)
def test_every_kind_of_attachment(
    world: BotApiServer, ada: User, kind: FileKind, ours: str
) -> None:
    """Each attachment is one `Media` with its id, size, type and a name."""
    ada.says("look", files=[Attachment(kind, b"12345")])
    message = last(world)
    (media,) = message.media
    assert (media.kind, media.size, media.id) == (ours, 5, world.files.get(str(media.id)).id)  # type: ignore[union-attr]
    assert media.filename
    assert media.mime_type
    assert message.content == "look"
    assert message.metadata["attachment"] == kind


def test_the_largest_photo_is_the_one(world: BotApiServer, ada: User) -> None:
    """Of a photo's sizes the largest is fetched."""
    ada.says(files=[Attachment("photo", b"x")])
    assert (
        last(world).media[0].id == world.bot.updates.pending[-1]["message"]["photo"][1]["file_id"]
    )


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a b.txt", "a b.txt"),
        ("C:\\boot.ini", "C_boot.ini"),
        ("..", ""),
        ("\u202egpj.exe", "_gpj.exe"),
        ("x" * 300 + ".txt", "x" * 116 + ".txt"),
        (None, ""),
    ],
)
def test_a_file_name_is_one_harmless_component(name: str | None, safe: str) -> None:
    """What a stranger names a file can be joined to a path."""
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({"location": {"latitude": 52.5, "longitude": 13.4}}, "52.5, 13.4"),
        ({"contact": {"first_name": "Bob", "phone_number": "+1"}}, "Bob +1"),
        ({"dice": {"emoji": "🎲", "value": 3}}, "🎲 3"),
        ({"poll": {"question": "Tea?", "options": [{"text": "yes"}]}}, "Tea?\n- yes"),
    ],
)
def test_what_is_neither_text_nor_file_is_put_in_words(
    world: BotApiServer, ada: User, fields: dict[str, Any], content: str
) -> None:
    """A place, a contact, a die or a poll reads as text and stands whole in the metadata."""
    ada.says("", **fields)
    message = last(world)
    assert message.content == content
    (field,) = fields
    assert message.metadata[field] == fields[field]


def test_a_mention_of_the_bot_is_marked(world: BotApiServer, ada: User) -> None:
    """A group message says whether it is addressed to the bot."""
    group = world.group("Main")
    mine = world.add_message(group, {"text": "hi"}, sender=world.bot.json(), by_bot=True)
    for text, answered, expected in (
        ("hello @test_1_bot", None, True),
        ("/go@test_1_bot now", None, True),
        ("hello @test_1_bottom", None, None),
        ("hello", None, None),
        ("hello", mine, True),
    ):
        ada.says(text, chat=group, reply_to=answered)
        assert last(world).metadata.get("mentioned") is expected


def test_service_messages_and_unknown_kinds_mean_nothing(world: BotApiServer, ada: User) -> None:
    """Somebody joining, and kinds of update nobody has heard of, are passed over."""
    world.joins(ada, world.group("Main"))
    assert parse(world.bot.updates.pending[-1], ME) is None
    assert parse({"update_id": 1, "telepathy": {"thought": "x"}}, ME) is None


def test_a_migration_is_seen(world: BotApiServer, ada: User) -> None:
    """The update that a group became a supergroup tells both ids."""
    group = world.group("Main", basic=True)
    supergroup = world.migrate(group)
    assert migration(world.bot.updates.pending[0]) == (str(group.id), str(supergroup.id))
    ada.says("hi")
    assert migration(world.bot.updates.pending[-1]) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    *("message_id", "date", "chat", "from", "sender_chat", "text", "caption", "entities"),
    *("photo", "document", "voice", "poll", "dice", "quote", "edit_date", "data", "message"),
    *("reply_to_message", "external_reply", "forward_origin", "message_thread_id"),
    *("is_topic_message", "old_reaction", "new_reaction"),
)
MESSAGE = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALLOWED_UPDATES), MESSAGE)
def test_no_update_whatever_it_holds_is_fatal(kind: str, payload: dict[str, Any]) -> None:
    """A malformed update raises the one error that the channel skips it by."""
    try:
        found = parse({"update_id": 1, kind: payload}, ME)
    except MalformedUpdate:
        return
    assert found is None or isinstance(found, IncomingMessage)


def entity(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


@pytest.mark.parametrize(
    ("text", "entities", "markdown"),
    [
        ("bold", [entity("bold", 0, 4)], "**bold**"),
        ("🙂 bold", [entity("bold", 3, 4)], "🙂 **bold**"),
        ("a bold b", [entity("bold", 1, 6)], "a **bold** b"),
        ("ab", [entity("bold", 0, 2), entity("italic", 1, 1)], "**a*b***"),
        ("abc", [entity("bold", 0, 2), entity("italic", 1, 2)], "**a*b****c*"),
        ("x", [entity("text_link", 0, 1, url="http://e.org")], "[x](http://e.org)"),
        ("x", [entity("text_mention", 0, 1, user={"id": 5})], "[x](tg://user?id=5)"),
        ("f()", [entity("pre", 0, 3, language="py")], "```py\nf()\n```"),
        ("a`b", [entity("code", 0, 3)], "`` a`b ``"),
        ("a\nb", [entity("blockquote", 0, 3)], "> a\n> b"),
        ("@you #x", [entity("mention", 0, 4), entity("hashtag", 5, 2)], "@you #x"),
        ("hi", [entity("bold", 1, 9), entity("bold", -1, 2)], "hi"),
    ],
)
def test_formatting_is_written_as_markdown(
    text: str, entities: list[dict[str, Any]], markdown: str
) -> None:
    """Entities become Markdown marks; what lies outside the text is ignored."""
    assert as_markdown(text, entities) == markdown


@given(
    st.text(),
    st.lists(
        st.builds(
            entity,
            st.sampled_from(["bold", "code", "pre", "blockquote", "spoiler"]),
            st.integers(-2, 30),
            st.integers(-2, 30),
        ),
        max_size=5,
    ),
)
def test_marks_are_added_and_nothing_is_taken_away(
    text: str, entities: list[dict[str, Any]]
) -> None:
    """Whatever the entities, the text's characters are all there, in order."""
    marked = iter(as_markdown(text, entities))
    assert all(character in marked for character in text)
