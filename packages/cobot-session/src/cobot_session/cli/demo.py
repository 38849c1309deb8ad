"""`demo`: an agent on two channels that need no account, with nothing configured."""

from __future__ import annotations

import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cobot_session.cli import logs, output
from cobot_session.cli.choice import CONSOLE, only
from cobot_session.cli.outcome import FAILED
from cobot_session.cli.script import Script
from cobot_session.cli.stage import Stage
from cobot_session.config import Block, CommonSettings, WorkspaceSettings, load_config
from cobot_session.engine import SPOOL_FILE
from cobot_session.messages import OutgoingMessage
from cobot_session.registry import installed
from cobot_session.session import Session
from cobot_session.spool.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.config import Config
    from cobot_session.handling import Handler
    from cobot_session.messages import IncomingMessage

FILEDROP = "filedrop"
_MISSING = (
    "The channel `filedrop` is not installed, so the console is alone: `pip install cobot-filedrop`"
    " adds it, and nothing else has to be changed."
)


def demo() -> None:
    """Show an agent on two channels at once, with nothing configured.

    In a terminal you can talk to it; Ctrl-D leaves. Without one, a short conversation is shown.
    """
    logs.set_up(quiet=True)
    names = {CONSOLE, FILEDROP} & {plugin.name for plugin in installed()}
    person = sys.stdin.isatty() and sys.stdout.isatty()
    with tempfile.TemporaryDirectory(prefix="cobot-demo-") as folder:
        kept = _demonstrated(Path(folder), names, person=person)
    raise typer.Exit(0 if kept else FAILED)


def _demonstrated(folder: Path, names: set[str], *, person: bool) -> bool:
    """Run the demonstration; tells whether all that it promised has happened."""
    output.note(f"One session on {' and '.join(sorted(names))}. Nothing is configured.")
    if FILEDROP not in names:
        output.note(_MISSING)
    with Stage(person=person) as stage:
        config = _config(folder, names, stage.left.set)
        session = Session(config)
        spool = Beside(config.workspace.folder / SPOOL_FILE)
        files = folder / "files" if FILEDROP in names else None
        script = Script(session, spool, stage, files)
        with session:
            playing = threading.Thread(target=script.play, name="cobot-demo", daemon=True)
            playing.start()
            session.run(agent_of(session))
        playing.join()
    output.note(script.verdict())
    return script.went_well


def agent_of(session: Session) -> Handler:
    """Return the agent: it repeats what it is told, and thinks when it is asked to."""

    def answer(message: IncomingMessage) -> str | None:
        if message.kind != "message":
            return None
        if not message.content.startswith("think"):
            return f"You said: {message.content}"
        chat = (message.channel_type, message.channel_id)
        receipt = session.send(OutgoingMessage(*chat, "Thinking …"))
        session.edit(*chat, receipt.id, "I have thought about it.")
        session.react(*chat, receipt.id, "👍")
        return None

    return answer


def _config(folder: Path, names: set[str], on_eof: Callable[[], object]) -> Config:
    options: dict[str, dict[str, Any]] = {
        CONSOLE: {"name": "you", "bot_name": "bot", "history": False, "on_eof": on_eof},
        FILEDROP: {"path": str(folder / "files")},
    }
    often = CommonSettings(poll_interval=0.1)
    blocks = {name: Block(name, name, often, options[name]) for name in sorted(names)}
    config = replace(load_config({}), workspace=WorkspaceSettings(path=folder / "workspace"))
    return only(replace(config, blocks=blocks), names)
