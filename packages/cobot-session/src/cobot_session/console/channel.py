"""A channel of one chat: the person at the terminal."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Callable  # noqa: TC003  # pydantic reads the annotation
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from importlib_metadata import version
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema  # noqa: TC002  # pydantic reads the annotation

from cobot_session.console.plain import Plain
from cobot_session.console.screen import Screen, printable
from cobot_session.console.terminal import Terminal
from cobot_session.console.transcript import Transcript
from cobot_session.console.typed import Hint, Quit, Typed, understand
from cobot_session.errors import PermanentError
from cobot_session.messages import IncomingMessage, OutgoingMessage, new_id
from cobot_session.plugin import Limits, Plugin, PluginMeta

if TYPE_CHECKING:
    from cobot_session.console.transcript import Entry

CHAT = "terminal"
"""Id of the only chat there is."""

_WAIT_SECONDS = 25.0
_MOST_WAITING = 100
"""Lines that may wait to be received before standard input is left unread."""


def login_name() -> str:
    """Return the name of the person whose terminal it is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "user"


class ConsoleConfig(BaseModel):
    """Settings of the console."""

    name: str = Field(
        default_factory=login_name,
        description="What the person is called; their id is the login name all the same.",
    )
    bot_name: str = Field("bot", description="What the agent is called.")
    history: bool = Field(True, description="Keep typed lines for the next time.")
    on_eof: SkipJsonSchema[Callable[[], object] | None] = Field(None, repr=False)
    """Called once, on the channel's event loop, when the person has left and all that they typed
    has been stored. Answers may still be on their way: `Status.pending` tells. Not for a file."""

    def access(self) -> dict[str, Any]:
        """Return that everyone may write, and as fast: who has the terminal has the machine."""
        return {"open": True, "rates": False}


