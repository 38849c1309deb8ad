"""`demo`: one agent on every channel that has a network for it on this machine."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cobot_session.cli import logs, output
from cobot_session.cli.choice import CONSOLE, only
from cobot_session.cli.outcome import FAILED, UsageMistake
from cobot_session.cli.script import FILEDROP, Script
from cobot_session.cli.stage import Lasting, Stage
from cobot_session.config import Block, CommonSettings, load_config
from cobot_session.demo.agent import agent_of
from cobot_session.demo.board import Board
from cobot_session.demo.play import Network, Play
from cobot_session.demo.record import Record
from cobot_session.demo.scene import found
from cobot_session.engine import SPOOL_FILE
from cobot_session.foreground import serve
from cobot_session.registry import installed
from cobot_session.session import Session
from cobot_session.spool.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cobot_session.config import Config

EVENTS = ("message", "edit", "reaction")
NETWORKS = ("telegram", "discord", "nostr")
"""Channels that are published with a network of their own."""
_NO_FILES = "filedrop: left out; it is an example of the repository, in `examples/cobot-filedrop`."


def demo(
    serve: Annotated[
        bool, typer.Option("--serve", help="Stay, and let a person talk at the console.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what is shown as a picture, too.")
    ] = None,
) -> None:
    """Show an agent on every channel at once, nothing configured.

    Each network runs on this machine, with scripted people on it. Exits with 0 only if all that was
    promised has happened.
    """
    logs.set_up(quiet=True)
    logging.getLogger("cobot_session").setLevel(logging.ERROR)  # an outage is part of the play
    if svg is not None and not svg.absolute().parent.is_dir():
        raise UsageMistake(f"--svg: there is no folder for {svg.name}; make it first")
    with tempfile.TemporaryDirectory(prefix="cobot-demo-") as folder, ExitStack() as running:
        if not sys.stdout.isatty():
            running.callback(setattr, sys, "stdout", sys.stdout)
            sys.stdout = Lasting(sys.stdout)
        kept = Demonstration(Path(folder), running, serve=serve, svg=svg).run()
    raise typer.Exit(0 if kept else FAILED)


class Demonstration:
    """One run of the demonstration.

    Args:
        folder: a temporary one.
        running: what ends with it.
        serve: stay until the person at the console leaves.
        svg: where a picture goes.
    """

    def __init__(self, folder: Path, running: ExitStack, *, serve: bool, svg: Path | None) -> None:
        self._folder = folder
        self._serve = serve
        self._svg = svg
        scenes, self._absent = found()
        here = {plugin.name for plugin in installed()}
        self._local = {CONSOLE, FILEDROP} & here
        scenes = {name: scene for name, scene in scenes.items() if name in here}
        live = sys.stdout.isatty() and not serve
        self._board = Board([*sorted(self._local), *scenes], live=live)
        self._record = Record(self._board.tell)
        self._networks: dict[str, Network] = {}
        for name, scene in scenes.items():
            running.enter_context(scene)
            self._networks[name] = Network(name, scene, self._record)

    def run(self) -> bool:
        """Run it, and return whether all that it promised has happened."""
        self._introduce()
        with Stage(person=self._serve) as stage:
            config = self._config(stage.left.set)
            session = Session(config)
            spool = Beside(config.workspace.folder / SPOOL_FILE)
            files = self._folder / "files" if FILEDROP in self._local else None
            script = Script(session, spool, stage, files)
            with session:
                name = "cobot-demo"
                playing = threading.Thread(
                    target=self._play, args=(session, script), name=name, daemon=True
                )
                playing.start()
                serve(session._engine, agent_of(session), concurrency=32)
            playing.join()
        missing = [f"{where}: {what}" for where, what in self._record.broken()]
        output.note(script.verdict(self._record.kept, missing))
        return script.went_well and not missing

    def _introduce(self) -> None:
        names = sorted(self._local | self._networks.keys())
        output.note(f"One session on {_listed(names)}. Nothing is configured.")
        missing = [one for one in NETWORKS if one not in {*self._networks, *self._absent}]
        if missing:
            alone = not self._networks and not self._absent
            what = "No network is installed" if alone else f"Left out: {_listed(missing)}"
            wanted = " ".join(f'"cobot-{name}[testing]"' for name in missing)
            output.note(f"{what}. `pip install {wanted}` adds what runs on this machine.")
        for name, why in self._absent.items():
            output.note(f"{name}: left out, since {why}.")
        if FILEDROP not in self._local:
            output.note(_NO_FILES)

    def _play(self, session: Session, script: Script) -> None:
        """Play everything; the session is stopped whatever happens."""
        board = self._board
        board.session, board.record = session, self._record
        try:
            if self._networks:
                with board:
                    Play(session, self._networks, self._record).run()
                board.show()
                if self._svg is not None:
                    board.save(self._svg)
        finally:
            script.play()

    def _config(self, on_eof: Callable[[], object]) -> Config:
        """Write a `cobot.yml` with every network, and return it with the channels of this place."""
        plugins = {name: network.settings() for name, network in self._networks.items()}
        file = self._folder / "cobot.yml"
        core = {"workspace": {"path": "state"}, "session": {"events": list(EVENTS)}}
        _write(file, {"plugins": core | plugins})
        config = load_config(file)
        options: dict[str, dict[str, Any]] = {
            CONSOLE: {"name": "you", "bot_name": "bot", "history": False, "on_eof": on_eof},
            FILEDROP: {"path": str(self._folder / "files")},
        }
        often = CommonSettings(poll_interval=0.1)
        local = {name: Block(name, name, often, options[name]) for name in sorted(self._local)}
        return only(replace(config, blocks=config.blocks | local), {*local, *plugins})


def _write(file: Path, settings: Mapping[str, Any]) -> None:
    """Write settings where only their owner can read them: there are keys among them."""
    import yaml

    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        yaml.safe_dump(dict(settings), stream, sort_keys=False, allow_unicode=True)


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
