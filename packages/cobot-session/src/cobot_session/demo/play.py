"""What the people of the demonstration do, all at once, and what each of them must see."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from cobot_session.demo.agent import LESSONS, LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cobot_session.demo.record import Record
    from cobot_session.demo.scene import Person, Scene, Seen
    from cobot_session.session import Session

SECONDS = 15.0
"""How long anything that was promised may take to happen."""
_LOOK_SECONDS = 0.02
_RECOVERED = "cut off, told, and recovered"
_PICTURES = {"a.png": b"\x89PNG\r\n\x1a\n one", "b.png": b"\x89PNG\r\n\x1a\n two"}


class Visitor:
    """A person, and what they are to see: every answer once, and nothing else."""

    def __init__(self, where: str, scene: Scene, person: Person, record: Record) -> None:
        self._where = where
        self._scene = scene
        self._person = person
        self._record = record
        self._expected: list[str] = []

    def says(self, text: str, *, reply_to: str | None = None) -> str:
        """Say something, and expect it to be repeated."""
        self._note(f"{'(in reply) ' if reply_to else ''}{text}")
        return self._person.says(text, reply_to=reply_to)

    def gets(self, text: str, since: float | None = None) -> Seen | None:
        """Wait for an answer; `None`: it did not come."""
        self._expected.append(text)
        return self._sees(lambda it: it.text == text, since)

    def text(self) -> None:
        """Say something and see it answered."""
        began = time.monotonic()
        self.says("hello")
        self._keep("text", self.gets("You said: hello", began) is not None)

    def reply(self) -> None:
        """Answer the agent's answer; what comes back answers that."""
        first = self._person.sees()[-1]
        began = time.monotonic()
        id_ = self.says("really?", reply_to=first.id)
        answer = self.gets("You said: really?", began)
        self._keep("reply", answer is not None and answer.reply_to == id_)

    def reaction(self) -> None:
        """React to what the agent said."""
        self._note("reacts with 👍")
        self._person.reacts(self._person.sees()[-1].id, "👍")
        self._keep("reaction", self.gets("Thank you for the 👍") is not None)

    def edit(self) -> None:
        """Change what was said."""
        id_ = self.says("a typpo")
        before = self.gets("You said: a typpo")
        self._note("changes it to: a typo")
        self._person.edits(id_, "a typo")
        after = self.gets("You changed it to: a typo")
        self._keep("edit", before is not None and after is not None)

    def files(self, *, album: bool) -> None:
        """Send two pictures as one message, or one where a message is one file."""
        names = list(_PICTURES) if album else list(_PICTURES)[:1]
        self._note(f"sends {' and '.join(names)}")
        self._person.sends({name: _PICTURES[name] for name in names})
        came = self.gets(f"I have got {len(names)} file(s)")
        self._keep("album" if album else "file", came is not None)

    def long(self) -> None:
        """Ask for much, and see it grow to its end, no code torn, nothing missing or twice."""
        before = len(self._person.sees())
        self.says(LONG)
        end = self._sees(lambda it: it.text.rstrip().endswith("That is all about loops."))
        parts = [one.text for one in self._person.sees()[before:]]
        sections = [int(n) for n in re.findall(r"Section (\d+) goes", "\n".join(parts))]
        whole = all(part.count("```") % 2 == 0 for part in parts)
        right = end is not None and whole and sections == list(range(1, LESSONS + 1))
        self._keep("long answer", right)
        self._expected += parts

    def nothing_else(self) -> bool:
        """Tell whether every answer was seen once, and nothing else."""
        return Counter(self._expected) == Counter(one.text for one in self._person.sees())

    def _sees(self, meant: Callable[[Seen], bool], since: float | None = None) -> Seen | None:
        found: list[Seen] = []

        def probe() -> bool:
            found[:] = [one for one in self._person.sees() if meant(one)]
            return bool(found)

        if not self._scene.wait_for(probe, SECONDS):
            return None
        if since is not None:
            self._record.took(self._where, time.monotonic() - since)
        self._record.note(self._where, "agent", f"to {self._person.name}: {found[-1].text}")
        return found[-1]

    def _note(self, text: str) -> None:
        self._record.note(self._where, self._person.name, text)

    def _keep(self, what: str, kept: bool) -> None:
        self._record.keep(self._where, what, kept)


