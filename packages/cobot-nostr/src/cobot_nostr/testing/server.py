"""The world of a test: relays over real sockets, people, and what they see."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from typing import TYPE_CHECKING, Self

from cobot_nostr import giftwrap, nip19
from cobot_nostr.crypto import DecryptError, Key
from cobot_nostr.event import Event, EventError, Rumor, make_event
from cobot_nostr.testing.changes import Changes
from cobot_nostr.testing.chats import Chat, ChatKind, Message
from cobot_nostr.testing.faults import Faults
from cobot_nostr.testing.people import (
    CHANNEL_MESSAGE,
    DELETION,
    GROUP_MESSAGE,
    OLD_DIRECT,
    PRIVATE_FILE,
    PRIVATE_MESSAGE,
    REACTION,
    TEXT_NOTE,
    User,
)
from cobot_nostr.testing.relay import PATIENCE, TestingRelay

if TYPE_CHECKING:
    from types import TracebackType

_CREATE_CHANNEL = 40
_STATUS = 30315


class NostrServer:
    """One or more relays and the people who use them.

    Enter it with `with`, and it serves from a thread of its own; with `async with`, from the
    running loop. The verbs of people work from anywhere; a wait that ends in `_async` is awaited.

    Args:
        relays: how many.
        bot: public key (hexadecimal or `npub`) of the bot people talk to; may be set later.
        seed: of the dice that faults with a `rate` throw.
    """

    def __init__(self, relays: int = 1, *, bot: str = "", seed: int = 0) -> None:
        self.changes = Changes()
        self.faults = Faults(self.changes, random.Random(seed))  # nosec B311 # noqa: S311  # dice of a test
        self.relays = [
            TestingRelay(self.changes, self.faults, self._observe) for _ in range(relays)
        ]
        self.users: list[User] = []
        self.statuses: dict[str, str] = {}
        self.serial = 0
        self._bot = nip19.person(bot) if bot else ""
        self._chats: dict[tuple[ChatKind, frozenset[str], str], Chat] = {}
        self._messages: dict[str, Message] = {}
        self._reactions: dict[str, Rumor] = {}
        self._seen: set[str] = set()
        self._thread: threading.Thread | None = None

    @property
    def bot(self) -> str:
        """Public key of the bot that people talk to unless told otherwise."""
        if not self._bot:
            raise ValueError("the server does not know its bot: set `server.bot` to its public key")
        return self._bot

    @bot.setter
    def bot(self, public: str) -> None:
        self._bot = nip19.person(public)

    @property
    def url(self) -> str:
        """Where the first relay listens."""
        return self.relays[0].url

    @property
    def urls(self) -> list[str]:
        """Where the relays listen."""
        return [relay.url for relay in self.relays]

    # -- life

    async def __aenter__(self) -> Self:
        self.changes.loop = asyncio.get_running_loop()
        await asyncio.gather(*(relay.start_async() for relay in self.relays))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(relay.stop_async() for relay in self.relays))
        for relay in self.relays:
            relay.release()
        self.changes.loop = None

    def __enter__(self) -> Self:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="nostr-relays", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.__aenter__(), loop).result(PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop, thread = self.changes.loop, self._thread
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self.__aexit__(None, None, None), loop).result(PATIENCE)
        asyncio.run_coroutine_threadsafe(_end_tasks(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()

    # -- people and places

    def user(self, name: str, *, key: Key | None = None, introduced: bool = True) -> User:
        """Return a new person; `introduced` ones have published a profile and inbox relays."""
        user = User(self, name, key or Key())
        with self.changes:
            self.users.append(user)
        if introduced:
            user.publishes_profile()
        return user

    @property
    def notes(self) -> Chat:
        """The public square: kind 1."""
        return self.chat("notes")

    def group(self, group_id: str) -> Chat:
        """Return a NIP-29 group (kind 9 with `h`)."""
        return self.chat("group", name=group_id)

    def channel(self, name: str) -> Chat:
        """Open a NIP-28 channel (kind 42) and return it."""
        event = make_event(Key(), 1, _CREATE_CHANNEL, (), f'{{"name":"{name}"}}')
        self.publish(event)
        return self.chat("channel", name=event.id)

    def chat(self, kind: ChatKind, members: frozenset[str] = frozenset(), name: str = "") -> Chat:
        """Return a place, the same one each time."""
        with self.changes:
            return self._chats.setdefault((kind, members, name), Chat(self, kind, members, name))

    def publish(self, event: Event) -> None:
        """Hand an event to every relay that listens."""
        with self.changes:
            self._seen.add(event.id)
            self._observe_public(event)
        for relay in self.relays:
            relay.accept(event)

    def add(self, chat: Chat, rumor: Rumor, text: str) -> Message:
        """Put a message where people see it."""
        with self.changes:
            message = chat.add(rumor, text)
            self._messages[rumor.id] = message
        self.changes.notify()
        return message

    def message(self, event_id: str) -> Message | None:
        """Return a message by its id, wherever it stands."""
        with self.changes:
            return self._messages.get(event_id)

    # -- what people see of what the relays got

    def _observe(self, event: Event) -> None:
        if event.id in self._seen:
            return
        self._seen.add(event.id)
        receiver = next((user for user in self.users if user.public == event.value("p")), None)
        if event.kind == giftwrap.GIFT_WRAP and receiver is not None:
            with contextlib.suppress(DecryptError, EventError):
                self.observe_rumor(giftwrap.unwrap(receiver.key, event).rumor)
        elif event.kind == OLD_DIRECT and receiver is not None:
            with contextlib.suppress(DecryptError):
                text = receiver.key.decrypt_nip04(event.content, event.pubkey)
                chat = self.chat("old", frozenset({receiver.public, event.pubkey}))
                self.add(chat, event, text)
        else:
            self._observe_public(event)

    def observe_rumor(self, rumor: Rumor) -> None:
        """Show what a private message, reaction or deletion says."""
        with self.changes:
            if rumor.kind in {PRIVATE_MESSAGE, PRIVATE_FILE}:
                chat = self.chat("private", frozenset({rumor.pubkey, *rumor.values("p")}))
                self.add(chat, rumor, rumor.content)
            else:
                self._observe_deed(rumor)

    def _observe_public(self, event: Event) -> None:
        if event.kind == TEXT_NOTE:
            self.add(self.notes, event, event.content)
        elif event.kind == CHANNEL_MESSAGE:
            self.add(self.chat("channel", name=event.value("e") or ""), event, event.content)
        elif event.kind == GROUP_MESSAGE:
            self.add(self.group(event.value("h") or ""), event, event.content)
        elif event.kind == _STATUS:
            self.statuses[event.pubkey] = event.content
        else:
            self._observe_deed(event)

    def _observe_deed(self, rumor: Rumor) -> None:
        if rumor.kind == REACTION:
            message = self._messages.get((rumor.values("e") or [""])[-1])
            self._reactions[rumor.id] = rumor
            if message is not None:
                message.reactions[rumor.pubkey] = rumor.content
        elif rumor.kind == DELETION:
            for target in rumor.values("e"):
                self._retract(target, rumor.pubkey)
        self.changes.notify()

    def _retract(self, target: str, author: str) -> None:
        message, reaction = self._messages.get(target), self._reactions.get(target)
        if message is not None and message.sender == author:
            message.deleted = True
        if reaction is not None and reaction.pubkey == author:
            on = self._messages.get((reaction.values("e") or [""])[-1])
            if on is not None:
                on.reactions.pop(author, None)


async def _end_tasks() -> None:
    """End what the sockets left on the loop: a client may have been let in at the last moment."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # transports close in the next round
