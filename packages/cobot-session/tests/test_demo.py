"""The demonstration tells the truth: what it shows has happened, what did not is told."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session import Limits, OutgoingMessage, PluginMeta, Session
from cobot_session.cli.stage import Lasting
from cobot_session.demo import Seen, play
from cobot_session.demo import agent as demo_agent
from cobot_session.demo.agent import agent_of
from cobot_session.demo.board import Board
from cobot_session.demo.play import Network, Play
from cobot_session.demo.record import Record
from cobot_session.testing import FakeChannel, FakePlugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cobot_session import IncomingMessage
    from cobot_session.handling import Handler

BOUND = 30.0


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the long answer come without pauses; what happens may take long on a busy machine."""
    monkeypatch.setattr(demo_agent, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(play, "SECONDS", BOUND)


class FakePerson:
    """Somebody in a chat of their own on a network in memory."""

    def __init__(self, network: FakeChannel, name: str) -> None:
        self._network = network
        self.name = name
        self.id = name.lower()

    def does(self, content: str, **fields: Any) -> str:
        return self._network.says(content, chat=self.id, sender=self.id, **fields).id

    def says(self, text: str, *, reply_to: str | None = None) -> str:
        return self.does(text, reply_to=reply_to)

    def sends(self, files: Mapping[str, bytes]) -> None:
        self.does("", files=files)

    def edits(self, message_id: str, text: str) -> None:
        self.does(text, id=message_id, kind="edit")

    def reacts(self, message_id: str, emoji: str) -> None:
        self.does(emoji, kind="reaction", reply_to=message_id)

    def sees(self) -> Sequence[Seen]:
        return [
            Seen(post.id, post.text, post.message.reply_to)
            for post in list(self._network.posts.values())
            if post.message.channel_id == self.id
        ]


class FakeScene:
    """A network in memory."""

    offers = frozenset({"edit", "album"})

    def __init__(self) -> None:
        self.network = FakeChannel(Limits(text=1000, edit_seconds=0.02))

    def channel(self, name: str) -> Callable[[], FakePlugin]:
        fields = {"meta": PluginMeta(id=name, version="1.0.0")}
        channel: type[FakePlugin] = type(name, (FakePlugin,), fields)
        return lambda: channel(self.network)

    def __enter__(self) -> FakeScene:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def person(self, name: str) -> FakePerson:
        return FakePerson(self.network, name)

    def settings(self, people: Sequence[Any]) -> dict[str, Any]:
        return {"access": {"users": [one.id for one in people]}}

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.network.cuts()
        yield
        self.network.mends()

    def wait_for(self, probe: Callable[[], bool], _: float) -> bool:
        for _look in range(int(BOUND / 0.005)):
            if probe():
                return True
            threading.Event().wait(0.005)
        return False


Played = tuple[Record, Board, dict[str, FakeScene]]


def played(folder: Path, agent: Callable[[Session], Handler] = agent_of) -> Played:
    """Let the play be played on two networks in memory."""
    scenes = {name: FakeScene() for name in ("one", "two")}
    board = Board(list(scenes), live=False)
    record = board.record = Record(board.tell)
    networks = {name: Network(name, scene, record) for name, scene in scenes.items()}
    plugins: dict[str, Any] = {name: network.settings() for name, network in networks.items()}
    plugins["workspace"] = {"path": str(folder)}
    plugins["session"] = {"events": ["message", "edit", "reaction"]}
    factories = {name: scene.channel(name) for name, scene in scenes.items()}
    with Session({"plugins": plugins}, plugins=factories) as session:
        board.session = session
        runner = threading.Thread(target=session.run, args=(agent(session), 32))
        runner.start()
        Play(session, networks, record).run()
        board.show()
        board.save(folder / "shown.svg")
        session.stop()
        runner.join(BOUND)
    return record, board, scenes


def test_every_promise_is_kept_and_shown(tmp_path: Path, capsys: Any) -> None:
    """On networks that work, everybody sees all that was promised; the picture holds it too."""
    record, _, _ = played(tmp_path)
    assert record.broken() == []
    assert len(record.kept["one"]) == len(record.kept["two"]) == 9
    shown = capsys.readouterr().out
    assert "agent  to Ada: You said: hello" in shown
    assert "\u2717" not in shown
    picture = (tmp_path / "shown.svg").read_text("utf-8")
    assert "recovered" in picture
    assert str(tmp_path) not in picture


def test_it_is_played_to_its_picture_though_nobody_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads the transcript may go: nobody on the networks notices, and the picture is drawn."""
    taken, given = os.pipe()
    os.close(taken)
    with os.fdopen(given, "w", encoding="utf-8") as unread:
        monkeypatch.setattr(sys, "stdout", Lasting(unread))
        record, _, _ = played(tmp_path)
    assert record.broken() == []
    assert "recovered" in (tmp_path / "shown.svg").read_text("utf-8")


def twice(session: Session) -> Handler:
    right = agent_of(session)

    def answer(message: IncomingMessage) -> Any:
        if message.content == "hello":
            session.reply(message, "You said: hello")
        return right(message)

    return answer


def torn(session: Session) -> Handler:
    right = agent_of(session)

    def answer(message: IncomingMessage) -> Any:
        if message.content == play.LONG:
            return "Section 1 goes\n```\nThat is all about loops."
        return right(message)

    return answer


def unquoted(session: Session) -> Handler:
    right = agent_of(session)

    def answer(message: IncomingMessage) -> Any:
        if message.content == "really?":
            chat = message.channel_type, message.channel_id
            session.send(OutgoingMessage(*chat, "You said: really?"))
            return None
        return right(message)

    return answer


@pytest.mark.parametrize(
    ("agent", "what"),
    [(twice, "each answer once"), (torn, "long answer"), (unquoted, "reply")],
)
def test_what_did_not_happen_is_told(
    tmp_path: Path, capsys: Any, agent: Callable[[Session], Handler], what: str
) -> None:
    """An answer that came twice, was torn or answers nothing breaks its promise, and no other."""
    record, _, _ = played(tmp_path, agent)
    assert record.broken() == [("one", what), ("two", what)]
    assert "\u2717" in capsys.readouterr().out


def test_a_stranger_who_is_heard_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that lets everybody in breaks the promise to turn strangers away."""
    monkeypatch.setattr(FakeScene, "settings", lambda *_: {"access": {"open": True}})
    record, _, _ = played(tmp_path)
    what = "stranger turned away"
    assert record.broken() == [("one", what), ("two", what)]


def test_an_outage_that_nobody_notices_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that stays online while its network is away has not told the truth."""

    @contextmanager
    def nothing(scene: FakeScene) -> Iterator[None]:
        monkeypatch.setattr(play, "SECONDS", 0.5)  # to wait for what never comes
        yield
        monkeypatch.setattr(play, "SECONDS", BOUND)

    monkeypatch.setattr(FakeScene, "outage", nothing)
    record, _, _ = played(tmp_path)
    assert record.broken() == [("two", "cut off, told, and recovered")]


def test_the_last_table_shows_nothing_that_waits(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The play ends when the session is done with every message, not when people saw the last."""
    last_look = threading.Event()
    until = Play._until

    def waits(self: Play, is_so: Callable[[], bool]) -> bool:
        if self._record.kept["two"]["cut off, told, and recovered"]:
            last_look.set()
        return until(self, is_so)

    def slow(session: Session) -> Handler:
        right = agent_of(session)

        def answer(message: IncomingMessage) -> Any:
            if message.content != "and you?":
                return right(message)
            session.reply(message, "You said: and you?")
            last_look.wait(BOUND)
            return None

        return answer

    monkeypatch.setattr(Play, "_until", waits)
    played(tmp_path, slow)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:6] for row in rows if row[1:2] == ["online"]] == [
        ["one", "online", "9", "9", "1", "0"],
        ["two", "online", "9", "9", "1", "0"],
    ]
