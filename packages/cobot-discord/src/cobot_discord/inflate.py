"""The gateway's compressed stream, read with a bound.

https://discord.com/developers/docs/events/gateway#transport-compression, `zlib-stream`: each
message ends with a flush, and all share one context.
"""

from __future__ import annotations

import zlib

MOST = 64 * 1024 * 1024
"""Bytes that one message may have, packed or not; a guild of thousands of channels has a few
million."""
_FLUSHED = b"\x00\x00\xff\xff"


class TooLarge(Exception):  # a decision of ours: the stream may be in order
    """A message is larger than any that Discord sends."""


class Inflater:
    """Puts the messages of one connection together."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._packed = bytearray()

    def text(self, frame: bytes) -> str | None:
        """Return the message that a frame ends; `None`: it goes on in the next frame.

        Raises:
            TooLarge: it has more than `MOST` bytes; no more than these were unpacked.
            zlib.error, UnicodeDecodeError: it is no such stream.
        """
        self._packed += frame
        if len(self._packed) > MOST:
            raise TooLarge
        if not self._packed.endswith(_FLUSHED):
            return None
        packed, self._packed = self._packed, bytearray()
        message = self._stream.decompress(packed, MOST + 1)
        if len(message) > MOST:
            raise TooLarge
        return message.decode()
