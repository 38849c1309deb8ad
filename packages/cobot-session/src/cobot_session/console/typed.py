"""What a typed line means: a message, or something about an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cobot_session.console.transcript import Transcript
    from cobot_session.messages import Kind

HELP = """\
/reply 3 TEXT   answer message 3
/react 3 👍     react to message 3; without an emoji: take it back
/edit 2 TEXT    change your message 2
/delete 2       delete your message 2
/quit           leave, like Ctrl-D
//TEXT          send a text that begins with a slash"""


class Hint(Exception):
    """The line is nothing to send; the text is for the person who typed it."""


class Quit(Exception):
    """The person wants to leave."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What a line says, in the words of an `IncomingMessage`; an empty `id` asks for a new one."""

    kind: Kind
    content: str = ""
    id: str = ""
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class _Command:
    usage: str
    text: Literal["needed", "optional", "none"]
    own: bool


_COMMANDS = {
    "reply": _Command("/reply NUMBER TEXT", "needed", own=False),
    "react": _Command("/react NUMBER EMOJI", "optional", own=False),
    "edit": _Command("/edit NUMBER TEXT", "needed", own=True),
    "delete": _Command("/delete NUMBER", "none", own=True),
}


def understand(line: str, transcript: Transcript) -> Typed:
    """Return what a line means.

    Raises:
        Hint: it is a question, or a command that cannot be carried out.
        Quit: the person wants to leave.
    """
    if not line.startswith("/") or line.startswith("//"):
        return Typed("message", line.removeprefix("/"))
    name, _, rest = line[1:].partition(" ")
    if name in {"quit", "exit"}:
        raise Quit
    if name == "help":
        raise Hint(HELP)
    if name not in _COMMANDS:
        raise Hint(f"There is no /{name}. Type /help for what there is, /{line} to send it as text")
    return _about(name, rest.strip(), transcript)


def _about(name: str, rest: str, transcript: Transcript) -> Typed:
    """Return what a command says about an earlier message."""
    command = _COMMANDS[name]
    number, _, text = rest.partition(" ")
    text = text.strip()
    if not number or (command.text == "needed" and not text) or (command.text == "none" and text):
        raise Hint(f"Type {command.usage}")
    entry = transcript.get(number)
    if entry is None:
        raise Hint(f"There is no message {number}")
    if command.own and not entry.typed:
        raise Hint(f"Message {number} is not yours")
    match name:
        case "reply":
            return Typed("message", text, reply_to=number)
        case "react":
            return Typed("reaction", text, reply_to=number)
        case "edit":
            return Typed("edit", text, id=number)
        case _:
            return Typed("deletion", id=number)
