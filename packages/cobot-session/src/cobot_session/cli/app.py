"""The commands, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cobot_session.cli import dead, pair
from cobot_session.cli.channels import channels
from cobot_session.cli.chat import chat
from cobot_session.cli.configuring import init, schema
from cobot_session.cli.demo import demo
from cobot_session.cli.doctor import doctor
from cobot_session.cli.new import new
from cobot_session.cli.sending import SendCommand, send
from cobot_session.cli.serving import listen, run
from cobot_session.cli.status import status

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib_metadata import version

        print(f"cobot-session {version('cobot-session')}")
        raise typer.Exit


@app.callback()
def cobot_session(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Another cobot.yml.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One session between an agent and every place where people talk to it."""


app.command()(channels)
app.command()(run)
app.command()(chat)
app.command()(listen)
app.command(cls=SendCommand, context_settings={"ignore_unknown_options": True})(send)
app.command()(status)
app.command()(doctor)
app.command()(schema)
app.command()(init)
app.command()(new)
app.command()(demo)
app.add_typer(pair.app, name="pair")
app.add_typer(dead.app, name="dead")
