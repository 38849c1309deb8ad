"""The contract's third part: what people say reaches the agent."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import intake, normalise
from cobot_session.hookspecs import CHANNEL_HOOKS
from cobot_session.testing.parts import Part, need, offered, online, received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cobot_session.messages import IncomingMessage
    from cobot_session.registry import PluginRecord
    from cobot_session.session import Session
    from cobot_session.testing.case import ChannelCase, Wire
    from cobot_session.testing.rig import Rig

_UNICODE = "naïve 🧑‍👩‍👧‍👦 שלום 漢字 e\u0301 🇺🇳"


class Receiving(Part):
    """`session_receive`, seen through a session and called by hand."""

    def test_it_is_a_channel(self, record: PluginRecord) -> None:
        """Fails without `session_receive` and `session_send`: a channel has at least one."""
        assert record.hooks & CHANNEL_HOOKS

    def test_message_arrives_whole(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a field is not what the contract says: the text names it."""
        need(record, "session_receive")
        with overheard() as returned:
            said = person.says("hello")
            (message,) = received(session, channel)
        assert message.content == "hello", f"`content` is {message.content!r}"
        assert message.kind == "message", f"`kind` is {message.kind!r}"
        assert message.id == said, f"`id` is {message.id!r}, the platform's is {said!r}"
        assert message.channel_id == channel.chat, f"`channel_id` is {message.channel_id!r}"
        assert message.sender_id, "`sender_id` is empty: access rules could not match anybody"
        assert message.timestamp.tzinfo is UTC, "`timestamp` is not aware"
        wrong = [one.timestamp for one in returned if not _is_in_utc(one.timestamp)]
        assert not wrong, (
            f"`timestamp` is {wrong[0]!r}, not aware and in UTC: write `datetime.now(UTC)` or"
            " `datetime.fromtimestamp(seconds, UTC)`"
        )

    def test_order_is_kept(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when messages overtake each other: return them in the platform's order."""
        need(record, "session_receive")
        texts = [f"number {number}" for number in range(10)]
        for text in texts:
            person.says(text)
        assert [one.content for one in received(session, channel, len(texts))] == texts

    def test_text_of_any_script_survives(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a character is lost or changed: keep text as `str`, encode as UTF-8."""
        need(record, "session_receive")
        person.says(_UNICODE)
        assert received(session, channel)[0].content == _UNICODE

    def test_keys_tell_messages_apart(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when the same words said twice count as one: make `key` of the platform's id."""
        need(record, "session_receive")
        person.says("again")
        person.says("again")
        first, second = received(session, channel, 2)
        assert first.key != second.key, f"both have the key {first.key!r}"

    def test_repeated_delivery_is_one_message(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a repeat gets another `key`: it must be equal for the same occurrence."""
        need(record, "session_receive")
        person.says("once")
        received(session, channel)
        offered(person.repeats)
        person.says("after")
        contents = [one.content for one in received(session, channel)]
        assert contents == ["after"], f"after a repeat there came {contents}"

    def test_answered_message_is_named(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when `reply_to` is not the id of the message that was answered."""
        need(record, "session_receive")
        first = person.says("question")
        offered(person.says, "answer", reply_to=first)
        answer = received(session, channel, 2)[1]
        assert answer.reply_to == first, f"`reply_to` is {answer.reply_to!r}, not {first!r}"

    def test_attachment_arrives_and_can_be_fetched(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a file is not in `media`, or `session_fetch` returns other bytes."""
        need(record, "session_receive", "session_fetch")
        content = bytes(range(256)) * 4
        offered(person.says, "look", files={"note.bin": content})
        (message,) = received(session, channel)
        assert message.media, "`media` is empty"
        assert session.fetch(message.media[0], timeout=channel.boundary) == content

    def test_edit_arrives_as_one(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when an edit is no `kind="edit"` of the edited message with the new text."""
        need(record, "session_receive")
        said = person.says("tpyo")
        received(session, channel)
        offered(person.edits, said, "typo")
        (edit,) = received(session, channel)
        assert (edit.kind, edit.id, edit.content) == ("edit", said, "typo")

    def test_deletion_arrives_as_one(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a deletion is no `kind="deletion"` of the deleted message."""
        need(record, "session_receive")
        said = person.says("oops")
        received(session, channel)
        offered(person.deletes, said)
        (deletion,) = received(session, channel)
        assert (deletion.kind, deletion.id) == ("deletion", said)

    def test_reaction_arrives_as_one(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a reaction is no `kind="reaction"` that names message and emoji."""
        need(record, "session_receive")
        said = person.says("good news")
        received(session, channel)
        offered(person.reacts, said, "👍")
        (reaction,) = received(session, channel)
        assert (reaction.kind, reaction.content, reaction.reply_to) == ("reaction", "👍", said)

    def test_garbage_blocks_nothing(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when input that cannot be read is fatal: log it, skip it, go on."""
        need(record, "session_receive")
        offered(person.garbles)
        for words in ("still there", "and going on"):
            person.says(words)
            assert received(session, channel)[-1].content == words
        online(session, channel)

    def test_unacknowledged_messages_come_again_after_a_crash(
        self, record: PluginRecord, make_rig: Callable[[], Rig], person: Wire
    ) -> None:
        """Fails when a crash before storing loses a message: acknowledge in the next call only."""
        need(record, "session_receive")
        first = make_rig()
        first.start()
        person.says("precious")
        try:
            (before,) = first.receive_some(stored=False)
        finally:
            first.kill()
        with make_rig() as second:
            (after,) = second.receive_some()
        assert after.content == before.content == "precious"
        assert after.key == before.key, "the key changed: the session would hand it out twice"

    def test_acknowledged_messages_do_not_come_again(
        self, record: PluginRecord, make_rig: Callable[[], Rig], person: Wire
    ) -> None:
        """Fails when the next call acknowledges nothing: the backlog would only grow."""
        need(record, "session_receive")
        with make_rig() as rig:
            person.says("first")
            rig.receive_some()
            person.says("second")
            contents = [one.content for one in rig.receive_some()]
        assert contents == ["second"], f"after the acknowledgement there came {contents}"

    def test_restart_goes_on_where_it_was(
        self, record: PluginRecord, make_rig: Callable[[], Rig], person: Wire
    ) -> None:
        """Fails when a restart begins anew: keep the cursor in `context.state`, not in `self`."""
        need(record, "session_receive")
        with make_rig() as rig:
            person.says("done with")
            rig.receive_some()
            person.says("last before the stop")
            rig.receive_some()
        person.says("while it was down")
        found: list[str] = []
        with make_rig() as rig:
            while "while it was down" not in found:
                found += [one.content for one in rig.receive_some()]
        assert "done with" not in found, f"what was acknowledged came again: {found}"

    def test_cancelled_receive_loses_nothing(
        self, record: PluginRecord, make_rig: Callable[[], Rig], person: Wire
    ) -> None:
        """Fails when a batch dies with the call that was cut off: only the next may drop it."""
        need(record, "session_receive")
        texts = [f"cut {number}" for number in range(3)]
        for number, text in enumerate(texts):
            rig = make_rig()
            rig.start()
            person.says(text)
            rig.cancelled_receive(after=0.02 * number)
            rig.stop()
        found: list[str] = []
        with make_rig() as rig:
            while len(found) < len(texts):
                found += [one.content for one in rig.receive_some() if one.content not in found]
        assert found == texts


@contextmanager
def overheard() -> Iterator[list[Any]]:
    """Gather what `session_receive` itself returns, before the session makes messages of it."""
    returned: list[Any] = []

    def incoming(message: Any, channel_type: str) -> IncomingMessage:
        returned.append(message)
        return normalise.incoming(message, channel_type)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "incoming", incoming)
        yield returned


def _is_in_utc(timestamp: object) -> bool:
    """Return whether a time is told as the contract says; bare seconds are in UTC by themselves."""
    return not isinstance(timestamp, datetime) or timestamp.utcoffset() == timedelta()
