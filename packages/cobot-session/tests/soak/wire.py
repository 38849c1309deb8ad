"""One connection to the peer, for one thread at a time."""

from __future__ import annotations

import json
import socket
from typing import Any, Self


class Wire:
    """Asks and waits for the answer."""

    def __init__(self, port: int, timeout: float | None = 60.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._file = self._socket.makefile("rwb")

    def ask(self, op: str, **arguments: Any) -> Any:
        self._file.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
        self._file.flush()
        line = self._file.readline()
        if not line:
            raise ConnectionError("the peer has gone")
        return json.loads(line)

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