class Network:
    """One network of the demonstration, and who is on it."""

    def __init__(self, name: str, scene: Scene, record: Record) -> None:
        self.name = name
        self.scene = scene
        self._record = record
        self._ada, self._ben, self._eve = (scene.person(who) for who in ("Ada", "Ben", "Eve"))
        self.ada = Visitor(name, scene, self._ada, record)
        self.ben = Visitor(name, scene, self._ben, record)
        for what in self._promises():
            record.promise(name, what)

    def settings(self) -> dict[str, object]:
        """Return the channel's settings, which let in all but Eve."""
        return self.scene.settings([self._ada, self._ben])

    def people(self) -> list[Callable[[], None]]:
        """Return what each of its people does."""
        return [self._ada_talks, self._ben_talks, self._eve_knocks]

    def settle(self, dropped: int) -> None:
        """Look at what everybody has in the end.

        Args:
            dropped: how many messages the session refused here.
        """
        once = self.ada.nothing_else() and self.ben.nothing_else()
        self._record.keep(self.name, "each answer once", once)
        unheard = not self._eve.sees() and dropped > 0
        self._record.keep(self.name, "stranger turned away", unheard)

    def _promises(self) -> list[str]:
        files = "album" if "album" in self.scene.offers else "file"
        edit = ["edit"] if "edit" in self.scene.offers else []
        rest = ["stranger turned away", "each answer once"]
        return ["text", "reply", "reaction", *edit, files, "long answer", *rest]

    def _ada_talks(self) -> None:
        self.ada.text()
        self.ada.reply()
        self.ada.reaction()
        if "edit" in self.scene.offers:
            self.ada.edit()

    def _ben_talks(self) -> None:
        self.ben.text()
        self.ben.files(album="album" in self.scene.offers)
        self.ben.long()

    def _eve_knocks(self) -> None:
        self._record.note(self.name, "Eve", "let me in")
        self._eve.says("let me in")


class Play:
    """Lets everybody on every network talk at once, then cuts one network off."""

    def __init__(self, session: Session, networks: Mapping[str, Network], record: Record) -> None:
        self._session = session
        self._networks = networks
        self._record = record
        *others, cut = networks
        for name in others:
            record.promise(name, _undisturbed(cut))
        record.promise(cut, _RECOVERED)

    def run(self) -> None:
        """Play it to its end; what did not happen is in the record."""
        if not self._until(lambda: all(self._state(name) == "online" for name in self._networks)):
            return
        self._record.begin()
        acts = [act for network in self._networks.values() for act in network.people()]
        threads = [threading.Thread(target=act, name="cobot-demo-person") for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        *others, cut = self._networks.values()
        self._outage(cut, others)
        self._until(self._is_done)  # people see an answer before the session has written it off
        for network in self._networks.values():
            status = self._session.status()[network.name]
            network.settle(status.dropped)

    def _outage(self, cut: Network, others: list[Network]) -> None:
        record, name = self._record, cut.name
        with cut.scene.outage():
            record.note(name, "", "(the network is cut off)")
            told = self._until(lambda: self._state(name) != "online")
            record.note(name, "", f"(its state is {self._state(name)})")
            for other in others:
                other.ada.says("are you still there?")
                there = other.ada.gets("You said: are you still there?") is not None
                record.keep(other.name, _undisturbed(name), there)
            cut.ada.says("and you?")
        record.note(name, "", "(the network is back)")
        back = cut.ada.gets("You said: and you?") is not None
        online = self._until(lambda: self._state(name) == "online")
        record.keep(name, _RECOVERED, told and back and online)

    def _state(self, name: str) -> str:
        return self._session.status()[name].state

    def _is_done(self) -> bool:
        statuses = self._session.status()
        return not any(statuses[name].pending for name in self._networks)

    def _until(self, is_so: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + SECONDS
        while not is_so():
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True


def _undisturbed(cut: str) -> str:
    return f"undisturbed while {cut} is cut off"
