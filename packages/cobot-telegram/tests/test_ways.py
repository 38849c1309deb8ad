"""Ways to the server: below a path, and through a proxy, over real sockets."""

from __future__ import annotations

import logging
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import trustme

from cobot_session.messages import Media, OutgoingMessage
from cobot_telegram.testing import Attachment, BotApiServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Watch

    from cobot_session.session import Session

AGENT = """
import logging, sys
from cobot_session import Session

logging.basicConfig(level=logging.DEBUG)
folder, token, api_url, proxy = sys.argv[1:]
block = {"bot_token": token, "api_url": api_url, "proxy": proxy, "access": {"open": True}}
with Session({"plugins": {"workspace": {"path": folder}, "telegram": block}}) as session:
    (message,) = session.poll_all_channels(wait=60)
    print(session.reply(message, "read: " + session.fetch(message.media[0]).decode()).status)
"""


class Proxy(socketserver.ThreadingTCPServer):
    """An http proxy: it opens ways (CONNECT), and forwards what is asked with a whole address."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0, *, refuse: int | None = None) -> None:
        super().__init__(("127.0.0.1", port), Carried)
        self.port: int = self.server_address[1]
        self.refuse = refuse
        self.asked: list[str] = []
        """First line and headers of each request, as they came."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    @property
    def lines(self) -> list[str]:
        return [head.partition("\r\n")[0] for head in self.asked]


