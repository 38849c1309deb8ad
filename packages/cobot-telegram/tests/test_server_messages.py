"""The local server checks and keeps messages as the Bot API does."""

import pytest
from telegram import (
    Bot,
    InputMediaDocument,
    InputMediaPhoto,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken

from cobot_telegram.testing import Attachment, BotApiServer, User

pytestmark = pytest.mark.anyio


@pytest.fixture
def ada(server: BotApiServer) -> User:
    ada = server.user("Ada")
    ada.starts()
    return ada


async def test_a_text_is_measured_in_utf16(ada: User, bot: Bot) -> None:
    """4096 code units fit, one more does not, and an emoji counts as two."""
    await bot.send_message(ada.id, "x" * 4096)
    await bot.send_message(ada.id, "🙂" * 2048)
    for text in ("x" * 4097, "🙂" * 2049):
        with pytest.raises(BadRequest, match=r"(?i)message is too long"):
            await bot.send_message(ada.id, text)
    with pytest.raises(BadRequest, match=r"(?i)message text is empty"):
        await bot.send_message(ada.id, " \n ")


async def test_entities_must_lie_within_the_text(ada: User, bot: Bot) -> None:
    """An entity beyond the text, or one that cuts a surrogate pair, is refused."""
    for offset, length, words in ((0, 6, "ends after"), (9, 1, "begins after")):
        with pytest.raises(BadRequest, match=f"(?i){words}"):
            await bot.send_message(
                ada.id, "hello", entities=[MessageEntity("bold", offset, length)]
            )
    with pytest.raises(BadRequest, match=r"(?i)middle of a UTF-16 symbol"):
        await bot.send_message(ada.id, "🙂", entities=[MessageEntity("bold", 0, 1)])
    await bot.send_message(ada.id, "🙂!", entities=[MessageEntity("bold", 0, 2)])
    assert ada.chat.wait_for("🙂!").entities == [{"type": "bold", "offset": 0, "length": 2}]


async def test_white_space_at_the_ends_goes_and_entities_follow(ada: User, bot: Bot) -> None:
    """A text is trimmed; offsets are counted anew."""
    await bot.send_message(ada.id, "\n  hi\r\n", entities=[MessageEntity("bold", 0, 5)])
    message = ada.chat.wait_for("hi")
    assert message.entities == [{"type": "bold", "offset": 0, "length": 2}]


@pytest.mark.parametrize(
    ("mode", "text", "plain", "kinds"),
    [
        ("HTML", "<b>a <i>b</i></b> &lt;", "a b <", ["bold", "italic"]),
        ("HTML", '<pre><code class="language-py">x</code></pre>', "x", ["pre"]),
        ("MarkdownV2", "*a _b_* __c__ ||d|| `e` 1\\.", "a b c d e 1.", None),
        ("MarkdownV2", "[x](http://e.org/\\))", "x", ["text_link"]),
        ("MarkdownV2", ">one\n>two\nthree", "one\ntwo\nthree", ["blockquote"]),
        ("Markdown", "*a* _b_ [c](http://e.org)", "a b c", ["bold", "italic", "text_link"]),
    ],
)
async def test_parse_modes(
    ada: User, bot: Bot, mode: str, text: str, plain: str, kinds: list[str] | None
) -> None:
    """Marked-up text becomes text and entities."""
    await bot.send_message(ada.id, text, parse_mode=mode)
    message = ada.chat.wait_for(plain)
    if kinds is not None:
        assert [e["type"] for e in message.entities] == kinds


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        ("MarkdownV2", "1.", "Character '.' is reserved"),
        ("MarkdownV2", "ä *open", "Can't find end of Bold entity at byte offset 3"),
        ("MarkdownV2", "*a _b* c_", "Can't find end of Italic entity"),
        ("MarkdownV2", "```x", "Can't find end of Pre entity"),
        ("HTML", "<b>open", "Can't find end tag"),
        ("HTML", "<h1>x</h1>", 'Unsupported start tag "h1"'),
        ("HTML", "<b>x</i>", "Unmatched end tag"),
        ("Markdown", "a_b", "Can't find end of Italic entity"),
        ("rtf", "x", "unsupported parse_mode"),
    ],
)
async def test_broken_markup_is_refused(
    ada: User, bot: Bot, mode: str, text: str, words: str
) -> None:
    """Markup that is not well formed is a 400 with Telegram's words."""
    with pytest.raises(BadRequest) as refusal:
        await bot.send_message(ada.id, text, parse_mode=mode)
    assert words.lower() in str(refusal.value).lower()


