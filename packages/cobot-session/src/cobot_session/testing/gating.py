"""The contract's seventh part: nobody reaches the agent whom its owner has not let in."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from cobot_session.pairing.codes import fits, is_code
from cobot_session.plugin import Plugin, PluginMeta
from cobot_session.session import Session
from cobot_session.spool.beside import Beside
from cobot_session.testing.case import Absent
from cobot_session.testing.parts import Part, need, offered, online, received, unproved
from cobot_session.testing.table import OPEN, opens_its_gate
from cobot_session.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from cobot_session.messages import IncomingMessage
    from cobot_session.registry import PluginRecord
    from cobot_session.testing.case import ChannelCase, Wire
    from cobot_session.testing.table import GateTable

_TOLD = ("stranger", "namesake", "group", "neighbour", "elsewhere")
"""Those whose messages have to be seen at the gate: a channel that swallows them hides them."""


def _edit(who: Wire, text: str) -> None:
    who.edits(who.says(text), f"{text}, changed")


def _reaction(who: Wire, text: str) -> None:
    who.reacts(who.says(text), "👍")


def _taken_back(who: Wire, text: str) -> None:
    said = who.says(text)
    who.reacts(said, "👍")
    who.reacts(said, "")


def _button_again(who: Wire, text: str) -> None:
    who.presses(text)
    who.repeats()


def _again(who: Wire, text: str) -> None:
    who.says(text)
    who.repeats()


DEEDS: Mapping[str, Callable[[Wire, str], Any]] = {
    "message": lambda who, text: who.says(text),
    "answer": lambda who, text: who.says(text, reply_to=who.says(text)),
    "attachment": lambda who, text: who.says(text, files={"note.txt": b"let me in"}),
    "edit": _edit,
    "reaction": _reaction,
    "reaction taken back": _taken_back,
    "deletion": lambda who, text: who.deletes(who.says(text)),
    "button": lambda who, text: who.presses(text),
    "button again": _button_again,
    "forwarded": lambda who, text: who.forwards(text),
    "delivered again": _again,
}
"""Everything by which somebody could reach the agent: the columns of the table."""


class Onlooker(Plugin):
    """An observer, which must learn of strangers no more than the agent does."""

    meta = PluginMeta(id="onlooker", version="1")

    def __init__(self) -> None:
        self.seen: list[IncomingMessage] = []

    def session_on_receive(self, message: IncomingMessage) -> None:
        """Remember what is told."""
        self.seen.append(message)


@dataclass(slots=True)
class Guarded:
    """One session behind whose gate there is an agent, and all that came through."""

    case: ChannelCase
    session: Session
    onlooker: Onlooker
    spool: Beside
    agent: list[IncomingMessage] = field(default_factory=list)

    def hears(self, person: Wire, text: str) -> None:
        """Let the person say something, and wait until agent and observer have it."""
        person.says(text)
        while not any(one.content == text for one in self.agent):
            self.agent += received(self.session, self.case)
        until(
            lambda: any(one.content == text for one in self.onlooker.seen),
            self.case.boundary,
            f"the observer was told of {text!r}",
        )

    def refused(self) -> int:
        """Return how many the gate has refused so far."""
        return self.session.status()[self.case.name].dropped_by.get("stranger", 0)

    def wait_until_refused(self, count: int) -> None:
        """Wait until the gate has refused so many."""
        until(
            lambda: self.refused() >= count,
            self.case.boundary,
            f"the gate saw {count} message(s) of strangers. Return everybody's messages from"
            " `session_receive`, and leave it to the gate who is let in: it counts and tells them,"
            " and gives codes",
        )

    def reached(self, *person: str) -> list[str]:
        """Return what reached agent or observer, but for what the person said."""
        return [
            f"{one.kind} {one.content!r} of {one.sender_id!r} in {one.channel_id!r}"
            for one in [*self.agent, *self.onlooker.seen]
            if one.kind != "message" or one.content not in person
        ]


class Gating(Part):
    """The gate is the session's. A channel passes when it tells truly who says what, and where."""

    def test_no_stranger_reaches_the_agent(
        self,
        record: PluginRecord,
        channel: ChannelCase,
        person: Wire,
        tmp_path: Path,
        gate_table: GateTable,
    ) -> None:
        """Fails when what the text names came through: `sender_id` is whose doing it is.

        For an edit, a reaction, a deletion and a button, too, the one who did it. Nothing reaches
        the agent but by `session_receive`.
        """
        need(record, "session_receive")
        strangers = _all_but(record, person, "elsewhere")
        users = [offered(person.person_id)]
        with guarded(channel, tmp_path, users=users) as door:
            _besieged(door, person, strangers, gate_table, "person listed")

    def test_no_stranger_comes_in_by_a_listed_chat(
        self,
        record: PluginRecord,
        channel: ChannelCase,
        person: Wire,
        tmp_path: Path,
        gate_table: GateTable,
    ) -> None:
        """Fails when what the text names came through: `channel_id` is where it was done."""
        need(record, "session_receive")
        strangers = _all_but(record, person, "neighbour")
        with guarded(channel, tmp_path, chats=[channel.chat]) as door:
            _besieged(door, person, strangers, gate_table, "chat listed")

    def test_no_stranger_is_read_from_the_backlog(
        self,
        record: PluginRecord,
        channel: ChannelCase,
        person: Wire,
        tmp_path: Path,
        gate_table: GateTable,
    ) -> None:
        """Fails when what was missed while nobody ran comes in by another way than what is new."""
        need(record, "session_receive")
        strangers = _all_but(record, person, "elsewhere")
        users = [offered(person.person_id)]
        with guarded(channel, tmp_path, users=users) as door:
            door.hears(person, "before")
        _try_all(strangers, gate_table, "missed")
        with guarded(channel, tmp_path, users=users) as door:
            door.hears(person, "after")
            door.hears(person, "at last")
            gate_table.reached += len(found := door.reached("before", "after", "at last"))
        assert not found, "strangers reached the agent: " + "; ".join(found)

    def test_no_code_is_given_in_a_group(
        self, record: PluginRecord, channel: ChannelCase, person: Wire, tmp_path: Path
    ) -> None:
        """Fails when `direct` is true where several people are: all of them would see the code."""
        need(record, "session_receive", "session_send")
        group = _one_of(record, person, "group")
        users = [offered(person.person_id)]
        with guarded(channel, tmp_path, users=users, pairing=True) as door:
            group.says("let me in")
            door.wait_until_refused(1)
            door.hears(person, "after")
            asked = door.spool.book().requests[channel.name]
            assert not asked, f"codes were given: {[one.chat for one in asked.values()]}"
        assert not group.seen(), f"the group was told {group.seen()}"

    def test_stranger_is_let_in_by_their_code(
        self, record: PluginRecord, channel: ChannelCase, person: Wire, tmp_path: Path
    ) -> None:
        """Fails when a code does not reach a stranger, or they are another one the next time.

        `direct` has to be true where a person is alone with the channel, `sender_id` stable.
        """
        need(record, "session_receive", "session_send")
        stranger = _one_of(record, person, "stranger")
        users = [offered(person.person_id)]
        with guarded(channel, tmp_path, users=users, pairing=True) as door:
            stranger.says("let me in")
            code = until(
                lambda: next(filter(is_code, _words(stranger)), ""),
                channel.boundary,
                f"the stranger saw a code; they see {list(stranger.seen())}",
            )
            paired = door.spool.approve(lambda asked: fits(code, asked.salt, asked.digest))
            assert paired is not None, "the code is good for nobody"
            looked = 0
            while not door.agent:
                looked += 1
                stranger.says("am I in?")
                door.agent += door.session.poll_all_channels(wait=0.5)
                assert looked < 2 * channel.boundary, "whom the owner let in is not heard"
        assert {one.content for one in door.agent} == {"am I in?"}
        assert {one.sender_id for one in door.agent} == {paired.user}


