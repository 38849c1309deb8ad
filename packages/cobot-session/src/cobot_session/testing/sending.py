"""The contract's fourth part: what the agent says reaches people, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from cobot_session.messages import Media, OutgoingMessage, Receipt, new_id
from cobot_session.testing.parts import Part, need, offered, sees, sends
from cobot_session.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cobot_session.registry import PluginRecord
    from cobot_session.session import Session
    from cobot_session.testing.case import ChannelCase, Wire
    from cobot_session.testing.rig import Rig

_UNICODE = "naïve 🧑‍👩‍👧‍👦 שלום 漢字 e\u0301 🇺🇳"
_PARTS = 3
_SHORT_PAUSE, _LONG_PAUSE = 1.0, 3600.0
"""Seconds: one that a test waits out, and one that no machine is slow enough to use up."""


class Sending(Part):
    """`session_send` and `session_render`, seen from the other side."""

    def test_text_arrives(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when the person does not see the text, or the receipt is not `sent`."""
        need(record, "session_send")
        receipt = sends(session, channel, "hello")
        assert receipt.status == "sent", f"the receipt is {receipt}"
        sees(person, channel, lambda one: one.text == "hello", "the text `hello`")

    def test_receipt_names_the_platforms_id(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when edits could not find the message: return the platform's id from the hook."""
        need(record, "session_send")
        if not record.hooks & {"session_edit", "session_delete", "session_react"}:
            need(record, "session_edit")
        receipt = sends(session, channel, "find me")
        assert receipt.message_ids, "`session_send` returned no message id"
        seen = sees(person, channel, lambda one: one.text == "find me", "the text `find me`")
        assert receipt.message_ids == (seen.id,)

    def test_text_of_any_script_leaves_whole(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a character is lost or changed on its way out."""
        need(record, "session_send")
        assert sends(session, channel, _UNICODE).status == "sent"
        sees(person, channel, lambda one: one.text == _UNICODE, f"the text {_UNICODE!r}")

    def test_long_text_arrives_whole_and_in_order(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a long text is cut, refused or shuffled: declare `limits.text` truly."""
        need(record, "session_send")
        size = record.limits.text or 5_000
        words = [f"word{number}" for number in range(_PARTS * size // 8)]
        receipt = sends(session, channel, " ".join(words))
        assert receipt.status == "sent", f"the receipt is {receipt}"
        said = [word for one in person.seen() for word in one.text.split()]
        assert said == words, f"{len(words)} words were sent, {len(said)} arrived, or not in order"

    def test_answer_quotes(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when `message.reply_to` does not become the platform's quote."""
        need(record, "session_send")
        asked = person.says("question")
        assert sends(session, channel, "answer", reply_to=asked).status == "sent"
        seen = sees(person, channel, lambda one: one.text == "answer", "the answer")
        if seen.reply_to is None and offered(person.says, "x", reply_to=asked):
            raise AssertionError("the answer quotes nothing")
        assert seen.reply_to in {None, asked}

    def test_attachment_is_seen(
        self,
        record: PluginRecord,
        session: Session,
        channel: ChannelCase,
        person: Wire,
        tmp_path: Path,
    ) -> None:
        """Fails when a file from a path is not seen: upload it, or declare `limits.files = 0`."""
        need(record, "session_send")
        path = tmp_path / "report.txt"
        path.write_text("numbers", encoding="utf-8")
        receipt = sends(session, channel, "see file", media=[Media(path=path)])
        assert receipt.status == "sent", f"the receipt is {receipt}"
        sees(
            person,
            channel,
            lambda one: "report.txt" in " ".join(one.files) or "report.txt" in one.text,
            "report.txt, attached or at least named",
        )

    def test_permanent_refusal_ends_it_at_once(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a refusal is tried again: raise `PermanentError` for what cannot work."""
        need(record, "session_send")
        offered(person.refuses, "permanent")
        receipt = sends(session, channel, "never")
        assert receipt.status == "failed", f"the receipt is {receipt}"
        assert receipt.attempts == 1, f"it was tried {receipt.attempts} times"

    def test_temporary_trouble_is_tried_again(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a message is lost or doubled: raise `TemporaryError` when nothing was done."""
        need(record, "session_send")
        offered(person.refuses, "temporary")
        receipt = sends(session, channel, "later")
        assert receipt.status == "sent", f"the receipt is {receipt}"
        assert [one.text for one in person.seen()].count("later") == 1

    def test_rate_limit_is_kept(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a pause the platform asks for is lost: raise `RateLimited(retry_after)`."""
        need(record, "session_send")
        offered(person.refuses, "rate_limited", retry_after=_SHORT_PAUSE)
        began = time.monotonic()
        receipt = sends(session, channel, "slowly")
        waited = time.monotonic() - began
        assert receipt.status == "sent", f"the receipt is {receipt}"
        assert waited >= _SHORT_PAUSE, f"it was sent after {waited:.2f} s: `RateLimited` was lost"
        assert [one.text for one in person.seen()].count("slowly") == 1
        offered(person.refuses, "rate_limited", retry_after=_LONG_PAUSE)
        message = OutgoingMessage(channel.name, channel.chat, "much later", id=new_id())

        def tried() -> Receipt | None:
            known = session.send(message, timeout=0.2)
            return known if known.error or known.status != "queued" else None

        paused = until(tried, channel.boundary, "the message was tried")
        assert paused is not None
        assert "RateLimited" in (paused.error or ""), f"`RateLimited` was lost: {paused}"
        assert paused.status == "queued", f"it was not paused: {paused}"

    def test_unknown_outcome_is_never_doubled(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a lost answer doubles the message: raise `OutcomeUnknown` once it has left."""
        need(record, "session_send")
        offered(person.refuses, "unknown")
        receipt = sends(session, channel, "perhaps")
        expected = "sent" if record.limits.idempotent else "unknown"
        assert receipt.status == expected, f"the receipt is {receipt}"
        assert [one.text for one in person.seen()].count("perhaps") == 1

    def test_refused_credentials_stop_the_channel(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when a revoked token is tried for ever: raise `AuthError`."""
        need(record, "session_send")
        offered(person.refuses, "auth")
        session.send(OutgoingMessage(channel.name, channel.chat, "who am I"), timeout=0)
        until(
            lambda: session.status()[channel.name].state == "failed",
            channel.boundary,
            f"the channel failed; its status is {session.status()[channel.name]}",
        )

    def test_repeat_of_an_id_has_no_second_effect(
        self, record: PluginRecord, channel: ChannelCase, make_rig: Callable[[], Rig], person: Wire
    ) -> None:
        """Fails when `limits.idempotent` is not true: use `message.id` as the platform's key."""
        need(record, "session_send")
        if not record.limits.idempotent:
            pytest.skip("the channel does not declare idempotent sends")
        with make_rig() as rig:
            whole = OutgoingMessage(channel.name, channel.chat, "just once", id=new_id())
            if "session_render" in rig.door.hooks:
                (part,) = rig.run(lambda: rig.door.render(whole))
                part.id = whole.id
            else:
                part = whole
            for _ in range(2):
                rig.run(lambda: rig.door.send(part))
            sees(person, channel, lambda one: one.text == "just once", "the message")
            assert [one.text for one in person.seen()].count("just once") == 1
