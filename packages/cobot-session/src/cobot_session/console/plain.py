"""Standard input and output that are no terminal: pipes and files, line by line."""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
from typing import TYPE_CHECKING

from cobot_session.console.screen import indented, write

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_CHUNK_BYTES = 65_536


class Plain:
    """Reads and writes plain lines of UTF-8.

    The file descriptor is read directly and only when there is something: no thread hangs in a
    buffer that the interpreter wants to close.
    """

    async def lines(self) -> AsyncGenerator[str, None]:
        """Yield the lines of standard input; what follows the last newline is one, too."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        descriptor = _standard_input()
        rest = ""
        while descriptor is not None and (chunk := await _read(descriptor)):
            *whole, rest = (rest + decoder.decode(chunk)).split("\n")
            for line in whole:
                yield line.removesuffix("\r")
        if rest := rest + decoder.decode(b"", final=True):
            yield rest

    async def show(self, head: str, text: str) -> None:
        """Write a text to standard output, in a thread: who reads it may be slow."""
        await asyncio.to_thread(write, f"{head}{indented(head, text)}\n")

    def refresh(self) -> None:
        """Do nothing: a pipe shows no state."""


def _standard_input() -> int | None:
    """Return the descriptor of standard input, `None` when it is closed or none of the system's."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


async def _read(descriptor: int) -> bytes:
    """Return what there is as soon as there is something; nothing at the end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except (NotImplementedError, PermissionError):  # this loop, or this kind of file, cannot wait
        return await asyncio.to_thread(os.read, descriptor, _CHUNK_BYTES)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _CHUNK_BYTES)
