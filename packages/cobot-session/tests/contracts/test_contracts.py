"""Channels as they were written for earlier versions run, unchanged, in today's session.

Each minor version adds a folder, `v0_1` for 0.1, and never changes it again:

    channel.py     a channel and an observer that use everything the version offered
    surface.json   what `python surface.py` printed at its release
    digests.json   SHA-256 of those two

The folders of this minor version and of the two before it have to be there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import importlib_metadata
import pytest

from cobot_session import Media, OutgoingMessage, Session
from cobot_session.hookspecs import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

HERE = Path(__file__).parent
FIRST_MINOR = 1
"""There is no 0.0."""
BACK = 2
"""Minor versions before this one that are kept working."""
BOUND = 30.0
"""Seconds that an event may take on a busy machine before a test fails."""

FOLDERS = sorted(HERE.glob("v*_*"))


def load(name: str, path: Path) -> ModuleType:
    """Import a module from a file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def until(claim: Callable[[], Any], what: str) -> Any:
    """Return the claim's first true value."""
    deadline = time.monotonic() + BOUND
    while not (value := claim()):
        assert time.monotonic() < deadline, f"not within {BOUND:g} s: {what}"
        threading.Event().wait(0.02)
    return value


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def frozen(request: pytest.FixtureRequest) -> Path:
    """The folder of an earlier version, if it has today's contract."""
    folder: Path = request.param
    surface = json.loads((folder / "surface.json").read_text(encoding="utf-8"))
    if surface["contract"] != CONTRACT:
        pytest.skip(f"written for contract {surface['contract']}, this is {CONTRACT}")
    return folder


class World:
    """A session with the frozen channel and observer, and the folder they work in."""

    def __init__(self, frozen: Path, place: Path) -> None:
        self.module = load(f"frozen_{frozen.name}", frozen / "channel.py")
        self.folder = place / "folder"
        self.folder.mkdir()
        self.place = place
        self.session = self.new_session()

    def new_session(self) -> Session:
        plugins = {
            "session": {"events": "all", "drain": 1.0},
            "workspace": {"path": str(self.place / "workspace")},
            "console": {"enabled": False},
            "watcher": {"folder": str(self.folder)},
            "folder": {
                "folder": str(self.folder),
                "token": "a-token",
                "people": ["alice"],
                "poll_interval": 0.05,
            },
        }
        given = {"folder": self.module.Folder, "watcher": self.module.Watcher}
        return Session({"plugins": plugins}, plugins=given)

    def says(self, id_: str, text: str, sender: str = "alice", **fields: Any) -> None:
        line = {"id": id_, "chat": "home", "sender": sender, "text": text, **fields}
        with (self.folder / "in.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self, name: str) -> list[Any]:
        path = self.folder / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def did(self, *deed: Any) -> None:
        """Wait until the channel has done that."""
        until(
            lambda: list(deed) in self.lines("deeds.jsonl"), f"{deed}: {self.lines('deeds.jsonl')}"
        )

    def told(self, *news: Any) -> None:
        """Wait until the observer has been told that."""
        until(lambda: list(news) in self.lines("news.jsonl"), f"{news}")

    def sends(self, text: str, **fields: Any) -> Any:
        return self.session.send(OutgoingMessage("folder", "home", text, **fields), timeout=BOUND)


@pytest.fixture
def world(frozen: Path, tmp_path: Path) -> Iterator[World]:
    world = World(frozen, tmp_path)
    with world.session:
        until(lambda: world.session.status()["folder"].state == "online", "online")
        yield world


def test_each_minor_version_is_kept() -> None:
    """This minor version and the two before it have a frozen channel."""
    major, minor = map(int, importlib_metadata.version("cobot-session").split(".")[:2])
    first = FIRST_MINOR if major == 0 else 0
    kept = {folder.name for folder in FOLDERS}
    needed = {f"v{major}_{one}" for one in range(max(first, minor - BACK), minor + 1)}
    assert needed <= kept, f"add {sorted(needed - kept)}, as the top of this file says"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_frozen_is_frozen(folder: Path) -> None:
    """What was put aside is as it was."""
    digests = json.loads((folder / "digests.json").read_text(encoding="utf-8"))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file() and path.name != "digests.json"
    }
    assert found == digests


def test_names_and_verbs_are_still_there(frozen: Path) -> None:
    """Nothing public is taken away, and no argument is added that must be given."""
    then, now = both(frozen)
    assert set(then["names"]) <= set(now["names"])
    for face, verbs in then["verbs"].items():
        for verb, arguments in verbs.items():
            begins_alike(f"{face}.{verb}", arguments, now["verbs"][face][verb])


def test_hooks_are_still_called_with_their_arguments(frozen: Path) -> None:
    """A hook keeps its name and its arguments; a new one may come."""
    then, now = both(frozen)
    for hook, arguments in then["hooks"].items():
        assert set(arguments) <= set(now["hooks"][hook]), hook


def test_fields_keep_their_order_and_new_ones_have_a_default(frozen: Path) -> None:
    """What was built by position or by name is built the same today."""
    then, now = both(frozen)
    for data, fields in then["fields"].items():
        begins_alike(data, fields, now["fields"][data])


def test_errors_keep_their_bases(frozen: Path) -> None:
    """What an `except` clause caught it catches today."""
    then, now = both(frozen)
    for error, bases in then["errors"].items():
        assert set(bases) <= set(now["errors"][error]), error


