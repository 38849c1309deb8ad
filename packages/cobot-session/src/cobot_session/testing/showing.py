"""The contract's fifth part: typing, presence, edits, drafts, deletions, reactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cobot_session.messages import OutgoingMessage
from cobot_session.rendering import rendered
from cobot_session.testing.parts import Part, need, offered, received, sees, sends
from cobot_session.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cobot_session.registry import PluginRecord
    from cobot_session.session import Session
    from cobot_session.testing.case import ChannelCase, Wire
    from cobot_session.testing.rig import Rig


class Showing(Part):
    """Each is tested where the hook is there, and a visible skip where it is not."""

    def test_typing_is_shown(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when `session_typing` shows nothing: leave the hook out where there is none."""
        need(record, "session_typing")
        offered(person.is_typed_to)
        assert session.typing(channel.name, channel.chat)
        until(person.is_typed_to, channel.boundary, "the person was shown typing")

    def test_presence_is_shown(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when `session_presence` shows nothing, or `online` is not shown from the start."""
        need(record, "session_presence")
        offered(person.presence)
        until(lambda: person.presence() == "online", channel.boundary, "`online` was shown")
        session.presence("busy")
        until(lambda: person.presence() == "busy", channel.boundary, "`busy` was shown")

    def test_edit_replaces_the_text(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when the message does not change, or another appears beside it."""
        need(record, "session_send", "session_edit")
        sent = sends(session, channel, "before")
        edit = session.edit(channel.name, channel.chat, sent.id, "behind", channel.boundary)
        assert edit.status == "sent", f"the receipt is {edit}"
        sees(person, channel, lambda one: one.text == "behind", "the new text")
        assert [one.text for one in person.seen()] == ["behind"]

    def test_same_edit_twice_is_success(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when an edit that changes nothing is an error: it is what was asked for."""
        need(record, "session_send", "session_edit")
        sent = sends(session, channel, "before")
        for _ in range(2):
            edit = session.edit(channel.name, channel.chat, sent.id, "same", channel.boundary)
            assert edit.status == "sent", f"the receipt is {edit}"

    def test_draft_is_shown_and_replaced(
        self, record: PluginRecord, channel: ChannelCase, make_rig: Callable[[], Rig], person: Wire
    ) -> None:
        """Fails when a draft is not seen, is a message, or stays beside the next of its id."""
        need(record, "session_draft")
        offered(person.draft)
        with make_rig() as rig:
            for text in ("half", "half of it"):
                _drafts(rig, channel, text)
                until(
                    lambda text=text: person.draft() == text,  # type: ignore[misc]
                    channel.boundary,
                    f"the draft {text!r} was shown; it shows {person.draft()!r}",
                )
        assert not person.seen(), f"a draft is no message, and there stands {list(person.seen())}"

    def test_draft_gives_way_to_the_answer(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when the draft is still seen, or a second message: send the whole, and only it."""
        need(record, "session_send", "session_draft")
        offered(person.draft)
        person.says("tell me")
        (message,) = received(session, channel)

        def chunks() -> Iterator[str]:
            yield "once"
            until(
                lambda: person.draft() or person.seen(), channel.boundary, "the beginning was shown"
            )
            if person.seen():
                pytest.skip("the channel shows no drafts in this chat")
            yield " upon a time"

        receipt = session.stream(message, chunks())
        assert receipt.status == "sent", f"the receipt is {receipt}"
        sees(person, channel, lambda one: one.text == "once upon a time", "the whole answer")
        assert [one.text for one in person.seen()] == ["once upon a time"]
        until(
            lambda: person.draft() is None,
            channel.boundary,
            f"the draft was gone; it shows {person.draft()!r}",
        )

    def test_deletion_takes_the_message_away(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when the message is still seen, or when deleting it again is an error."""
        need(record, "session_send", "session_delete")
        sent = sends(session, channel, "going")
        for _ in range(2):
            gone = session.delete(channel.name, channel.chat, sent.id, channel.boundary)
            assert gone.status == "sent", f"the receipt is {gone}"
        until(lambda: not person.seen(), channel.boundary, "the message was gone")

    def test_reaction_is_shown_and_taken_back(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a reaction is not seen, or an empty emoji does not take it back."""
        need(record, "session_send", "session_react")
        sent = sends(session, channel, "news")
        done = session.react(channel.name, channel.chat, sent.id, "👍", channel.boundary)
        assert done.status == "sent", f"the receipt is {done}"
        sees(person, channel, lambda one: "👍" in one.reactions, "the reaction 👍")
        session.react(channel.name, channel.chat, sent.id, "", channel.boundary)
        sees(person, channel, lambda one: not one.reactions, "the reaction taken back")


def _drafts(rig: Rig, channel: ChannelCase, text: str) -> None:
    """Show a draft; skip where the channel has none in this chat."""
    message = OutgoingMessage(channel.name, channel.chat, text, id="a-draft")
    (part,) = rig.run(lambda: rendered(rig.door, message, rig.limits))
    if not rig.run(lambda: rig.door.draft(part)):
        pytest.skip("the channel shows no drafts in this chat")
