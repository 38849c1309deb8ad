"""`run` and `listen`: messages to an agent, or to another program."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cobot_session.cli import logs, output
from cobot_session.cli.agent import load_agent
from cobot_session.cli.choice import without_console
from cobot_session.cli.options import ConfigOption, VerboseOption
from cobot_session.cli.start import heed_sigterm, serving, tell_channels, whole_config
from cobot_session.foreground import serve

if TYPE_CHECKING:
    from cobot_session.messages import IncomingMessage, Media


def run(
    agent: Annotated[
        str,
        typer.Option(
            "--agent",
            "-a",
            metavar="MODULE:HANDLER",
            help="Such as `agent:answer` for the function `answer` in agent.py of this folder.",
        ),
    ],
    concurrency: Annotated[
        int, typer.Option(min=1, metavar="CHATS", help="Chats that are served at once.")
    ] = 8,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Let an agent answer, until Ctrl-C.

    The handler is called as `handler(message)`, be it `def` or `async def`, in order within a
    chat; what it returns is the answer.
    """
    logs.set_up(verbose=verbose)
    heed_sigterm()
    handler = load_agent(agent)
    whole = whole_config(config)
    with serving(whole) as session:
        tell_channels(session, whole, f"{agent} answers")
        serve(session._engine, handler, concurrency)


def listen(config: ConfigOption = None, verbose: VerboseOption = False) -> None:
    """Print each message as a line of JSON, until Ctrl-C.

    A message is acknowledged after its line has been written: what could not be written comes
    again next time.
    """
    logs.set_up(verbose=verbose)
    heed_sigterm()
    whole = without_console(whole_config(config))
    with serving(whole) as session:
        tell_channels(session, whole, "listening")
        for message in session.messages():
            print(output.json_line(_shown(message)), flush=True)
            session.ack(message)


def _shown(message: IncomingMessage) -> dict[str, Any]:
    return asdict(message) | {"media": [_attachment(one) for one in message.media]}


def _attachment(media: Media) -> dict[str, Any]:
    """Return what tells of an attachment; its bytes are fetched by who wants them."""
    shown = asdict(media)
    del shown["data"]
    return shown