@contextmanager
def guarded(case: ChannelCase, folder: Path, **access: Any) -> Iterator[Guarded]:
    """Run a session with these access rules and no others."""
    config = case.config(folder / "workspace", stall_after=40.0)
    config["plugins"][case.name]["access"] = access
    config["plugins"]["onlooker"] = {}
    onlooker = Onlooker()
    with Session(config, plugins={**case.given, "onlooker": lambda: onlooker}) as session:
        online(session, case)
        spool = Beside(folder / "workspace" / "session.db")
        yield Guarded(case, session, onlooker, spool)


def _besieged(
    door: Guarded, person: Wire, strangers: Mapping[str, Wire], table: GateTable, path: str
) -> None:
    """Let every stranger do everything they can, between two messages of the person."""
    door.hears(person, "before")
    tried = _try_all(strangers, table, path)
    door.hears(person, "behind")
    if not door.reached("before", "behind"):
        door.wait_until_refused(tried)
        door.hears(person, "after")
    table.reached += len(found := door.reached("before", "behind", "after"))
    assert not found, "strangers reached the agent: " + "; ".join(found)


def _try_all(strangers: Mapping[str, Wire], table: GateTable, path: str) -> int:
    """Let every stranger do everything they can; return how many messages the gate must see."""
    told = 0
    for name, stranger in strangers.items():
        for kind, deed in DEEDS.items():
            try:
                deed(stranger, f"{name}: {kind}")
            except Absent:
                table.note(path, name, kind, tried=False)
                continue
            table.note(path, name, kind, tried=True)
            told += kind == "message" and name in _TOLD
    return told


def _all_but(record: PluginRecord, person: Wire, name: str) -> dict[str, Wire]:
    others = {each: one for each, one in _strangers(record, person).items() if each != name}
    if not others:
        unproved("the wire's `strangers()` names nobody for this: with somebody")
    return others


def _one_of(record: PluginRecord, person: Wire, name: str) -> Wire:
    strangers = _strangers(record, person)
    if name not in strangers:
        unproved(f"the wire's `strangers()` has no `{name}`: with them")
    return strangers[name]


def _strangers(record: PluginRecord, person: Wire) -> Mapping[str, Wire]:
    """Return who must not get through; skip where the wire has nobody, and say why."""
    try:
        return person.strangers()
    except Absent:
        if opens_its_gate(record):
            pytest.skip(OPEN)
    return offered(person.strangers)


def _words(wire: Wire) -> list[str]:
    return [word.strip(".;,") for one in wire.seen() for word in one.text.split()]
