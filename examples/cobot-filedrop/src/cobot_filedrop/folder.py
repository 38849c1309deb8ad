"""The folder that the channel watches: reading, writing, putting aside."""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cobot_session import PermanentError

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
"""What a chat or a message may be called: it becomes the name of a folder or a file."""


@dataclass(frozen=True)
class Dropped:
    """A file that somebody has dropped.

    Attributes:
        file: where it lies.
        id: its name.
        key: tells it from a later file of the same name.
        chat: where the answer goes.
        sender: who it is from.
        text: what it says.
        reply_to: what it answers.
        time: seconds since the epoch.
    """

    file: Path
    id: str
    key: str
    chat: str
    sender: str
    text: str
    reply_to: str | None
    time: float

    def is_done(self) -> None:
        """Put the file to those that are done with."""
        _move(self.file, "done")


class Folder:
    """`in` for what is dropped, `out` for answers, `done` and `bad` for what has been read.

    A file counts once it has its final name, ending in `.txt` or `.json`: write it under another
    name, such as `hello.txt.part`, and rename it.
    """

    def __init__(self, path: Path, log: logging.Logger | None = None) -> None:
        self._path = path
        self._log = log or logging.getLogger(__name__)
        for name in ("in", "out", "done", "bad"):
            (path / name).mkdir(parents=True, exist_ok=True)

    def dropped(self) -> list[Dropped]:
        """Return what lies in `in`, oldest first; what cannot be read goes to `bad`."""
        files = [one for one in (self._path / "in").iterdir() if one.suffix in {".txt", ".json"}]
        found = []
        for file in sorted(files, key=lambda one: (one.stat().st_mtime_ns, one.name)):
            try:
                found.append(_read(file))
            except (ValueError, TypeError, OSError) as error:
                self._log.warning("%s cannot be read and goes to `bad`: %s", file.name, error)
                _move(file, "bad")
        return found

    def write(self, chat: str, name: str, **fields: Any) -> str:
        """Write a message into a chat; one of that name is replaced. Returns the name."""
        file = self._file(chat, name)
        file.parent.mkdir(exist_ok=True)
        _replace(file, fields)
        return name

    def change(self, chat: str, name: str, **fields: Any) -> str:
        """Change fields of a message. Returns its name.

        Raises:
            PermanentError: there is no such message.
        """
        file = self._file(chat, name)
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise PermanentError(f"there is no message {name} in the chat {chat}") from None
        _replace(file, before | fields)
        return name

    def remove(self, chat: str, name: str) -> None:
        """Delete a message; one that is gone already is fine."""
        self._file(chat, name).unlink(missing_ok=True)

    def _file(self, chat: str, name: str) -> Path:
        for one in (chat, name):
            if not _NAME.fullmatch(one):
                raise PermanentError(f"{one!r} cannot be the name of a file: use A-Z a-z 0-9 _ . -")
        return self._path / "out" / chat / f"{name}.json"


def _read(file: Path) -> Dropped:
    content = file.read_text(encoding="utf-8")
    fields = {"text": content.removesuffix("\n")} if file.suffix == ".txt" else json.loads(content)
    if not isinstance(fields, dict):
        raise TypeError("it holds no JSON object")
    chat, sender = str(fields.get("chat", "default")), str(fields.get("from", "someone"))
    text = fields.get("text")
    if not isinstance(text, str) or not _NAME.fullmatch(chat):
        raise ValueError("`text` is a string, and `chat` a name of letters, digits, `_`, `.`, `-`")
    time = file.stat().st_mtime_ns
    reply_to = fields.get("reply_to")
    key = f"{file.name} {time}"
    return Dropped(file, file.name, key, chat, sender, text, reply_to, time / 1e9)


def _move(file: Path, where: str) -> None:
    target = file.parent.parent / where / file.name
    if file.exists():
        file.replace(target)


def _replace(file: Path, fields: dict[str, Any]) -> None:
    """Write a file so that nobody ever reads half of it."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")
    part.replace(file)
