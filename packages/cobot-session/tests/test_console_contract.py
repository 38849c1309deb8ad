"""The console keeps the contract, with a person at a pair of pipes on the other side."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.testing import Absent, ChannelCase, ChannelContract, Seen, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cobot_session.testing.rig import Rig

pytestmark = pytest.mark.slow

BOUND = 60.0
GONE = "what was typed is gone with the process: a terminal has no backlog to give it again"
LINE = re.compile(r"bot(?: \(to (?P<to>\d+)\)| \(edits (?P<edited>\d+)\))?> (?P<text>.*)")
DEED = re.compile(
    r"\* bot (?:deletes (?P<gone>\d+)|reacts to (?P<on>\d+): (?P<emoji>.+)|"
    r"takes back its reaction to (?P<off>\d+))"
)


class PipeWire(Wire):
    """Types into one pipe and reads what the console wrote."""

    def __init__(self, keyboard: int, screen: Callable[[], str]) -> None:
        self._keyboard = keyboard
        self._screen = screen
        self._rest = ""
        self._number = 0
        self._last_typed: str | None = None
        self._last_seen = ""
        self._posts: dict[str, Seen] = {}

    def says(
        self, text: str, *, reply_to: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> str:
        if files:
            raise Absent
        self.seen()
        self._number += 1
        self._last_typed = str(self._number)
        self._type(f"/reply {reply_to} {text}" if reply_to else text)
        return str(self._number)

    def edits(self, message_id: str, text: str) -> None:
        self._type(f"/edit {message_id} {text}")

    def deletes(self, message_id: str) -> None:
        self._type(f"/delete {message_id}")

    def reacts(self, message_id: str, emoji: str) -> None:
        self._type(f"/react {message_id} {emoji}")

    def garbles(self) -> None:
        os.write(self._keyboard, b"/nonsense \xff\xfe\n/reply\n/react 99 x\n")

    def seen(self) -> Sequence[Seen]:
        *lines, self._rest = (self._rest + self._screen()).split("\n")
        for line in lines:
            self._take(line)
        return list(self._posts.values())

    def _type(self, line: str) -> None:
        os.write(self._keyboard, f"{line}\n".encode())

    def _take(self, line: str) -> None:
        if said := LINE.fullmatch(line):
            number = said["edited"]
            if number is None:
                self._number += 1
                number = str(self._number)
            before = self._posts.get(number)
            quoted = before.reply_to if before else said["to"] or self._last_typed
            self._posts[number] = Seen(number, said["text"], quoted)
            self._last_seen = number
        elif line.startswith(" ") and self._last_seen in self._posts:  # a text of several lines
            post = self._posts[self._last_seen]
            self._posts[post.id] = Seen(post.id, f"{post.text}\n{line.strip()}", post.reply_to)
        elif deed := DEED.fullmatch(line):
            self._do(deed.groupdict())

    def _do(self, deed: dict[str, str | None]) -> None:
        if deed["gone"]:
            self._posts.pop(deed["gone"])
            return
        number = deed["on"] or deed["off"] or ""
        post = self._posts[number]
        shown = [deed["emoji"]] if deed["emoji"] else []
        self._posts[number] = Seen(post.id, post.text, post.reply_to, reactions=shown)


class TestConsole(ChannelContract):
    @pytest.fixture
    def wire(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Iterator[PipeWire]:
        reading, keyboard = os.pipe()
        with os.fdopen(reading, encoding="utf-8") as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            yield PipeWire(keyboard, lambda: capsys.readouterr().out)
        os.close(keyboard)

    @pytest.fixture
    def channel(self, wire: PipeWire, request: pytest.FixtureRequest) -> ChannelCase:
        known = request.node.get_closest_marker("xfail")  # it waits for what is gone
        options = {"bot_name": "bot", "history": False}
        return ChannelCase("console", options, chat="terminal", boundary=2.0 if known else 30.0)

    @pytest.mark.xfail(reason=GONE, strict=True)
    def test_unacknowledged_messages_come_again_after_a_crash(
        self, record: Any, make_rig: Any, person: Any
    ) -> None:
        super().test_unacknowledged_messages_come_again_after_a_crash(record, make_rig, person)

    @pytest.mark.xfail(reason=GONE, strict=True)
    def test_cancelled_receive_loses_nothing(self, record: Any, make_rig: Any, person: Any) -> None:
        def make_patient_rig() -> Rig:
            """Cut a call off once it has read: before that, what was typed is still in the pipe."""
            rig: Rig = make_rig()
            cut_off = rig.cancelled_receive
            rig.cancelled_receive = lambda after: cut_off(max(after, BOUND))  # type: ignore[method-assign]
            return rig

        super().test_cancelled_receive_loses_nothing(record, make_patient_rig, person)