async def test_an_edit_must_change_something(ada: User, bot: Bot) -> None:
    """An edit is kept with what was there before; one that changes nothing is refused."""
    sent = await bot.send_message(ada.id, "one")
    await bot.edit_message_text("two", ada.id, sent.message_id)
    message = ada.chat.wait_for("two")
    assert message.earlier == ["one"]
    with pytest.raises(BadRequest, match=r"(?i)message is not modified"):
        await bot.edit_message_text("two", ada.id, sent.message_id)
    with pytest.raises(BadRequest, match=r"(?i)message to edit not found"):
        await bot.edit_message_text("two", ada.id, 999)


async def test_a_deleted_message_is_gone(ada: User, bot: Bot) -> None:
    """What was deleted stands there no more and cannot be deleted twice."""
    sent = await bot.send_message(ada.id, "one")
    await bot.delete_message(ada.id, sent.message_id)
    assert ada.chat.answers == ()
    with pytest.raises(BadRequest, match=r"(?i)message to delete not found"):
        await bot.delete_message(ada.id, sent.message_id)


async def test_a_reply_needs_its_message(ada: User, bot: Bot) -> None:
    """Answering a message that is not there is refused, unless the bot allows for it."""
    hi = ada.says("hi")
    await bot.send_message(ada.id, "hello", reply_parameters=ReplyParameters(hi.id))
    assert ada.chat.wait_for("hello").reply_to is hi
    with pytest.raises(BadRequest, match=r"(?i)message to be replied not found"):
        await bot.send_message(ada.id, "x", reply_parameters=ReplyParameters(999))
    lenient = ReplyParameters(999, allow_sending_without_reply=True)
    await bot.send_message(ada.id, "y", reply_parameters=lenient)
    assert ada.chat.wait_for("y").reply_to is None


async def test_files_go_up_and_come_down(ada: User, bot: Bot) -> None:
    """An upload arrives byte for byte and can be downloaded by the bot."""
    data = bytes(range(256)) * 40
    sent = await bot.send_document(ada.id, data, filename="a b.bin", caption="look")
    message = ada.chat.wait_for("look")
    assert (message.files[0].data, message.files[0].filename) == (data, "a b.bin")
    assert sent.document is not None
    file = await bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == data


async def test_a_file_id_is_sent_again_and_an_unknown_one_refused(ada: User, bot: Bot) -> None:
    """A file the server has can be sent by its id."""
    first = await bot.send_photo(ada.id, b"\xff\xd8 a picture")
    await bot.send_photo(ada.id, first.photo[-1].file_id)
    assert ada.chat.answers[1].files[0].data == b"\xff\xd8 a picture"
    with pytest.raises(BadRequest, match=r"(?i)wrong remote file identifier"):
        await bot.send_photo(ada.id, "no-such-id")


async def test_captions_and_files_have_limits(ada: User, bot: Bot) -> None:
    """A caption ends at 1024; an empty file and one above 20 MB are refused."""
    with pytest.raises(BadRequest, match=r"(?i)message caption is too long"):
        await bot.send_photo(ada.id, b"x", caption="x" * 1025)
    with pytest.raises(BadRequest, match=r"(?i)must be non-empty"):
        await bot.send_photo(ada.id, b"")
    big = ada.says(files=[Attachment("video", b"x", size=20_000_001)])
    with pytest.raises(BadRequest, match=r"(?i)file is too big"):
        await bot.get_file(big.files[0].id)


async def test_an_album_has_two_to_ten_items_of_a_kind(ada: User, bot: Bot) -> None:
    """A media group is several messages with one group id; one item is none."""
    sent = await bot.send_media_group(
        ada.id, [InputMediaPhoto(b"one", caption="both"), InputMediaPhoto(b"two")]
    )
    assert len({m.media_group_id for m in sent}) == 1
    assert [m.files[0].data for m in ada.chat.answers] == [b"one", b"two"]
    with pytest.raises(BadRequest, match=r"(?i)2-10 items"):
        await bot.send_media_group(ada.id, [InputMediaPhoto(b"one")])
    with pytest.raises(BadRequest, match=r"(?i)can't mix"):
        await bot.send_media_group(ada.id, [InputMediaPhoto(b"one"), InputMediaDocument(b"two")])


async def test_a_persons_album_is_several_updates(ada: User, bot: Bot) -> None:
    """An album comes as one message a picture, the caption with the first."""
    ada.says("look", files=[Attachment("photo", b"1"), Attachment("photo", b"2")])
    updates = await bot.get_updates(offset=-2)
    messages = [u.message for u in updates if u.message]
    assert [m.caption for m in messages] == ["look", None]
    assert len({m.media_group_id for m in messages}) == 1


