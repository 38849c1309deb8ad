"""The token stands nowhere but in the requests."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

RUN = """
import asyncio, logging, sys, traceback
from cobot_session.messages import Media, OutgoingMessage
from cobot_session.session import Session
from cobot_telegram.channel import Telegram
from cobot_telegram.testing import *

logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, force=True)
made = []

def factory():
    made.append(Telegram())
    return made[-1]

def settings(server, token, folder, **more):
    block = {"bot_token": token, "api_url": server.api_url, "access": {"open": True}, **more}
    session = {"drain": 0.2, "durability": "normal"}
    plugins = {"workspace": {"path": folder}, "telegram": block, "watch": {}}
    return {"plugins": {"session": session, **plugins}}

class Watch:
    from cobot_session.plugin import PluginMeta
    meta = PluginMeta(id="watch", version="1")
    def __init__(self): self.changes = Changes(); self.errors = []
    def session_on_status(self, channel_type, status):
        with self.changes:
            self.errors.append(str(status.last_error)); print(status); self.changes.notify()
    def wait(self, words):
        self.changes.wait(lambda: any(words in error for error in self.errors))

def session(server, token, folder, **more):
    watch = Watch()
    plugins = {"telegram": factory, "watch": lambda: watch}
    return Session(settings(server, token, folder, **more), plugins=plugins), watch

def meet(server, running, faults):
    messages = []
    for number, fault in enumerate(faults):  # each in a chat of its own, so that none waits
        user = server.user(f"User {number}")
        user.starts()
        server.faults.add(fault, on="sendMessage", chat=user.chat)
        messages.append(OutgoingMessage("telegram", str(user.id), "x", id=f"{user.id}"))
        running.send(messages[-1], timeout=0)
    for message in messages:
        print(running.send(message, timeout=5))

folder = sys.argv[1]
with BotApiServer() as server:
    print("TOKEN", file=sys.stderr); print(server.token, file=sys.stderr)
    ada = server.user("Ada")
    one, watch = session(server, server.token, folder + "/1")
    with one as running:
        ada.says("hi", files=[Attachment("photo", b"x")])
        (message,) = running.poll_all_channels(wait=40)
        print(running.fetch(message.media[0]), running, made[-1], vars(made[-1]), made[-1].config)
        errors = ServerError(502), ServerError(500, "oops"), CutAfter(), CutBefore(), Flood(1)
        meet(server, running, errors)
        for fault in (ServerError(502), CutAfter()):
            server.faults.add(fault, on="file")
            try:
                running.fetch(message.media[0])
            except Exception:
                traceback.print_exc(file=sys.stdout)
        for fault in (ServerError(502), CutBefore(), Flood(1)):
            planted = server.faults.add(fault, on="getUpdates")
            ada.says("x")  # ends the poll that is waiting, so that the next one meets the fault
            running.poll_all_channels(wait=40)
            server.wait_for(lambda: planted.hits)
        try:
            running.fetch(Media("document", id="no-such-file"))
        except Exception:
            traceback.print_exc(file=sys.stdout)
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    hook = {"url": f"http://127.0.0.1:{port}/hook", "port": port}
    hook["secret"] = "webhook-" + "s3cret" * 3
    print(hook["secret"], file=sys.stderr)
    pushed, watch = session(server, server.token, folder + "/5", webhook=hook)
    with pushed as running:
        server.wait_for(lambda: server.bot.webhook is not None)
        ada.says("by webhook")
        print(running.poll_all_channels(wait=40), made[-1].config, vars(made[-1]._source))
        import urllib.error, urllib.request
        try:
            urllib.request.urlopen(urllib.request.Request(hook["url"], data=b"{}"))
        except urllib.error.HTTPError as refusal:
            print(refusal)
    odd = Answer(b"<html>", 404), Answer(b"{}"), ServerError(409, "Conflict"), Answer(b"", 302)
    three, watch = session(server, server.token, folder + "/6")
    with three as running:
        for answer in odd:
            planted = server.faults.add(answer, on="getUpdates")
            ada.says("x")
            server.wait_for(lambda: planted.hits)
        meet(server, running, (*odd, ServerError(400, "no"), ServerError(403, "no")))
        server.faults.add(ServerError(401, "Unauthorized"), on="sendMessage")
        print(running.send(OutgoingMessage("telegram", str(ada.id), "x"), timeout=1))
        watch.wait("401")
    two, watch = session(server, server.token[:-3] + "abc", folder + "/2")
    print(server.token[:-3] + "abc", file=sys.stderr)
    with two:
        watch.wait("401")
proxy = "http://user:pa55word@127.0.0.1:9"
gone, watch = session(server, server.token, folder + "/3", proxy=proxy)
print("pa55word", file=sys.stderr)
with gone:
    watch.wait("no connection")
gone, watch = session(server, server.token, folder + "/4")
with gone:
    watch.wait("no connection")
print("END")
"""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_full_run_at_debug_prints_no_token(tmp_path: Path) -> None:
    """Calls, downloads, refusals, cuts, a wrong token, a dead server: no token in any output.

    Neither does any file that the run leaves behind hold it.
    """
    script = tmp_path / "run.py"
    script.write_text(RUN)
    done = subprocess.run(
        [sys.executable, "-X", "dev", str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, "PYTHONASYNCIODEBUG": "1", "PYTHONWARNINGS": "default"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.rstrip().endswith("END")
    token_lines = done.stderr.splitlines()
    at = token_lines.index("TOKEN")
    token = token_lines[at + 1]
    hook = "webhook-" + "s3cret" * 3
    secrets = [token.partition(":")[2], token.partition(":")[2][:-3] + "abc", "pa55word", hook]
    told = (token, token[:-3] + "abc", "pa55word", hook)
    others = [line for line in token_lines if line not in told]
    printed = done.stdout + "\n".join(others)
    assert "endpoint `getMe`" in printed, "the library's debug log must be part of what is searched"
    assert not [secret for secret in secrets if secret in printed]
    for file in tmp_path.rglob("*"):
        if file.is_file() and file != script:
            content = file.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], file
