"""The way out, up to the lane: where a message goes, whether it can, and that it is stored."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cobot_session.errors import PermanentError
from cobot_session.futures import heed
from cobot_session.messages import (
    MAX_ID_LENGTH,
    IncomingMessage,
    Media,
    OutgoingMessage,
    new_id,
)
from cobot_session.posting import Posting, render
from cobot_session.spool import Item
from cobot_session.steps import NEEDED_HOOK

if TYPE_CHECKING:
    from concurrent.futures import Future

    from cobot_session.house import House
    from cobot_session.messages import Receipt
    from cobot_session.roster import Roster
    from cobot_session.spool import Op
    from cobot_session.supervisor import Supervisor


class Dispatch:
    """Takes messages from the agent and puts them, stored, into the lane of their chat.

    What cannot be done is told by a receipt that is `failed` and says why; only a message that is
    not one raises.
    """

    def __init__(self, house: House, roster: Roster) -> None:
        self._house = house
        self._roster = roster

    def send(self, message: object, wait: float | None) -> Future[Receipt]:
        """Send; the receipt is what is true after at most `wait` seconds (`None`: at the end).

        Raises:
            TypeError, ValueError: it is no message; the text names the field and the rule.
        """
        return self.put(self.item("send", self.outgoing(message)), wait)

    def preview(self, part: OutgoingMessage) -> Future[Receipt]:
        """Send a rendered part of an answer that is not whole yet, once for each id."""
        item = self.item("preview", self.outgoing(part))
        item.parts = [part]
        return self.put(item, None)

    def change(
        self,
        op: Op,
        channel_type: str,
        channel_id: str,
        target: str,
        content: str,
        wait: float | None,
    ) -> Future[Receipt]:
        """Edit, delete or react to a message, named by a platform id or a `Receipt.id`."""
        message = OutgoingMessage(channel_type, str(channel_id), content, id=new_id())
        return self.put(self.item(op, self.outgoing(message), str(target)), wait)

    def reply_item(self, message: IncomingMessage, content: str | OutgoingMessage) -> Item:
        """Return the answer to a message, as `checked` does."""
        return self.checked(self.item("send", self.outgoing(self.reply(message, content))))

    def checked(self, item: Item) -> Item:
        """Return an item, ready to be stored; `refusal` tells why it cannot be done at all."""
        item.refusal = self.refusal(item)
        if item.refusal is None and not item.message.channel_id:
            item.refusal = "the answer names a channel and no `channel_id`"
        if item.refusal is None:
            render(item, self._supervisor(item).record)
            return item
        supervisor = self._roster.get(item.message.channel_type)
        if supervisor is not None and supervisor.gate.reach.unstorable(item.message.channel_id):
            item.message.channel_id = ""
        return item

    def reply(self, message: IncomingMessage, content: str | OutgoingMessage) -> OutgoingMessage:
        """Return the answer to a message as an outgoing one."""
        quoted = message.id if message.kind in {"message", "edit"} else message.reply_to
        if isinstance(content, str):
            return OutgoingMessage(
                message.channel_type, message.channel_id, content, reply_to=quoted
            )
        answer = self.outgoing(content)
        if not answer.channel_type and not answer.channel_id:
            answer.channel_type, answer.channel_id = message.channel_type, message.channel_id
            answer.reply_to = answer.reply_to or quoted
        return answer

    def broadcast(
        self, content: str | OutgoingMessage, exclude: str | None, wait: float | None
    ) -> dict[str, Future[Receipt]]:
        """Send to the default chat of every channel that can send."""
        pattern = OutgoingMessage(content=content) if isinstance(content, str) else content
        able = [one.record.id for one in self._roster.with_hook("session_send")]
        receipts = {}
        for name in able:
            if name == exclude:
                continue
            message = self.outgoing(pattern)
            message.channel_type, message.channel_id, message.id = name, "", new_id()
            receipts[name] = self.put(self.item("send", message), wait)
        return receipts

    def put(self, item: Item, wait: float | None) -> Future[Receipt]:
        """Store an item and put it into its lane; the receipt is as that of `send`."""
        posting = Posting(self._house, item, wait)
        if not item.message.channel_type:
            posting.refuse(
                "the message names no `channel_type`, and there is no default: set"
                " `plugins.session.default_channel`"
            )
        elif (refusal := self.refusal(item)) is not None:
            posting.refuse(refusal)
        else:
            supervisor = self._supervisor(item)
            if item.message.channel_id:
                posting.post(supervisor.outbox, supervisor.record)
            else:
                chat = supervisor.default_chat()
                posting.refuse_in_time(
                    f"{supervisor.record.id} has not started yet, so its default chat is not known:"
                    f" set `plugins.{supervisor.record.id}.default_chat`"
                )
                chat.add_done_callback(partial(_post_to_default, posting, supervisor))
        return posting.answer

    def keep(self, item: Item) -> None:
        """Store an item that nobody waits for, with a dead letter of what is refused."""
        if item.refusal is None:
            self.put(item, 0)
            return

        def written(known: Receipt | None) -> None:
            if known is None:
                self._bury(item, item.refusal)

        heed(self._house.spool.enqueue(item, written=written))

    def accept(self, items: list[Item]) -> None:
        """Put items that have been written into their lanes; what is refused is a dead letter."""
        for item in items:
            if item.refusal is not None:
                self._bury(item, item.refusal)
                continue
            item.lasts = False
            item.parts_stored = item.parts is not None
            self._supervisor(item).outbox.add(item)

    def _bury(self, item: Item, reason: str | None) -> None:
        item.error = reason
        receipt = item.receipt("failed")
        heed(self._house.spool.finish(item, receipt, dead=reason))
        self._house.on_end(item, receipt)

    def refusal(self, item: Item) -> str | None:
        """Return why an item cannot be done at all; `None`: it can."""
        supervisor = self._roster.get(item.message.channel_type)
        if supervisor is None:
            return self._roster.absence(item.message.channel_type)
        if NEEDED_HOOK[item.op] not in supervisor.record.hooks:
            return f"{item.message.channel_type} cannot {item.op} (no {NEEDED_HOOK[item.op]})"
        if item.op in {"edit", "delete", "react"} and not (item.target and item.message.channel_id):
            return f"to {item.op} takes a `channel_id` and a `msg_id`; one of them is empty"
        if not item.message.channel_id:
            return None  # the default chat, which is configured
        return supervisor.gate.reach.refusal(item.message.channel_id)

    def item(self, op: Op, message: OutgoingMessage, target: str | None = None) -> Item:
        """Return an item, its channel filled in."""
        message.channel_type = message.channel_type or self._default_channel()
        if self._house.settings.format == "text":
            message.metadata.setdefault("format", "text")
        return Item(op, message, time.time(), target=target)

    def outgoing(self, message: Any) -> OutgoingMessage:
        """Return a copy of a message, recognised by what it has, with an id.

        Raises:
            TypeError, ValueError: it is no message; the text names the field and the rule.
        """
        content = getattr(message, "content", None)
        if not isinstance(content, str):
            raise TypeError(
                f"`content` of an outgoing message is a str, not {type(content).__name__}"
            )
        id_ = str(getattr(message, "id", "") or "")
        if len(id_) > MAX_ID_LENGTH:
            raise ValueError(f"`id` has at most {MAX_ID_LENGTH} characters; {id_!r} has {len(id_)}")
        reply_to = getattr(message, "reply_to", None)
        return OutgoingMessage(
            channel_type=str(getattr(message, "channel_type", None) or ""),
            channel_id=str(getattr(message, "channel_id", None) or ""),
            content=content,
            reply_to=str(reply_to) if reply_to else None,
            media=_media(getattr(message, "media", None) or ()),
            metadata=dict(getattr(message, "metadata", None) or {}),
            id=id_ or new_id(),
        )

    # -- inside

    def _supervisor(self, item: Item) -> Supervisor:
        """Return the supervisor of an item's channel, which `refusal` has let pass."""
        supervisor = self._roster.get(item.message.channel_type)
        if supervisor is None:
            raise PermanentError(self._roster.absence(item.message.channel_type))
        return supervisor

    def _default_channel(self) -> str:
        configured = self._house.settings.default_channel
        if configured:
            return configured
        able = [one.record.id for one in self._roster.with_hook("session_send")]
        return able[0] if len(able) == 1 else ""


def _post_to_default(posting: Posting, supervisor: Supervisor, chat: Future[str | None]) -> None:
    posting.item.message.channel_id = chat.result() or ""
    if posting.item.message.channel_id:
        posting.post(supervisor.outbox, supervisor.record)
        return
    name = supervisor.record.id
    posting.refuse(
        f"the message names no `channel_id`, and {name} has no default chat: set"
        f" `plugins.{name}.default_chat`"
    )


def _media(given: object) -> list[Media]:
    if not isinstance(given, Iterable):
        raise TypeError(f"`media` is a list of `Media`, not {type(given).__name__}")
    return [_checked(one) for one in given]


def _checked(one: object) -> Media:
    if not isinstance(one, Media | Mapping):
        raise TypeError(f"`media` is a list of `Media`, and one of them is {type(one).__name__}")
    media = one if isinstance(one, Media) else Media(**one)
    named = [name for name in ("path", "url", "data") if getattr(media, name) is not None]
    if len(named) != 1 and media.id is None:
        raise ValueError(
            "an outgoing `Media` names exactly one of `path`, `url` and `data`;"
            f" this one names {', '.join(named) or 'none'}"
        )
    return media
