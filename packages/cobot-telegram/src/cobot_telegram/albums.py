"""Albums: Telegram sends each picture as a message of its own; the agent gets them as one.

Pieces wait in the channel's durable state, where they commit with the batch they came in: a crash
between two pieces loses none. What comes in the same chat meanwhile waits behind them, so that the
order stays; other chats do not wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from cobot_telegram.parse import chat_of, message_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.messages import IncomingMessage

Update: TypeAlias = Mapping[str, Any]
Read: TypeAlias = "Callable[[Update], IncomingMessage | None]"

FULL = 10
"""Items an album has at most: https://core.telegram.org/bots/api#sendmediagroup."""
_HELD, _GIVEN = "held", "album_updates"
_REMEMBERED = 500
_LONGEST = 10
"""An album that keeps growing is given out after so many times the usual wait."""


class Albums:
    """Gathers pieces until none has come for a while.

    Args:
        state: the channel's durable state.
        wait: seconds without a further piece that end an album.
    """

    def __init__(self, state: MutableMapping[str, Any], wait: float) -> None:
        self._state = state
        self._wait = wait
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def wake(self, now: float) -> None:
        """Begin to wait for what follows the pieces taken since the last call.

        By webhook a piece is delivered only when the one before it has been confirmed, and that
        happens when the session asks again: waiting begins then, and not when the piece came.
        """
        for chat in self._held():
            self._first.setdefault(chat, now)
            self._last.setdefault(chat, now)

    def take(self, update: Update) -> bool:
        """Keep a well-formed update if it is a piece of an album or waits behind one."""
        held = self._held()
        chat = chat_of(update)
        if _album(update) is None and chat not in held:
            return False
        if update["update_id"] in self._state.get(_GIVEN, []):
            return True
        others = [one for one in held.get(chat, []) if one["update_id"] != update["update_id"]]
        held[chat] = [*others, dict(update)]
        self._state[_HELD] = held
        if _album(update) is not None:
            self._last.pop(chat, None)
        return True

    def due_in(self, now: float) -> float | None:
        """Return seconds until something is complete; `None`: nothing is waiting."""
        due = [self._due(chat, updates, now) for chat, updates in self._held().items()]
        return max(0.0, min(due) - now) if due else None

    def complete(self, now: float, read: Read) -> list[IncomingMessage]:
        """Take out what is complete, in order, as `read` makes messages of updates."""
        held = self._held()
        ready = [chat for chat, updates in held.items() if self._due(chat, updates, now) <= now]
        if not ready:
            return []
        given = list(self._state.get(_GIVEN, []))
        messages: list[IncomingMessage] = []
        for chat in ready:
            updates = sorted(held.pop(chat), key=lambda one: int(one["update_id"]))
            self._first.pop(chat, None)
            self._last.pop(chat, None)
            messages += gathered(updates, read)
            given += [one["update_id"] for one in updates]
        self._state[_HELD] = held
        self._state[_GIVEN] = given[-_REMEMBERED:]
        return messages

    def _held(self) -> dict[str, list[Update]]:
        return dict(self._state.get(_HELD, {}))

    def _due(self, chat: str, updates: list[Update], now: float) -> float:
        sizes = Counter(_album(update) for update in updates if _album(update) is not None)
        if all(size >= FULL for size in sizes.values()):
            return now
        last, first = self._last.get(chat, now), self._first.get(chat, now)
        return min(last + self._wait, first + _LONGEST * self._wait)


def gathered(updates: list[Update], read: Read) -> list[IncomingMessage]:
    """Return updates as messages, each album as one where its first piece stood."""
    messages: list[IncomingMessage] = []
    albums: dict[str, IncomingMessage] = {}
    for update in updates:
        message = read(update)
        album = _album(update)
        if message is None:
            continue
        if album is None:
            messages.append(message)
        elif album in albums:
            _join(albums[album], message)
        else:
            message.metadata["album_ids"] = [message.id]
            albums[album] = message
            messages.append(message)
    return messages


def _join(whole: IncomingMessage, piece: IncomingMessage) -> None:
    whole.metadata["album_ids"].append(piece.id)
    whole.media += piece.media
    whole.content = "\n\n".join(filter(None, [whole.content, piece.content]))
    whole.reply_to = whole.reply_to or piece.reply_to
    if piece.metadata.get("mentioned"):
        whole.metadata["mentioned"] = True


def _album(update: Update) -> str | None:
    group = message_of(update).get("media_group_id")
    return None if group is None else str(group)
