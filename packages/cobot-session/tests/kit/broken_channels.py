"""Channels that are wrong in one way each; the kit must say which.

`BROKEN` maps a defect to its channel, the test that must fail, and words that its message has.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cobot_session import (
    AuthError,
    Health,
    IncomingMessage,
    Limits,
    OutcomeUnknown,
    OutgoingMessage,
    PermanentError,
    PluginMeta,
    RateLimited,
    TemporaryError,
)
from cobot_session.testing import FakeChannel, FakePlugin

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Broken:
    """One defect and how the kit must tell it."""

    plugin: Callable[[FakeChannel], object]
    test: str
    words: str
    options: dict[str, str] = field(default_factory=dict)


BROKEN: dict[str, Broken] = {}


def caught_by(test: str, words: str, **options: str) -> Callable[[Any], Any]:
    """Register a broken channel under its name."""

    def register(plugin: Any) -> Any:
        BROKEN[plugin.__name__] = Broken(plugin, test, words, options)
        return plugin

    return register


class Changing(FakePlugin):
    """Changes each message that it receives."""

    def changed(self, message: IncomingMessage) -> IncomingMessage:
        raise NotImplementedError

    async def session_receive(self) -> list[IncomingMessage]:
        return [self.changed(one) for one in await super().session_receive()]


# -- packaging and settings


@caught_by("test_name_is_the_plugins_id", "other")
class HasAnotherId(FakePlugin):
    meta = PluginMeta(id="other", version="1")


@caught_by("test_hooks_are_known", "session_recieve")
class MisspellsAHook(FakePlugin):
    async def session_recieve(self) -> list[IncomingMessage]:
        return []


@caught_by("test_hooks_are_known", "chat_id")
class NamesAnArgumentItsOwnWay(FakePlugin):
    async def session_typing(self, chat_id: str) -> None:  # type: ignore[override]
        return


@caught_by("test_it_is_written_for_this_contract", "contract")
class IsOfAnotherContract(FakePlugin):
    meta = PluginMeta(id="fake", version="1", contract=99)


_ONE: dict[int, FakePlugin] = {}


@caught_by("test_each_object_is_fresh", "the same object")
def is_made_once(network: FakeChannel) -> FakePlugin:
    return _ONE.setdefault(id(network), FakePlugin(network))


@caught_by("test_unknown_key_is_refused", "DID NOT RAISE")
class SwallowsUnknownKeys(FakePlugin):
    config_model = None  # type: ignore[assignment]


class _PlainSecret(BaseModel):
    api_token: str = ""


@caught_by("test_secrets_are_in_no_repr", "a secret is in the repr", api_token="correct horse")
class ShowsItsToken(FakePlugin):
    config_model = _PlainSecret  # type: ignore[assignment]


# -- receiving


@caught_by("test_unacknowledged_messages_come_again_after_a_crash", "returned nothing")
class AcknowledgesTooEarly(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        batch = await super().session_receive()
        self.network.acknowledge()
        return batch


@caught_by("test_acknowledged_messages_do_not_come_again", "after the acknowledgement there came")
class NeverAcknowledges(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        return self.network.receive()


class ReadsAHistory(FakePlugin):
    """Its network keeps everything; where it stands is known in this life only."""

    cursor = 0

    async def session_receive(self) -> list[IncomingMessage]:
        history = self.network.receive()
        batch, self.cursor = history[self.cursor :], len(history)
        return batch


@caught_by("test_restart_goes_on_where_it_was", "what was acknowledged came again")
class BeginsAtTheBeginning(ReadsAHistory):
    pass


@caught_by("test_restart_goes_on_where_it_was", "returned nothing")
class BeginsWithWhatComesNext(ReadsAHistory):
    async def start(self) -> None:
        await super().start()
        self.cursor = len(self.network.receive())


@caught_by("test_cancelled_receive_loses_nothing", "returned nothing")
class TakesOffTheQueueAtOnce(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        batch = self.network.receive()
        self.network.acknowledge()
        await asyncio.sleep(0.2)
        return batch


@caught_by("test_order_is_kept", "number 9")
class TurnsTheOrderRound(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        await asyncio.sleep(0.1)
        return (await super().session_receive())[::-1]


@caught_by("test_text_of_any_script_survives", "assert")
class KnowsAsciiOnly(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, content=message.content.encode("ascii", "replace").decode())


@caught_by("test_keys_tell_messages_apart", "2 message(s) arrived")
class MakesKeysOfWords(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, key=message.content)


_NUMBERS = itertools.count()


@caught_by("test_repeated_delivery_is_one_message", "after a repeat there came")
class MakesUpKeys(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, key=f"key {next(_NUMBERS)}")


@caught_by("test_message_arrives_whole", "`channel_id` is 'elsewhere'")
class NamesTheWrongChat(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, channel_id="elsewhere")


@caught_by("test_message_arrives_whole", "`sender_id` is empty")
class HidesTheSender(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, sender_id="")


@caught_by("test_message_arrives_whole", "write `datetime.now(UTC)` or `datetime.fromtimestamp(")
class NamesNoTimeZone(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, timestamp=message.timestamp.replace(tzinfo=None))


@caught_by("test_message_arrives_whole", "not aware and in UTC")
class TellsTheTimeOfTokyo(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        tokyo = timezone(timedelta(hours=9))
        return replace(message, timestamp=message.timestamp.astimezone(tokyo))


@caught_by("test_answered_message_is_named", "`reply_to` is None")
class ForgetsWhatIsAnswered(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, reply_to=None)


@caught_by("test_attachment_arrives_and_can_be_fetched", "`media` is empty")
class DropsAttachments(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, media=[])


@caught_by("test_attachment_arrives_and_can_be_fetched", "assert")
class CutsDownloadsShort(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        media = [replace(one, id="7", data=None) for one in message.media]
        return replace(message, media=media)

    async def session_fetch(self, media: Any) -> bytes:
        return b"only the beginning"


@caught_by("test_edit_arrives_as_one", "message")
class TakesEditsForMessages(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, kind="message")


@caught_by("test_deletion_arrives_as_one", "deletion")
class GivesDeletionsAnIdOfTheirOwn(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, id=f"{message.id}-gone") if message.kind == "deletion" else message


@caught_by("test_reaction_arrives_as_one", "reaction")
class ForgetsTheEmoji(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, content="") if message.kind == "reaction" else message


@caught_by("test_garbage_blocks_nothing", "1 message(s) arrived")
class DiesOfGarbage(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        self.network.check()
        for one in self.network.receive():
            one.content  # noqa: B018 - what is no message raises here, at each call
        return await super().session_receive()


# -- sending


@caught_by("test_text_arrives", "the person saw the text `hello`")
class OnlyPretendsToSend(FakePlugin):
    async def session_send(self, message: Any) -> str:
        return "s1"


@caught_by("test_receipt_names_the_platforms_id", "returned no message id")
class KeepsTheIdsToItself(FakePlugin):
    async def session_send(self, message: Any) -> str:
        await super().session_send(message)
        return None  # type: ignore[return-value]


@caught_by("test_text_of_any_script_leaves_whole", "the person saw the text")
class SpeaksLatinOnly(FakePlugin):
    async def session_send(self, message: Any) -> str:
        text = message.content.encode("latin-1", "ignore").decode("latin-1")
        return await super().session_send(replace(message, content=text))


@caught_by("test_long_text_arrives_whole_and_in_order", "words were sent")
class CutsTextsShort(FakePlugin):
    async def session_send(self, message: Any) -> str:
        return await super().session_send(replace(message, content=message.content[:100]))


@caught_by("test_long_text_arrives_whole_and_in_order", "too long")
class ClaimsLongerTextsThanItTakes(FakePlugin):
    async def session_send(self, message: Any) -> str:
        if len(message.content) > 100:
            raise PermanentError("message is too long")
        return await super().session_send(message)


@caught_by("test_answer_quotes", "the answer quotes nothing")
class NeverQuotes(FakePlugin):
    async def session_send(self, message: Any) -> str:
        return await super().session_send(replace(message, reply_to=None))


@caught_by("test_attachment_is_seen", "report.txt")
class LosesFiles(FakePlugin):
    async def session_send(self, message: Any) -> str:
        return await super().session_send(replace(message, media=[]))


class Misjudging(FakePlugin):
    """Takes one trouble for another."""

    wrong: tuple[type[Exception], Exception]

    async def session_send(self, message: Any) -> str:
        kind, instead = self.wrong
        try:
            return await super().session_send(message)
        except kind:
            raise instead from None


@caught_by("test_permanent_refusal_ends_it_at_once", "queued")
class RepeatsWhatIsRefusedForGood(Misjudging):
    wrong = PermanentError, TemporaryError("again")

    async def session_send(self, message: Any) -> str:
        if not self.network.failures:
            self.network.failures.append(PermanentError("blocked"))
        return await super().session_send(message)


@caught_by("test_temporary_trouble_is_tried_again", "failed")
class GivesUpAtOnce(Misjudging):
    wrong = TemporaryError, PermanentError("never")


@caught_by("test_rate_limit_is_kept", "`RateLimited` was lost")
class IgnoresThePause(Misjudging):
    wrong = RateLimited, TemporaryError("busy")


@caught_by("test_unknown_outcome_is_never_doubled", "sent")
class DoublesWhenInDoubt(Misjudging):
    wrong = OutcomeUnknown, TemporaryError("no answer")


@caught_by("test_refused_credentials_stop_the_channel", "the channel failed")
class TriesARevokedToken(Misjudging):
    wrong = AuthError, TemporaryError("401")


@caught_by("test_repeat_of_an_id_has_no_second_effect", "assert 2 == 1")
class ClaimsToBeIdempotent(FakePlugin):
    def __init__(self, network: FakeChannel) -> None:
        super().__init__(network)
        self.limits = Limits(idempotent=True)  # type: ignore[misc]


# -- showing


@caught_by("test_typing_is_shown", "the person was shown typing")
class ShowsNoTyping(FakePlugin):
    async def session_typing(self, channel_id: str) -> None:
        return


@caught_by("test_presence_is_shown", "`busy` was shown")
class IsAlwaysOnline(FakePlugin):
    async def session_presence(self, status: str) -> None:
        await super().session_presence("online")


@caught_by("test_edit_replaces_the_text", "assert")
class EditsByPostingAnew(FakePlugin):
    async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
        await super().session_edit(channel_id, msg_id, "(see below)")
        post = self.network.posts[msg_id]
        self.network.post(replace(post.message, content=content, id="another"))


@caught_by("test_same_edit_twice_is_success", "not modified")
class TakesNoChangeForAnError(FakePlugin):
    async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
        if self.network.posts[msg_id].text == content:
            raise PermanentError("message is not modified")
        await super().session_edit(channel_id, msg_id, content)


@caught_by("test_draft_is_shown_and_replaced", "the draft 'half' was shown")
class DraftsByPosting(FakePlugin):
    async def session_draft(self, message: OutgoingMessage) -> bool:
        self.network.post(message)
        return True


@caught_by("test_draft_is_shown_and_replaced", "the draft 'half of it' was shown")
class ShowsTheFirstDraftOnly(FakePlugin):
    async def session_draft(self, message: OutgoingMessage) -> bool:
        self.network.draft.setdefault(message.channel_id, message.content)
        return True


@caught_by("test_draft_is_shown_and_replaced", "a draft is no message")
class DraftsInAMessageBeside(FakePlugin):
    async def session_draft(self, message: OutgoingMessage) -> bool:
        self.network.post(message)
        self.network.draft[message.channel_id] = message.content
        return True


@caught_by("test_draft_gives_way_to_the_answer", "the draft was gone")
class LeavesTheDraft(FakePlugin):
    async def session_draft(self, message: OutgoingMessage) -> bool:
        self.network.draft[message.channel_id] = message.content
        return True

    async def session_send(self, message: OutgoingMessage) -> str:
        shown = dict(self.network.draft)
        id_ = await super().session_send(message)
        self.network.draft.update(shown)
        return id_


@caught_by("test_deletion_takes_the_message_away", "the message was gone")
class DeletesNothing(FakePlugin):
    async def session_delete(self, channel_id: str, msg_id: str) -> None:
        return


@caught_by("test_reaction_is_shown_and_taken_back", "the reaction taken back")
class CannotTakeBackAReaction(FakePlugin):
    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> None:
        if emoji:
            await super().session_react(channel_id, msg_id, emoji)


# -- life


@caught_by("test_it_starts_and_stops_again_and_again", "already started")
class LivesOnce(FakePlugin):
    lives = 0

    async def start(self) -> None:
        type(self).lives += 1
        if type(self).lives > 1:
            raise RuntimeError("already started")
        await super().start()


@caught_by("test_stop_without_start_is_harmless", "connection")
class NeedsAStartToStop(FakePlugin):
    def stop(self) -> None:
        self.connection.close()  # type: ignore[attr-defined]


@caught_by("test_stop_leaves_nothing_behind", "these tasks go on")
class LeavesATask(FakePlugin):
    async def start(self) -> None:
        await super().start()
        self.task = asyncio.create_task(asyncio.Event().wait())


@caught_by("test_stop_leaves_nothing_behind", "threads ended")
class LeavesAThread(FakePlugin):
    lives = itertools.count()

    async def start(self) -> None:
        await super().start()
        name = f"left behind {next(self.lives)}"
        threading.Thread(target=threading.Event().wait, args=(30,), daemon=True, name=name).start()


@caught_by("test_it_recovers_from_a_cut_connection", "arrived")
class StaysDeadAfterACut(FakePlugin):
    dead = False

    async def session_receive(self) -> list[IncomingMessage]:
        if not self.dead:
            try:
                return await super().session_receive()
            except TemporaryError:
                self.dead = True
        return await asyncio.Event().wait() or []

    async def session_health(self) -> Health:
        return Health(True)


@caught_by("test_health_is_true", "the status told of the cut")
class SaysItIsWell(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        try:
            return await super().session_receive()
        except TemporaryError:
            return []

    async def session_health(self) -> Health:
        return Health(True)


# -- the gate


@caught_by("test_no_stranger_reaches_the_agent", "namesake: message")
class TakesNamesForIds(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, sender_id=message.sender_name.lower())


@caught_by("test_no_stranger_reaches_the_agent", "changed' of 'alice'")
class TakesEditsForThoseOfWhoeverIsLetIn(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, sender_id="alice") if message.kind == "edit" else message


@caught_by("test_no_stranger_reaches_the_agent", "reaction '👍'")
class BelievesThatReactionsAreHarmless(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, sender_id="alice") if message.kind == "reaction" else message


@caught_by("test_no_stranger_reaches_the_agent", "callback 'stranger: button' of 'alice'")
class TakesButtonsForTheAgents(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, sender_id="alice") if message.kind == "callback" else message


@caught_by("test_no_stranger_reaches_the_agent", "forwarded' of 'alice'")
class TakesTheForwardedForTheirAuthors(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        origin = message.metadata.get("forwarded_from")
        return replace(message, sender_id=origin["id"]) if origin else message


@caught_by("test_no_stranger_reaches_the_agent", "the gate saw")
class SwallowsStrangers(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        return [one for one in await super().session_receive() if one.sender_id == "alice"]


@caught_by("test_no_stranger_reaches_the_agent", "let in?' of 'mallory'")
class StoresMessagesItself(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        batch = await super().session_receive()
        engine = self.context.session._engine
        for one in batch:
            if one.sender_id == "mallory":
                note = replace(one, key=f"{one.key}+", content="let in?", channel_type="fake")
                stored = engine.house.spool.store("fake", [note], {}, [])
                engine.inbox.add(await asyncio.wrap_future(stored))
        return batch


@caught_by("test_no_stranger_reaches_the_agent", "'stranger: message' of 'mallory'")
class TellsObserversItself(FakePlugin):
    async def session_receive(self) -> list[IncomingMessage]:
        batch = await super().session_receive()
        for one in batch:
            self.context.session._engine.house.tell("session_on_receive", one)
        return batch


@caught_by("test_no_stranger_comes_in_by_a_listed_chat", "in 'chat'")
class PutsEverybodyIntoOneChat(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, channel_id="chat")


@caught_by("test_no_stranger_is_read_from_the_backlog", "'stranger: message' of 'alice'")
class TrustsWhatItMissed(FakePlugin):
    caught_up = False

    async def session_receive(self) -> list[IncomingMessage]:
        batch = await super().session_receive()
        missed, self.caught_up = not self.caught_up, True
        return [replace(one, sender_id="alice") for one in batch] if missed else batch


@caught_by("test_no_code_is_given_in_a_group", "codes were given")
class TakesEveryChatForADirectOne(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, direct=True)


@caught_by("test_stranger_is_let_in_by_their_code", "the stranger saw a code")
class TakesNoChatForADirectOne(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        return replace(message, direct=False)


@caught_by("test_stranger_is_let_in_by_their_code", "whom the owner let in is not heard")
class KnowsNobodyAgain(Changing):
    def changed(self, message: IncomingMessage) -> IncomingMessage:
        new = message.sender_id != "alice"
        return replace(message, sender_id=f"guest {next(_NUMBERS)}") if new else message