class Console(Plugin):
    """A terminal, or a pair of pipes, as a channel.

    Messages have short numbers, counted from 1 at each start.
    """

    meta: ClassVar = PluginMeta(id="console", version=version("cobot-session"))
    limits: ClassVar = Limits(edit_seconds=0.5, typing_seconds=5.0)
    config_model: ClassVar = ConsoleConfig
    needs_block: ClassVar = True
    config: ConsoleConfig

    async def start(self) -> None:
        """Begin to read what is typed."""
        self._transcript = Transcript()
        self._typed: asyncio.Queue[IncomingMessage | None] = asyncio.Queue(_MOST_WAITING)
        self._busy_until = 0.0
        self._presence = "online"
        self._left = False
        self._screen = self._new_screen()
        self._listening = asyncio.create_task(self._listen(), name="console-listen")
        self._listening.add_done_callback(self._wake)

    async def stop(self) -> None:
        """Stop reading, and leave the terminal as it was."""
        listening = getattr(self, "_listening", None)
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def session_receive(self) -> list[IncomingMessage]:
        """Return what was typed. After the end of input there is never anything, and it waits."""
        typed = await self._wait_for_typed()
        if not typed and self._listening.done() and self._typed.empty():
            self._listening.result()
            self._leave()
            await asyncio.sleep(_WAIT_SECONDS)
        return typed

    async def session_send(self, message: OutgoingMessage) -> str:
        """Show a message; its number is its id."""
        self._check_chat(message.channel_id)
        self._busy_until = 0.0
        number = self._transcript.add(message.content, typed=False)
        is_plain = message.reply_to in {None, self._transcript.last_typed}
        to = "" if is_plain else f" (to {message.reply_to})"
        await self._show(f"{self._mark(number)}{self.config.bot_name}{to}> ", message.content)
        return number

    async def session_typing(self, channel_id: str) -> None:
        """Say below the prompt that an answer is being written."""
        self._check_chat(channel_id)
        loop = asyncio.get_running_loop()
        self._busy_until = loop.time() + self.limits.typing_seconds
        self._screen.refresh()
        loop.call_later(self.limits.typing_seconds, self._screen.refresh)

    async def session_presence(self, status: str) -> None:
        """Say below the prompt how the agent is."""
        self._presence = status
        self._screen.refresh()

    async def session_edit(self, channel_id: str, msg_id: str, content: str) -> None:
        """Show the new text, or only what came to it where it has grown."""
        entry = self._entry(channel_id, msg_id)
        old, entry.text = entry.text, content
        if content == old:
            return
        if content.startswith(old):
            added = content.removeprefix(old).removeprefix(" ").lstrip("\n")
            await self._show(f"{self._mark(msg_id)}{self.config.bot_name}…> ", added)
        else:
            await self._show(f"{self.config.bot_name} (edits {msg_id})> ", content)

    async def session_delete(self, channel_id: str, msg_id: str) -> None:
        """Show that a message is no longer meant."""
        self._check_chat(channel_id)
        if self._transcript.remove(msg_id):
            await self._show("* ", f"{self.config.bot_name} deletes {msg_id}")

    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> None:
        """Show a reaction."""
        self._entry(channel_id, msg_id)
        what = f"reacts to {msg_id}: {emoji}" if emoji else f"takes back its reaction to {msg_id}"
        await self._show("* ", f"{self.config.bot_name} {what}")

    def session_default_chat(self) -> str:
        """Return the only chat there is."""
        return CHAT

    # -- the person

    async def _listen(self) -> None:
        """Understand what is typed until the person leaves."""
        async with aclosing(self._screen.lines()) as lines:
            async for line in lines:
                if not line.strip():
                    continue
                try:
                    typed = understand(line, self._transcript)
                except Hint as hint:
                    await self._show("? ", str(hint))
                except Quit:
                    return
                else:
                    await self._typed.put(self._message(typed))

    def _message(self, typed: Typed) -> IncomingMessage:
        number = typed.id
        metadata = {}
        now = datetime.now(UTC)
        if typed.kind == "message":
            number = self._transcript.add(typed.content, typed=True)
        elif typed.kind == "edit":
            metadata["edited_at"] = now.isoformat()
        elif typed.kind == "deletion":
            self._transcript.remove(number)
        return IncomingMessage(
            id=number or new_id(),
            channel_type=self.context.channel_type,
            channel_id=CHAT,
            sender_id=login_name(),
            sender_name=self.config.name,
            content=typed.content,
            timestamp=now,
            reply_to=typed.reply_to,
            metadata=metadata,
            kind=typed.kind,
            key=new_id(),  # numbers begin anew at each start
            direct=True,
        )

    async def _wait_for_typed(self) -> list[IncomingMessage]:
        if self._listening.done() and self._typed.empty():
            return []
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                found = [await self._typed.get()]
        except TimeoutError:
            return []
        while not self._typed.empty():
            found.append(self._typed.get_nowait())
        return [message for message in found if message is not None]

    def _wake(self, _: asyncio.Task[None]) -> None:
        """Let a `session_receive` that waits see that nothing more will come."""
        with suppress(asyncio.QueueFull):
            self._typed.put_nowait(None)

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            if self.config.on_eof is not None:
                self.config.on_eof()

    # -- the screen

    def _new_screen(self) -> Screen:
        if not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)):
            return Plain()
        history = self.context.workspace / "history" if self.config.history else None
        return Terminal(self._prompt, self._state, history)

    async def _show(self, head: str, text: str) -> None:
        try:
            await self._screen.show(printable(head), printable(text))
        except OSError as error:
            raise PermanentError(f"the terminal cannot be written to: {error}") from error

    def _prompt(self) -> str:
        return f"[{self._transcript.next_number}] {printable(self.config.name)}> "

    def _state(self) -> str:
        bot = printable(self.config.bot_name)
        if asyncio.get_running_loop().time() < self._busy_until:
            return f" {bot} is typing …"
        return f" {bot}: {printable(self._presence)} · /help · Ctrl-D leaves"

    def _mark(self, number: str) -> str:
        return f"[{number}] " if isinstance(self._screen, Terminal) else ""

    def _entry(self, channel_id: str, msg_id: str) -> Entry:
        self._check_chat(channel_id)
        entry = self._transcript.get(msg_id)
        if entry is None:
            raise PermanentError(f"msg_id: there is no message {msg_id!r} at this terminal")
        return entry

    def _check_chat(self, channel_id: str) -> None:
        if channel_id != CHAT:
            raise PermanentError(f"channel_id: {channel_id!r} is not {CHAT!r}, the only chat here")


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
