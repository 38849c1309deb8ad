"""The channel keeps the contract, with a person who writes and reads the files."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.testing import Absent, ChannelCase, ChannelContract, Seen, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class FileWire(Wire):
    """A person with a file manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._last = path
        (path / "in").mkdir(parents=True)

    def drop(self, content: str) -> str:
        name = f"{next(self._numbers)}.json"
        part = self._path / "in" / f"{name}.part"
        part.write_text(content, encoding="utf-8")
        self._last = part.rename(part.with_suffix(""))
        return name

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        if files:
            raise Absent
        fields = {"text": text, "chat": "chat", "from": "ada", "reply_to": reply_to}
        return self.drop(json.dumps(fields))

    def seen(self) -> Sequence[Seen]:
        files = sorted(self._path.glob("out/chat/*.json"), key=lambda one: one.stat().st_mtime_ns)
        return [self._seen(file.stem, json.loads(file.read_text("utf-8"))) for file in files]

    def _seen(self, name: str, fields: dict[str, Any]) -> Seen:
        reactions = [fields["reaction"]] if fields.get("reaction") else []
        return Seen(name, fields["text"], fields.get("reply_to"), reactions=reactions)

    def repeats(self) -> None:
        for where in ("taken", "done"):
            with suppress(FileNotFoundError):
                (self._path / where / self._last.name).replace(self._last)

    def garbles(self) -> None:
        self.drop("{ no JSON")

    def cuts(self) -> None:
        self._path.rename(self._path.with_name("away"))

    def mends(self) -> None:
        self._path.with_name("away").rename(self._path)


class TestFileDrop(ChannelContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "drop"

    @pytest.fixture
    def channel(self, folder: Path) -> ChannelCase:
        return ChannelCase("filedrop", {"path": str(folder)})

    @pytest.fixture
    def wire(self, folder: Path) -> FileWire:
        return FileWire(folder)
