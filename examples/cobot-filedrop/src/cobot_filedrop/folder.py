"""The folder that the channel watches: reading, writing, putting aside."""

import json
import logging
import re
import time
from collections.abc import Iterable
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
        if self.file.exists():
            self.file.replace(self.file.parents[1] / "done" / self.file.name)


class Folder:
    """`in` for what is dropped, `out` for answers; what is read goes by `taken` to `done` or `bad`.

    A file counts once it has its final name, ending in `.txt` or `.json`: write it under another
    name, such as `hello.txt.part`, and rename it.
    """

    def __init__(self, path: Path, log: logging.Logger | None = None) -> None:
        self._path = path
        self._log = log or logging.getLogger(__name__)
        for name in ("in", "out", "taken", "done", "bad"):
            (path / name).mkdir(parents=True, exist_ok=True)

    def dropped(self) -> list[Dropped]:
        """Return what has been dropped, oldest first; what cannot be read goes to `bad`."""
        found = []
        for file in self._taken():
            try:
                found.append(_read(file))
            except (ValueError, TypeError, OSError, RecursionError) as error:
                self._log.warning("%r cannot be read and goes to `bad`: %s", file.name, error)
                file.rename(self._path / "bad" / f"{time.time_ns()}-{file.name}")
        return found

    def _taken(self) -> list[Path]:
        """Return what is in `taken`: what the last run left there, else what is new, moved there.

        Once it is taken, a later file of the same name is another message and not its end.
        """
        taken = self._path / "taken"
        new = [one for one in (self._path / "in").iterdir() if one.suffix in {".txt", ".json"}]
        return _by_age(taken.iterdir()) or [one.rename(taken / one.name) for one in _by_age(new)]

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
        before = _stored(file)
        if "text" not in before:
            raise PermanentError(f"there is no message {name} in the chat {chat}")
        _replace(file, before | fields)
        return name

    def react(self, chat: str, name: str, emoji: str) -> None:
        """Put a reaction to a message: into its file, or alone into one when it was dropped."""
        file = self._file(chat, name)
        before = _stored(file)
        if emoji or "text" in before:
            file.parent.mkdir(exist_ok=True)
            _replace(file, before | {"reaction": emoji})
        else:
            file.unlink(missing_ok=True)

    def remove(self, chat: str, name: str) -> None:
        """Delete a message; one that is gone already is fine."""
        self._file(chat, name).unlink(missing_ok=True)

    def _file(self, chat: str, name: str) -> Path:
        for one in (chat, name):
            if not _NAME.fullmatch(one):
                raise PermanentError(f"{one!r} cannot be the name of a file: use A-Z a-z 0-9 _ . -")
        return self._path / "out" / chat / f"{name}.json"


def _by_age(files: Iterable[Path]) -> list[Path]:
    return sorted(files, key=lambda one: (one.lstat().st_mtime_ns, one.name))


def _read(file: Path) -> Dropped:
    if file.is_symlink() or not file.is_file():
        raise ValueError("it is no ordinary file")
    content = file.read_text(encoding="utf-8")
    fields = {"text": content.removesuffix("\n")} if file.suffix == ".txt" else json.loads(content)
    if not isinstance(fields, dict):
        raise TypeError("it holds no JSON object")
    chat, sender = str(fields.get("chat", "default")), str(fields.get("from", "someone"))
    text = fields.get("text")
    if not isinstance(text, str) or not _NAME.fullmatch(chat):
        raise ValueError("`text` is a string, and `chat` a name of letters, digits, `_`, `.`, `-`")
    written = file.stat().st_mtime_ns
    reply_to = fields.get("reply_to")
    key = f"{file.name} {written}"
    return Dropped(file, file.name, key, chat, sender, text, reply_to, written / 1e9)


def _stored(file: Path) -> dict[str, Any]:
    """Return the fields of a message that was written, none if it was not."""
    try:
        fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return fields


def _replace(file: Path, fields: dict[str, Any]) -> None:
    """Write a file so that nobody ever reads half of it."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")
    part.replace(file)
