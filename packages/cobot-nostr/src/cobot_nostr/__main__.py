"""`cobot-nostr`: make an identity, show who a key is, find the key behind an address."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cobot_nostr import nip19
from cobot_nostr.crypto import Key
from cobot_nostr.keys import KeyProblem, read_key_file, write_key_file

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        text = given.run(given)
    except (KeyProblem, OSError, ValueError) as error:
        print(f"cobot-nostr: {error}", file=sys.stderr)  # a command line
        return 1
    print(text)  # a command line
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("cobot-nostr", description=__doc__)
    commands = parser.add_subparsers(required=True)
    new = commands.add_parser("new-key", help="make an identity and keep its key in a new file")
    new.add_argument("file", type=Path)
    new.set_defaults(run=_new_key)
    show = commands.add_parser("show", help="tell the public key of a key file")
    show.add_argument("file", type=Path)
    show.set_defaults(run=_show)
    for command in (new, show):
        command.add_argument(
            "--password-env",
            metavar="NAME",
            help="environment variable with a password that encrypts the file (NIP-49)",
        )
    find = commands.add_parser("find", help="tell the npub behind name@example.com (NIP-05)")
    find.add_argument("address")
    find.set_defaults(run=_find)
    return parser


def _password(given: argparse.Namespace) -> str | None:
    name: str | None = given.password_env
    if name is None:
        return None
    if not os.environ.get(name):
        raise ValueError(f"the environment variable {name} is not set")
    return os.environ[name]


def _new_key(given: argparse.Namespace) -> str:
    key = Key()
    try:
        write_key_file(given.file, key, _password(given))
    except FileExistsError:
        raise ValueError(f"{given.file} is there already; a key is never overwritten") from None
    password = "\n    password: ${%s}" % given.password_env if given.password_env else ""  # noqa: UP031
    return (
        f"{nip19.npub(key.public)}\n\n"
        f"plugins:\n  nostr:\n    key_file: {given.file.absolute()}{password}\n"
        "    relays: [wss://relay.example]"
    )


def _show(given: argparse.Namespace) -> str:
    return nip19.npub(read_key_file(given.file, _password(given)).public)


def _find(given: argparse.Namespace) -> str:
    public = asyncio.run(_look_up(given.address))
    if public is None:
        raise ValueError(f"{given.address} names nobody (NIP-05)")
    return nip19.npub(public)


async def _look_up(address: str) -> str | None:
    from cobot_nostr.web import Web

    if not nip19.is_nip05(address):
        raise ValueError("an address has the form name@example.com")
    web = Web(logging.getLogger("cobot_nostr"))
    try:
        return await web.public_key(address)
    finally:
        await web.close()


if __name__ == "__main__":
    sys.exit(main())