async def test_reactions_are_of_the_fixed_set(ada: User, bot: Bot) -> None:
    """A bot sets one reaction of the fixed set, or takes it back."""
    hi = ada.says("hi")
    await bot.set_message_reaction(ada.id, hi.id, "👍")
    assert hi.reactions == {bot.id: ["👍"]}
    await bot.set_message_reaction(ada.id, hi.id, None)
    assert hi.reactions == {bot.id: []}
    with pytest.raises(BadRequest, match=r"(?i)REACTION_INVALID"):
        await bot.set_message_reaction(ada.id, hi.id, "🧦")


async def test_chat_actions_are_remembered(ada: User, bot: Bot) -> None:
    """A script can see that the bot was typing."""
    await bot.send_chat_action(ada.id, "typing")
    ada.chat.wait_for_action("typing")
    with pytest.raises(BadRequest, match=r"(?i)wrong parameter action"):
        await bot.send_chat_action(ada.id, "dancing")


async def test_a_bot_cannot_write_where_it_is_not_wanted(server: BotApiServer, bot: Bot) -> None:
    """Not started, blocked, kicked, unknown: each is refused in Telegram's words."""
    bob, group = server.user("Bob"), server.group("Main")
    with pytest.raises(BadRequest, match=r"(?i)chat not found"):
        await bot.send_message(4242, "x")
    assert bob.chat.messages == ()
    with pytest.raises(Forbidden, match="can't initiate conversation"):
        await bot.send_message(bob.id, "x")
    bob.starts()
    bob.blocks()
    with pytest.raises(Forbidden, match="blocked by the user"):
        await bot.send_message(bob.id, "x")
    server.kick(group)
    with pytest.raises(Forbidden, match="kicked from the supergroup"):
        await bot.send_message(group.id, "x")


async def test_a_group_that_became_a_supergroup_says_so(server: BotApiServer, bot: Bot) -> None:
    """Writing to the old id is refused with the new one; both service messages are sent."""
    group = server.group("Main", basic=True)
    supergroup = server.migrate(group)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(group.id, "x")
    assert moved.value.new_chat_id == supergroup.id
    old, new = await bot.get_updates()
    assert old.message is not None
    assert new.message is not None
    assert old.message.migrate_to_chat_id == supergroup.id
    assert new.message.migrate_from_chat_id == group.id


async def test_topics_are_places_of_their_own(server: BotApiServer, bot: Bot) -> None:
    """A topic's messages carry its thread id; an unknown thread is refused."""
    ada, forum = server.user("Ada"), server.group("Forum", forum=True)
    topic = forum.topic("News")
    ada.says("hi", chat=forum, topic=topic)
    message = (await bot.get_updates())[0].message
    assert message is not None
    assert (message.message_thread_id, message.is_topic_message) == (topic, True)
    await bot.send_message(forum.id, "hello", message_thread_id=topic)
    assert forum.wait_for("hello").topic == topic
    with pytest.raises(BadRequest, match=r"(?i)message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=999)


def test_a_topic_that_nobody_opened_is_refused_with_those_there_are(server: BotApiServer) -> None:
    """A wrong number in the script is told at once, and leaves nothing in the chat."""
    ada, forum = server.user("Ada"), server.group("Forum", forum=True)
    news = forum.topic("News")
    with pytest.raises(ValueError, match=rf"has no topic 7\. Topics: {news} \(News\);"):
        ada.says("x", chat=forum, topic=7)
    with pytest.raises(ValueError, match="Topics: none"):
        ada.says("x", topic=news)
    assert not forum.messages + ada.chat.messages


async def test_an_unknown_method_is_404_unless_it_is_stubbed(
    server: BotApiServer, bot: Bot
) -> None:
    """What the server does not know can be given a fixed answer."""
    with pytest.raises(InvalidToken):
        await bot.get_my_name()
    server.stub("getMyName", {"name": "Echo"})
    assert (await bot.get_my_name()).name == "Echo"


def test_a_file_that_is_no_attachment_is_refused_with_the_form(server: BotApiServer) -> None:
    """Bytes or a path in the script are told at once, and leave nothing in the chat."""
    ada = server.user("Ada")
    with pytest.raises(TypeError, match=r"Attachment\(\"photo\", b\"…\"\)"):
        ada.says("look", files=[b"x"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="one of photo, video"):
        ada.says("look", files=[Attachment("image")])  # type: ignore[arg-type]
    assert not ada.chat.messages