class Carried(socketserver.StreamRequestHandler):
    """One connection: a way, or one request."""

    server: Proxy

    def handle(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n")).decode()
        if not head:
            return
        self.server.asked.append(head)
        if self.server.refuse is not None:
            self.wfile.write(f"HTTP/1.1 {self.server.refuse} No\r\n\r\n".encode())
            return
        method, address, version = head.partition("\r\n")[0].split(" ")
        way = method == "CONNECT"
        place = urlsplit(f"//{address}" if way else address)
        with socket.create_connection((str(place.hostname), place.port or 80)) as onward:
            if way:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                kept = [
                    line
                    for line in head.split("\r\n")[1:]
                    if line and not line.lower().startswith(("connection:", "proxy-"))
                ]
                lines = [f"{method} {place.path} {version}", *kept, "Connection: close"]
                onward.sendall("\r\n".join([*lines, "", ""]).encode())
            back = threading.Thread(target=pour, args=(onward.recv, self.connection))
            back.start()
            pour(self.rfile.read1, onward)
            back.join()


def pour(read: Callable[[int], bytes], into: socket.socket) -> None:
    """Carry bytes one way until their end, or until nobody takes them."""
    with suppress(OSError):
        while data := read(65_536):
            into.sendall(data)
    with suppress(OSError):
        into.shutdown(socket.SHUT_WR)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def make_proxy() -> Iterator[Callable[..., Proxy]]:
    made: list[Proxy] = []

    def make(port: int = 0, *, refuse: int | None = None) -> Proxy:
        made.append(Proxy(port, refuse=refuse))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


def converse(server: BotApiServer, session: Session) -> None:
    """Receive a message with a file, load the file, and answer with one."""
    ada = server.user("Ada")
    ada.says("look", files=[Attachment("document", b"content", "a.txt")])
    (message,) = session.poll_all_channels(wait=40)
    assert session.fetch(message.media[0]) == b"content"
    back = Media("document", data=b"back", filename="b.txt")
    answer = OutgoingMessage("telegram", message.channel_id, "here", media=[back])
    assert session.send(answer, timeout=40).status == "sent"
    assert ada.chat.wait_for("here").files[0].data == b"back"


def test_a_server_below_a_path_is_spoken_to_there(
    settings: dict[str, Any], open_session: Callable[[], Session]
) -> None:
    """Calls, and downloads of files, go below the path of `api_url`."""
    with BotApiServer(prefix="/tele/gram") as server:
        assert server.api_url.endswith("/tele/gram")
        settings["plugins"]["telegram"] |= {"api_url": server.api_url, "bot_token": server.token}
        with open_session() as session:
            converse(server, session)


def test_a_server_below_a_path_is_nowhere_else(
    settings: dict[str, Any], open_session: Callable[[], Session], watch: Watch
) -> None:
    """Without the path nothing is found; that is said, and is no verdict on the token."""
    with BotApiServer(prefix="/tele/gram") as server:
        bare = server.api_url.removesuffix("/tele/gram")
        settings["plugins"]["telegram"] |= {"api_url": bare, "bot_token": server.token}
        with open_session():
            status = watch.until(error="look at `api_url`")
    assert status.state != "failed"


def test_a_prefix_is_a_path() -> None:
    """What is none is refused before anything listens."""
    with pytest.raises(ValueError, match="begins with /"):
        BotApiServer(prefix="telegram/")


def test_everything_goes_through_the_proxy(
    server: BotApiServer,
    settings: dict[str, Any],
    open_session: Callable[[], Session],
    make_proxy: Callable[..., Proxy],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each call and each download; the log holds neither the token nor the proxy's password."""
    proxy = make_proxy()
    settings["plugins"]["telegram"]["proxy"] = f"http://me:pa55word@127.0.0.1:{proxy.port}"
    with caplog.at_level(logging.DEBUG), open_session() as session:
        converse(server, session)

    def calls_went_through() -> bool:
        """Tell it once the server has got what the proxy has: a poll may still be on its way."""
        paths = [path for path in through() if not path.startswith("/file/")]
        calls = Counter(path.rpartition("/")[2] for path in paths)
        return calls == Counter(call.method for call in server.requests)

    def through() -> list[str]:
        return [urlsplit(line.split(" ")[1]).path for line in proxy.lines]

    server.wait_for(calls_went_through)
    assert len([path for path in through() if path.startswith("/file/")]) == 1
    assert all("\r\nProxy-Authorization: Basic " in head for head in proxy.asked)
    assert server.token not in caplog.text
    assert "pa55word" not in caplog.text


def test_a_proxy_that_is_down_is_told_and_outlived(
    server: BotApiServer,
    settings: dict[str, Any],
    open_session: Callable[[], Session],
    make_proxy: Callable[..., Proxy],
    watch: Watch,
) -> None:
    """The status names the setting; once the proxy is there, so are the messages."""
    port = free_port()
    settings["plugins"]["telegram"]["proxy"] = f"http://127.0.0.1:{port}"
    with open_session() as session:
        status = watch.until(error="no connection to the proxy: look at `proxy`")
        assert status.state in {"starting", "reconnecting"}
        make_proxy(port)
        converse(server, session)


def test_a_proxy_that_opens_no_way_is_told(
    settings: dict[str, Any],
    open_session: Callable[[], Session],
    make_proxy: Callable[..., Proxy],
    watch: Watch,
) -> None:
    """What it answers stands in the status, with the setting; it is no verdict on the channel."""
    proxy = make_proxy(refuse=407)
    settings["plugins"]["telegram"] |= {
        "api_url": "https://127.0.0.1:9",
        "proxy": f"http://127.0.0.1:{proxy.port}",
    }
    with open_session():
        status = watch.until(error="the proxy answers 407, and opens no way: look at `proxy`")
    assert status.state in {"starting", "reconnecting"}
    assert set(proxy.lines) == {"CONNECT 127.0.0.1:9 HTTP/1.1"}


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_over_https_the_proxy_does_not_see_the_token(
    tmp_path: Path, make_proxy: Callable[..., Proxy]
) -> None:
    """A way is asked for by host and port, and what goes through it is for the server only."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    proxy = make_proxy()
    with BotApiServer(ssl_context=context) as server:
        ada = server.user("Ada")
        ada.says(files=[Attachment("document", b"by TLS", "a.txt")])
        way = f"http://127.0.0.1:{proxy.port}"
        done = subprocess.run(
            [sys.executable, "-c", AGENT, str(tmp_path / "w"), server.token, server.api_url, way],
            env={**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert ada.chat.texts == ["read: by TLS"]
        assert set(proxy.lines) == {f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"}
    secret = server.token.partition(":")[2]
    assert not [text for text in (*proxy.asked, done.stdout, done.stderr) if secret in text]
