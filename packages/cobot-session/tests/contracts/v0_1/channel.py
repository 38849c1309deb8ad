"""A channel and an observer as they were written for contract 1 of cobot-session 0.1.

Frozen: this file is never changed. What it does with a folder is all that it knows of the world.
"""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from cobot_session import (
    AuthError,
    Health,
    IncomingMessage,
    Limits,
    Media,
    OutcomeUnknown,
    OutgoingMessage,
    PermanentError,
    Plugin,
    PluginMeta,
    RateLimited,
    Receipt,
    Sent,
    Status,
    TemporaryError,
    hookimpl,
)

ERRORS = {
    "limited": RateLimited(0.1, scope="channel"),
    "later": TemporaryError("later"),
    "never": PermanentError("never"),
    "unknown": OutcomeUnknown("no answer"),
    "refused": AuthError("the token is refused"),
}
RESULTS = {
    "none": None,
    "true": True,
    "number": 17,
    "list": ["18", 19],
    "sent": Sent(("20",), {"relay": "took it"}),
}


class FolderConfig(BaseModel):
    folder: Path
    token: SecretStr
    people: list[str] = []

    def access(self) -> dict[str, Any]:
        return {"users": self.people}


class Deeds:
    """Writes down what was done, a JSON value on each line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, *deed: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(deed) + "\n")


class Folder(Plugin):
    """Takes messages from `in.jsonl`, one a line; writes what it is asked for to `deeds.jsonl`."""

    meta = PluginMeta(
        id="folder",
        version="1.2.3",
        dependencies=("session", "watcher"),
        implements={"session.delete": "takes_away"},
        priority=31,
        contract=1,
    )
    limits = Limits(
        text=12,
        unit="byte",
        caption=6,
        files=1,
        idempotent=False,
        typing_seconds=4.0,
        edit_seconds=0.0,
        send_seconds=20.0,
    )
    config_model = FolderConfig
    needs_block = True

    def configure(self, config: FolderConfig) -> None:
        self.config = config
        self.deeds = Deeds(config.folder / "deeds.jsonl")

    async def start(self) -> None:
        self.context.log.debug("%s in %s", self.context.channel_type, self.context.workspace)
        assert self.context.workspace.is_dir()
        assert self.config.token.get_secret_value() == "a-token"
        self.acknowledged = 0
        self.failed: set[str] = set()
        self.deeds.add("start")

    def stop(self) -> None:
        self.deeds.add("stop")

    def session_receive(self) -> list[IncomingMessage]:
        after = self.context.state.get("after", 0)
        if after > self.acknowledged:
            self.acknowledged = after
            self.deeds.add("acknowledged", after)
        source = self.config.folder / "in.jsonl"
        lines = source.read_text(encoding="utf-8").splitlines() if source.exists() else []
        if len(lines) > after:
            self.context.state["after"] = len(lines)
        return [self._message(json.loads(line)) for line in lines[after:]]

    async def session_send(self, message: OutgoingMessage) -> Any:
        if message.content not in self.failed:
            self.failed.add(message.content)
            if message.content in ERRORS:
                raise ERRORS[message.content]
            if message.content == "false":
                return False
        await asyncio.sleep(0)
        media = [str(one.path) for one in message.media]
        self.deeds.add("send", message.channel_id, message.content, message.reply_to, media)
        return RESULTS.get(message.content, f"id of {message.content}")

    @hookimpl
    async def session_typing(self, channel_id: str) -> None:
        self.deeds.add("typing", channel_id)

    def session_presence(self, status: str) -> None:
        self.deeds.add("presence", status)

    def session_edit(self, msg_id: str, content: str) -> bool:
        self.deeds.add("edit", msg_id, content)
        return True

    async def takes_away(self, channel_id: str, msg_id: str) -> None:
        self.deeds.add("delete", channel_id, msg_id)

    async def session_react(self, channel_id: str, msg_id: str, emoji: str) -> None:
        self.deeds.add("react", channel_id, msg_id, emoji)

    def session_render(self, message: OutgoingMessage) -> list[OutgoingMessage]:
        words = message.content.split("|")
        return [
            OutgoingMessage(
                message.channel_type,
                message.channel_id,
                word,
                None if number else message.reply_to,
                [] if number else message.media,
                dict(message.metadata),
            )
            for number, word in enumerate(words)
        ]

    def session_fetch(self, media: Media) -> bytes:
        content: bytes = (self.config.folder / str(media.id)).read_bytes()
        return content

    async def session_default_chat(self) -> str | None:
        return "home"

    def session_health(self) -> Health:
        return Health(ok=True, detail="the folder is there", latency=0.5)

    def _message(self, line: dict[str, Any]) -> IncomingMessage:
        return IncomingMessage(
            line["id"],
            "folder",
            line["chat"],
            line["sender"],
            line["sender"].title(),
            line["text"],
            datetime.fromtimestamp(1_700_000_000, UTC),
            line.get("reply_to"),
            [Media("image", id=one, filename=one) for one in line.get("files", [])],
            {"line": line["id"]},
            kind=line.get("kind", "message"),
            key=line["id"],
            direct=True,
            space_id="space",
            roles=["role"],
        )


class Watcher(Plugin):
    """An observer that writes down what it is told."""

    meta = PluginMeta("watcher", "1.0.0", contract=1)

    def configure(self, config: dict[str, Any]) -> None:
        self.deeds = Deeds(Path(config["folder"]) / "news.jsonl")

    def session_on_receive(self, message: IncomingMessage) -> None:
        self.deeds.add("receive", message.channel_type, message.id)

    async def session_on_send(self, message: OutgoingMessage, receipt: Receipt) -> None:
        self.deeds.add("send", message.content, receipt.status, list(receipt.message_ids))

    def session_on_status(self, channel_type: str, status: Status) -> None:
        self.deeds.add("status", channel_type, status.state)
