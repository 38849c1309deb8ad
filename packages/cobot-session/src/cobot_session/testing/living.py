"""The contract's sixth part: starting, stopping, breaking, recovering."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cobot_session.testing.parts import Part, need, offered, online, received
from cobot_session.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.registry import PluginRecord
    from cobot_session.session import Session
    from cobot_session.testing.case import ChannelCase, Wire
    from cobot_session.testing.rig import Rig

_NOTICE_SECONDS = 1.0
"""How long a cut lasts, unless it is noticed sooner."""
_NOTICE_LOOKS = 50
_DESCRIPTORS = Path("/proc/self/fd")


class Living(Part):
    """What happens between the first start and the last stop."""

    def test_it_starts_and_stops_again_and_again(
        self, record: PluginRecord, make_rig: Callable[[], Rig]
    ) -> None:
        """Fails when a second life does not start: keep nothing in the module or the class."""
        for _ in range(3):
            with make_rig():
                pass

    def test_stop_without_start_is_harmless(
        self, record: PluginRecord, make_rig: Callable[[], Rig]
    ) -> None:
        """Fails when `stop` needs what only `start` makes: a start that failed is stopped, too."""
        make_rig().stop()

    def test_stop_leaves_nothing_behind(
        self, record: PluginRecord, channel: ChannelCase, make_rig: Callable[[], Rig]
    ) -> None:
        """Fails when a task, thread, socket or file outlives `stop`: close what `start` opened."""
        with make_rig():  # what is made once for the whole process is no leak
            pass
        threads, files = _threads(), _open_files()
        rig = make_rig()
        rig.start()
        if "session_receive" in record.hooks:
            rig.cancelled_receive(after=0.1)
        rig.run(rig.door.stop)
        tasks = rig.tasks()
        rig.kill()
        assert not tasks, f"after `stop` these tasks go on: {tasks}"
        until(
            lambda: _threads() <= threads,
            channel.boundary,
            f"threads ended: {_threads() - threads}",
        )
        until(
            lambda: len(_open_files()) <= len(files),
            channel.boundary,
            f"files and sockets were closed: {sorted(_open_files())}",
        )

    def test_it_recovers_from_a_cut_connection(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when the channel stays dead: reconnect, or raise so that it is started anew."""
        need(record, "session_receive")
        person.says("before")
        received(session, channel)
        offered(person.cuts)
        noticed = threading.Event()
        for _ in range(_NOTICE_LOOKS):
            if session.status()[channel.name].state != "online":
                break
            noticed.wait(_NOTICE_SECONDS / _NOTICE_LOOKS)
        person.mends()
        person.says("after")
        assert received(session, channel)[-1].content == "after"
        online(session, channel)

    def test_health_is_true(
        self, record: PluginRecord, session: Session, channel: ChannelCase, person: Wire
    ) -> None:
        """Fails when the status stays `online` on a dead connection: tell it in the health."""
        need(record, "session_receive")
        offered(person.cuts)
        try:
            until(
                lambda: session.status()[channel.name].state != "online",
                channel.boundary,
                "the status told of the cut",
            )
        finally:
            person.mends()
        online(session, channel)


def _threads() -> set[str]:
    return {one.name for one in threading.enumerate()}


def _open_files() -> set[str]:
    """Return what this process has open; nothing where the system does not tell."""
    if not _DESCRIPTORS.is_dir():
        return set()
    found = set()
    for entry in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - the folder lists its own descriptor
        try:
            found.add(f"{entry} {(_DESCRIPTORS / entry).readlink()}")
        except OSError:
            continue
    return found
