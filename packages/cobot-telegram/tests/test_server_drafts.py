"""The local server shows drafts as Telegram does."""

import asyncio

import pytest
from telegram import Bot, MessageEntity
from telegram.error import BadRequest, Forbidden

from cobot_telegram.testing import BotApiServer, User

pytestmark = pytest.mark.anyio


async def test_a_draft_is_seen_and_replaced(ada: User, bot: Bot) -> None:
    """A chat shows one draft: that of the last call, whether or not its number is another."""
    bold = MessageEntity("bold", 4, 3)
    await bot.send_message_draft(ada.id, 7, "one")
    assert ada.chat.draft is not None
    await bot.send_message_draft(ada.id, 7, "one two", entities=[bold])
    shown = await ada.chat.wait_for_draft_async("one two")
    assert (shown.id, shown.entities) == (7, [{"type": "bold", "offset": 4, "length": 3}])
    await bot.send_message_draft(ada.id, 8)
    assert (ada.chat.wait_for_draft().id, ada.chat.draft.text) == (8, "")
    assert [(one.id, one.text) for one in ada.chat.drafts] == [(7, "one"), (7, "one two"), (8, "")]
    assert ada.chat.messages == ()


async def test_a_message_of_the_bot_takes_it_away(ada: User, bot: Bot) -> None:
    """The bot's message ends the draft; a person's, a refused one and a chat action do not."""
    await bot.send_message_draft(ada.id, 7, "one")
    ada.says("hurry")
    await bot.send_chat_action(ada.id, "typing")
    with pytest.raises(BadRequest):
        await bot.send_message(ada.id, " ")
    assert ada.chat.draft is not None
    await bot.send_message(ada.id, "one two")
    assert ada.chat.draft is None


async def test_a_draft_fades(server: BotApiServer, ada: User, bot: Bot) -> None:
    """It is seen for 30 seconds from the last call, or as long as the test says."""
    assert ada.chat.draft_seconds == 30
    ada.chat.draft_seconds = 0.1
    await bot.send_message_draft(ada.id, 7, "one")
    gone = asyncio.create_task(server.wait_for_async(lambda: ada.chat.draft is None, timeout=3600))
    woken, _ = await asyncio.wait([gone], timeout=30)
    assert woken
    assert [one.text for one in ada.chat.drafts] == ["one"]
    with pytest.raises(TimeoutError, match=r"last there: \['one'\]"):
        await ada.chat.wait_for_draft_async("two", timeout=0.05)


async def test_drafts_are_refused_in_telegrams_words(
    server: BotApiServer, ada: User, bot: Bot
) -> None:
    """Groups, a number of 0, a long text and who blocks the bot: none shows anything."""
    group = server.group("Main")
    with pytest.raises(BadRequest, match=r"(?i)TEXTDRAFT_PEER_INVALID"):
        await bot.send_message_draft(group.id, 7, "one")
    with pytest.raises(BadRequest, match=r"(?i)RANDOM_ID_INVALID"):
        await bot.send_message_draft(ada.id, 0, "one")
    with pytest.raises(BadRequest, match=r"(?i)message is too long"):
        await bot.send_message_draft(ada.id, 7, "x" * 4097)
    with pytest.raises(BadRequest, match=r"(?i)ends after"):
        await bot.send_message_draft(ada.id, 7, "one", entities=[MessageEntity("bold", 0, 9)])
    with pytest.raises(BadRequest, match=r"(?i)message thread not found"):
        await bot.send_message_draft(ada.id, 7, "one", message_thread_id=5)
    ada.blocks()
    with pytest.raises(Forbidden, match="blocked"):
        await bot.send_message_draft(ada.id, 7, "one")
    assert ada.chat.drafts == group.drafts == []
