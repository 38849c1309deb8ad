"""Where the agent may write at all: whatever it was talked into, nowhere else."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from cobot_session.gate.rules import Rules, enclosing
from cobot_session.spool.access import MOST_HEARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ANY = "any"


class Reach:
    """The chats of one channel that the agent may write to. Thread-safe.

    Args:
        name: of the channel's block.
        send_to: the only ones; `["any"]`: all; `None`: those that are configured, and those that
            something was heard from that passed the gate.
        allowed: the gate's rules: what they list is configured, and `open` opens both ways.
        heard: chats heard from before, the oldest first.
        form: returns a chat's id as messages carry it; raises `ValueError` when it is none.
        target: raises `ValueError` for what must not even be stored, and says why.
    """

    def __init__(
        self,
        name: str,
        send_to: Sequence[str] | None,
        allowed: Rules,
        heard: Iterable[str] = (),
        form: Callable[[str], str] = str,
        target: Callable[[str], str] = str,
    ) -> None:
        self._name = name
        self._form = form
        self._target = target
        self._any = ANY in send_to if send_to is not None else allowed.open
        self._only = None if send_to is None else frozenset(send_to)
        in_chats = {chat for _, chat in allowed.users_in}
        self._listed = {*allowed.users, *allowed.chats, *in_chats}
        self._lock = Lock()
        self._heard: OrderedDict[str, None] = OrderedDict.fromkeys(heard)

    def configure(self, chat: str | None) -> None:
        """Count a chat as configured: the default one."""
        if chat:
            with self._lock:
                self._listed |= {chat, self._formed(chat)}

    def unheard(self, chats: Iterable[str]) -> list[str]:
        """Return those chats that are not known to have been heard from."""
        with self._lock:
            return [chat for chat in dict.fromkeys(chats) if chat not in self._heard]

    def hear(self, chats: Iterable[str]) -> None:
        """Take up chats that something came from."""
        with self._lock:
            for chat in chats:
                self._heard[chat] = None
                self._heard.move_to_end(chat)
            while len(self._heard) > MOST_HEARD:
                self._heard.popitem(last=False)

    def forget(self, chat: str) -> None:
        """Take a chat for one that was never heard from."""
        with self._lock:
            self._heard.pop(chat, None)

    def unstorable(self, chat: str) -> str | None:
        """Return why a chat's id must not even be stored, such as a private key; `None`: it may."""
        try:
            self._target(chat)
        except ValueError as error:
            return f"`channel_id`: {error}"
        return None

    def refusal(self, chat: str) -> str | None:
        """Return why the agent may not write to a chat, and what to do; `None`: it may."""
        if (refusal := self.unstorable(chat)) is not None:
            return refusal
        if self._any:
            return None
        chat = self._formed(chat)
        if self._only is not None:
            if self._only.isdisjoint(enclosing(chat)):
                return (
                    f"`plugins.{self._name}.access.send_to` does not list the chat {chat!r};"
                    " add it there if the agent may write to it"
                )
            return None
        with self._lock:
            known = chat in self._heard or not self._listed.isdisjoint(enclosing(chat))
        if known:
            return None
        return (
            f"nothing has been heard from the chat {chat!r}, and it is not configured: add it to"
            f" `plugins.{self._name}.access.send_to` (`any` for every chat), or to `access.chats`"
            " if everybody there may also write to the agent"
        )

    def _formed(self, chat: str) -> str:
        try:
            return self._form(chat)
        except ValueError:
            return chat