def both(frozen: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the surface of then and of now."""
    now = load("cobot_surface_now", HERE / "surface.py").surface()
    return json.loads((frozen / "surface.json").read_text(encoding="utf-8")), now


def begins_alike(what: str, then: list[str], now: list[str]) -> None:
    """Check that what was there comes first, and that the rest is optional."""
    required = [name for name in now[len(then) :] if not name.endswith("?")]
    alike = [
        (old, new)
        for old, new in zip(then, now, strict=False)
        if new.removesuffix("?") != old.removesuffix("?") or (old != new and old.endswith("?"))
    ]
    assert len(now) >= len(then), f"{what} had {then} and has {now}"
    assert not alike, f"{what} had {then} and has {now}"
    assert not required, f"{what} now requires {required}"


def test_messages_arrive_whole(world: World) -> None:
    """What the channel returns reaches the agent, through the gate, with all of its fields."""
    (world.folder / "a.png").write_bytes(b"an image")
    world.says("m0", "let me in", sender="eve")
    world.says("m1", "hello", files=["a.png"], reply_to="m9")
    world.says("m2", "+1", kind="reaction", reply_to="m1")
    found: list[Any] = []
    until(lambda: found.extend(world.session.poll_all_channels(wait=0.2)) or len(found) == 2, "two")
    first, second = found
    assert (first.id, first.content, first.reply_to, first.key) == ("m1", "hello", "m9", "m1")
    assert (first.channel_type, first.channel_id, first.sender_id) == ("folder", "home", "alice")
    assert (first.metadata, first.direct, first.space_id) == ({"line": "m1"}, True, "space")
    assert first.roles == ["role"]
    assert (second.kind, second.content, second.reply_to) == ("reaction", "+1", "m1")
    assert world.session.fetch(first.media[0], timeout=BOUND) == b"an image"
    world.told("receive", "folder", "m1")


def test_next_call_acknowledges_and_state_is_there_after_a_restart(world: World) -> None:
    """The cursor commits with its batch, and the next session goes on behind it."""
    world.says("m1", "hello")
    (message,) = world.session.poll_all_channels(wait=BOUND)
    world.session.ack(message)
    world.did("acknowledged", 1)
    world.session.stop()
    world.says("m2", "again")
    with world.new_session() as session:
        assert [one.id for one in session.poll_all_channels(wait=BOUND)] == ["m2"]


def test_message_is_rendered_and_sent_in_parts(world: World, tmp_path: Path) -> None:
    """The channel's own parts are what it is given to send, and its ids are in the receipt."""
    path = tmp_path / "a.png"
    path.write_bytes(b"an image")
    receipt = world.sends("one|two", reply_to="m9", media=[Media("image", path=path)])
    assert receipt.status == "sent"
    assert receipt.message_ids == ("id of one", "id of two")
    sent = [deed for deed in world.lines("deeds.jsonl") if deed[0] == "send"]
    assert sent == [["send", "home", "one", "m9", [str(path)]], ["send", "home", "two", None, []]]
    world.told("send", "one|two", "sent", ["id of one", "id of two"])


@pytest.mark.parametrize(
    ("text", "ids"),
    [("none", ()), ("true", ()), ("number", ("17",)), ("list", ("18", "19")), ("sent", ("20",))],
)
def test_each_result_is_understood(world: World, text: str, ids: tuple[str, ...]) -> None:
    """Whatever form a hook's success has, the receipt says the same."""
    receipt = world.sends(text)
    assert (receipt.status, receipt.message_ids) == ("sent", ids)
    assert receipt.detail == ({"relay": "took it"} if text == "sent" else {})


@pytest.mark.parametrize(
    ("text", "status", "attempts"),
    [
        ("limited", "sent", 2),
        ("later", "sent", 2),
        ("false", "sent", 2),
        ("never", "failed", 1),
        ("unknown", "unknown", 1),
    ],
)
def test_each_error_is_understood(world: World, text: str, status: str, attempts: int) -> None:
    """What the channel raises has the effect that it had."""
    receipt = world.sends(text)
    assert (receipt.status, receipt.attempts) == (status, attempts)


def test_refused_credentials_end_the_channel(world: World) -> None:
    """`AuthError` is final, and told."""
    world.session.send(OutgoingMessage("folder", "home", "refused"), timeout=0)
    until(lambda: world.session.status()["folder"].state == "failed", "failed")
    world.told("status", "folder", "failed")


def test_other_verbs_reach_the_channel(world: World) -> None:
    """Edit, delete, react, typing, presence, default chat and health are asked for as before."""
    session = world.session
    sent = world.sends("list")
    assert session.edit("folder", "home", "17", "new", timeout=BOUND).status == "sent"
    assert session.react("folder", "home", "17", "+1", timeout=BOUND).status == "sent"
    assert session.delete("folder", "home", sent.id, timeout=BOUND).status == "sent"
    assert session.typing("folder", "home")
    assert session.presence("busy")
    assert session.broadcast("hello", timeout=BOUND)["folder"].status == "sent"
    for deed in (
        ("presence", "online"),
        ("edit", "17", "new"),
        ("react", "home", "17", "+1"),
        ("delete", "home", "18"),
        ("delete", "home", "19"),
        ("typing", "home"),
        ("presence", "busy"),
        ("send", "home", "hello", None, []),
    ):
        world.did(*deed)
    until(lambda: session.status()["folder"].latency == 0.5, "the channel's word on its health")


def test_it_is_stopped_when_the_session_is(world: World) -> None:
    """`stop` is called once, at the end."""
    world.session.stop()
    assert world.lines("deeds.jsonl")[-1] == ["stop"]
