"""What the folder promises beyond the contract."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import importlib_metadata
import pytest
from cobot_filedrop import FileDrop, FileDropConfig
from cobot_filedrop.folder import Folder

from cobot_session import OutgoingMessage, PermanentError, Session

Make = Callable[[Path], object]


def _link_outside(file: Path) -> None:
    secret = file.parents[2] / "secret"
    secret.write_text("secret", encoding="utf-8")
    file.symlink_to(secret)


def _link_nowhere(file: Path) -> None:
    file.symlink_to(file.parent / "nowhere")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def channel(tmp_path: Path) -> FileDrop:
    channel = FileDrop()
    # a context has more than the log; this channel uses no more of it
    channel.context = SimpleNamespace(log=logging.getLogger("filedrop"))  # type: ignore[assignment]
    channel.configure(FileDropConfig(path=tmp_path))
    channel.start()
    return channel


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
        (message,) = session.poll_all_channels(wait=40)
        receipt = session.reply(message, "hi")
    answer = tmp_path / "out" / "default" / f"{receipt.message_ids[0]}.json"
    assert json.loads(answer.read_text("utf-8")) == {"text": "hi", "reply_to": "hello.txt"}


def test_unfinished_file_is_not_read(folder: Folder, tmp_path: Path) -> None:
    """A file counts once it has its final name."""
    (tmp_path / "in" / "letter.txt.part").write_text("Dear", encoding="utf-8")
    assert folder.dropped() == []


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"text": 7}', '{"text": "x", "chat": "../up"}', '"text"', "[" * 100_000],
    ids=range(7),
)
def test_unreadable_file_is_put_aside(folder: Folder, tmp_path: Path, content: str) -> None:
    """What is no message goes to `bad` and does not block what comes after."""
    (tmp_path / "in" / "a.json").write_text(content, encoding="utf-8")
    (tmp_path / "in" / "b.txt").write_text("good", encoding="utf-8")
    assert [one.text for one in folder.dropped()] == ["good"]
    assert [one.name.partition("-")[2] for one in (tmp_path / "bad").iterdir()] == ["a.json"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, _link_outside, _link_nowhere])
def test_what_is_no_ordinary_file_is_put_aside(folder: Folder, tmp_path: Path, make: Make) -> None:
    """A folder, a pipe or a link neither blocks the channel nor shows what lies elsewhere."""
    for _ in range(2):
        make(tmp_path / "in" / "a.txt")
        (tmp_path / "in" / "b.txt").write_text("good", encoding="utf-8")
        dropped = folder.dropped()
        assert [one.text for one in dropped] == ["good"]
        dropped[0].is_done()
    assert len(list((tmp_path / "bad").iterdir())) == 2


def test_file_of_the_same_name_is_another_message(folder: Folder, tmp_path: Path) -> None:
    """What is dropped while the one before is being stored is neither lost nor taken for it."""
    file = tmp_path / "in" / "a.txt"
    file.write_text("one", encoding="utf-8")
    (first,) = folder.dropped()
    file.write_text("two", encoding="utf-8")
    first.is_done()
    (second,) = folder.dropped()
    assert (second.text, second.key != first.key) == ("two", True)


def test_what_was_not_stored_comes_again(folder: Folder, tmp_path: Path) -> None:
    """After a crash the same files are returned once more, under the same keys."""
    (tmp_path / "in" / "a.txt").write_text("one", encoding="utf-8")
    before = folder.dropped()
    assert Folder(tmp_path).dropped() == before


def test_failing_receive_finishes_no_file_twice(channel: FileDrop, tmp_path: Path) -> None:
    """When reading fails after the last files were finished, new ones of their name stay."""
    file = tmp_path / "in" / "a.txt"
    file.write_text("one", encoding="utf-8")
    channel.session_receive()
    (tmp_path / "taken" / "a.txt").rename(tmp_path / "done" / "a.txt")
    (tmp_path / "taken").rename(tmp_path / "away")
    with pytest.raises(OSError, match="taken"):
        channel.session_receive()
    (tmp_path / "away").rename(tmp_path / "taken")
    (tmp_path / "taken" / "a.txt").write_text("two", encoding="utf-8")
    assert [message.content for message in channel.session_receive()] == ["two"]


def test_reaction_to_what_was_dropped(folder: Folder, tmp_path: Path) -> None:
    """A reaction to a message of somebody else is a file of its own until it is taken back."""
    folder.react("chat", "hello.txt", "👍")
    file = tmp_path / "out" / "chat" / "hello.txt.json"
    assert json.loads(file.read_text("utf-8")) == {"reaction": "👍"}
    with pytest.raises(PermanentError, match="there is no message hello"):
        folder.change("chat", "hello.txt", text="x")
    folder.react("chat", "hello.txt", "")
    assert not file.exists()


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
        receipt = session.send(OutgoingMessage("filedrop", "../evil", "x"), timeout=40)
    assert (receipt.status, receipt.attempts) == ("failed", 1)


def test_change_keeps_what_it_does_not_name(folder: Folder, tmp_path: Path) -> None:
    """A reaction stays when the text is edited; a message that is not there cannot change."""
    folder.write("chat", "1", text="one", reply_to=None)
    folder.react("chat", "1", "👍")
    folder.change("chat", "1", text="two")
    stored = json.loads((tmp_path / "out" / "chat" / "1.json").read_text("utf-8"))
    assert stored == {"text": "two", "reply_to": None, "reaction": "👍"}
    with pytest.raises(PermanentError, match="there is no message 2"):
        folder.change("chat", "2", text="x")
