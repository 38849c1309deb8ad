"""A model for tests: the one endpoint of an OpenAI-compatible server that an agent needs."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

SECONDS = 60.0
RECALL = "what did I say?"


class Model:
    """Answers `re: …` to the last thing a person said; asked what they said, it knows.

    Attributes:
        asked: what each request had, without the system's part: `(role, content)`.
        faults: bodies sent instead of an answer, one each.
    """

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, str]]] = []
        self.faults: list[bytes] = []
        self._changed = threading.Condition()
        self._open = threading.Event()
        self._open.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """What a client calls its base."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.set()
        self._server.shutdown()
        self._thread.join(SECONDS)
        self._server.server_close()

    def hold(self) -> None:
        """Think for ever, until `go_on`."""
        self._open.clear()

    def go_on(self) -> None:
        """Answer again; what was asked meanwhile, too."""
        self._open.set()

    def wait_asked(self, text: str) -> list[tuple[str, str]]:
        """Wait until a person's words have come; return all that the agent sent with them."""

        def found() -> list[tuple[str, str]] | None:
            return next((one for one in self.asked if one[-1] == ("user", text)), None)

        with self._changed:
            assert self._changed.wait_for(found, SECONDS), f"{text!r} did not come: {self.asked}"
            said = found()
        assert said is not None
        return said

    def count(self, text: str) -> int:
        """Return how often a person's words were asked about."""
        with self._changed:
            return sum(one[-1] == ("user", text) for one in self.asked)

    def _answer(self, request: dict[str, Any]) -> bytes:
        said = [
            (one["role"], one["content"]) for one in request["messages"] if one["role"] != "system"
        ]
        with self._changed:
            self.asked.append(said)
            fault = self.faults.pop(0) if self.faults else None
            self._changed.notify_all()
        self._open.wait(SECONDS)
        if fault is not None:
            return fault
        text = said[-1][1]
        if text == RECALL:
            text = ", ".join(words for role, words in said[:-1] if role == "user") or "nothing"
        answer = f"re: {text}"
        message = {"role": "assistant", "content": answer}
        return json.dumps({"model": "local", "choices": [{"message": message}]}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                body = model._answer(json.loads(self.rfile.read(size)))
                try:
                    self.send_response(200 if self.path == "/v1/chat/completions" else 404)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # the agent was killed meanwhile

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
