"""`chat`: an agent in this terminal, and nowhere else."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cobot_session.cli import logs
from cobot_session.cli.agent import load_agent
from cobot_session.cli.choice import CONSOLE, only
from cobot_session.cli.options import ConfigOption, VerboseOption
from cobot_session.cli.outcome import FAILED
from cobot_session.cli.start import heed_sigterm, nothing_waits
from cobot_session.config import Block, load_config
from cobot_session.engine import SPOOL_FILE
from cobot_session.foreground import serve
from cobot_session.session import Session
from cobot_session.spool.beside import Beside
from cobot_session.workspace import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.config import Config
    from cobot_session.messages import IncomingMessage

_LOOK_SECONDS = 0.05


def chat(
    agent: Annotated[
        str | None,
        typer.Option(
            "--agent",
            "-a",
            metavar="MODULE:HANDLER",
            help="As for `run`; without, an echo answers.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Talk to an agent in this terminal; Ctrl-D leaves.

    Only the console runs, on a spool of its own, so it can be used beside a session that runs.
    """
    logs.set_up(verbose=verbose, quiet=True)
    heed_sigterm()
    handler = load_agent(agent) if agent else echo
    left = threading.Event()
    settings = for_console(load_config(config, defer=True), left.set)
    spool = Beside(settings.workspace.folder / SPOOL_FILE)
    with Session(settings) as session:
        before = dead_letters(spool)  # now that a spool of an older version is up to date
        leaving = stop_when_answered(session, left, spool)
        serve(session._engine, handler, concurrency=1)
    left.set()
    leaving.join()
    if dead_letters(spool) > before:
        raise typer.Exit(FAILED)


def echo(message: IncomingMessage) -> str:
    """Answer what was said with what was said."""
    return f"You said: {message.content}"


def for_console(config: Config, on_eof: Callable[[], object]) -> Config:
    """Return a configuration for the console alone, with a workspace of its own.

    Args:
        config: what it is made from.
        on_eof: called when the person has left.
    """
    written = config.blocks.get(CONSOLE, Block(CONSOLE, CONSOLE))
    block = replace(written, options=written.options | {"on_eof": on_eof})
    folder = private_folder(config.workspace.folder) / "chat"  # both, or the next run refuses it
    workspace = config.workspace.model_copy(update={"path": folder})
    once = {"default_channel": None, "max_deliveries": 1}  # somebody sits here and can ask again
    session = config.session.model_copy(update=once)
    chosen = only(replace(config, workspace=workspace, session=session), {CONSOLE})
    return replace(chosen, blocks=chosen.blocks | {CONSOLE: block})


def stop_when_answered(session: Session, left: threading.Event, spool: Beside) -> threading.Thread:
    """Stop the session when the person has left and nothing is on its way any more."""

    def wait_and_stop() -> None:
        left.wait()
        while not nothing_waits(spool):
            threading.Event().wait(_LOOK_SECONDS)
        session.stop()

    thread = threading.Thread(target=wait_and_stop, name="cobot-leaving", daemon=True)
    thread.start()
    return thread


def dead_letters(spool: Beside) -> int:
    """Return how many messages were given up."""
    return sum(counts.dead for counts in spool.counts().values())
