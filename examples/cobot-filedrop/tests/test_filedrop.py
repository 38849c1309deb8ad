"""What the folder promises beyond the contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import importlib_metadata
import pytest
from cobot_filedrop.folder import Folder

from cobot_session import OutgoingMessage, PermanentError, Session

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_installed_is_found(tmp_path: Path) -> None:
    """The distribution claims its name, and a session that only names its block has it."""
    (point,) = importlib_metadata.entry_points(group="cobot.plugins", name="filedrop")
    assert point.value == "cobot_filedrop:FileDrop"
    plugins = {"filedrop": {"path": str(tmp_path)}, "workspace": {"path": str(tmp_path / "state")}}
    with Session({"plugins": plugins}) as session:
        assert "filedrop" in session.channels()


def test_dropped_text_is_answered_in_a_file(tmp_path: Path) -> None:
    """A text file in, a JSON file out, in the chat of who dropped it."""
    plugins = {"filedrop": {"path": str(tmp_path)}, "workspace": {"path": str(tmp_path / "state")}}
    with Session({"plugins": plugins}) as session:
        (tmp_path / "in").mkdir(exist_ok=True)
        part = tmp_path / "in" / "hello.txt.part"
        part.write_text("hello\n", encoding="utf-8")
        part.rename(part.with_suffix(""))
        (message,) = session.poll_all_channels(wait=15)
        receipt = session.reply(message, "hi")
    answer = tmp_path / "out" / "default" / f"{receipt.message_ids[0]}.json"
    assert json.loads(answer.read_text("utf-8")) == {"text": "hi", "reply_to": "hello.txt"}


def test_unfinished_file_is_not_read(folder: Folder, tmp_path: Path) -> None:
    """A file counts once it has its final name."""
    (tmp_path / "in" / "letter.txt.part").write_text("Dear", encoding="utf-8")
    assert folder.dropped() == []


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"text": 7}', '{"text": "x", "chat": "../up"}', '"text"'],
)
def test_unreadable_file_is_put_aside(folder: Folder, tmp_path: Path, content: str) -> None:
    """What is no message goes to `bad` and does not block what comes after."""
    (tmp_path / "in" / "a.json").write_text(content, encoding="utf-8")
    (tmp_path / "in" / "b.txt").write_text("good", encoding="utf-8")
    assert [one.text for one in folder.dropped()] == ["good"]
    assert [one.name for one in (tmp_path / "bad").iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "x" * 101, "nul\0"])
def test_name_that_leaves_the_folder_is_refused(folder: Folder, name: str) -> None:
    """No chat or message id becomes a path that leads elsewhere."""
    with pytest.raises(PermanentError, match="cannot be the name of a file"):
        folder.write(name, "1", text="x")
    with pytest.raises(PermanentError, match="cannot be the name of a file"):
        folder.write("chat", name, text="x")


def test_refused_chat_is_told_in_the_receipt(tmp_path: Path) -> None:
    """A chat that cannot be one is a permanent failure, tried once."""
    plugins = {"filedrop": {"path": str(tmp_path)}, "workspace": {"path": str(tmp_path / "state")}}
    with Session({"plugins": plugins}) as session:
        receipt = session.send(OutgoingMessage("filedrop", "../evil", "x"), timeout=15)
    assert (receipt.status, receipt.attempts) == ("failed", 1)


def test_change_keeps_what_it_does_not_name(folder: Folder, tmp_path: Path) -> None:
    """A reaction stays when the text is edited; a message that is not there cannot change."""
    folder.write("chat", "1", text="one", reply_to=None)
    folder.change("chat", "1", reaction="👍")
    folder.change("chat", "1", text="two")
    stored = json.loads((tmp_path / "out" / "chat" / "1.json").read_text("utf-8"))
    assert stored == {"text": "two", "reply_to": None, "reaction": "👍"}
    with pytest.raises(PermanentError, match="there is no message 2"):
        folder.change("chat", "2", text="x")
