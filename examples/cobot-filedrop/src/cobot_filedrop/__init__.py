"""A channel of files: drop one into `in`, find the answer in `out`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cobot_filedrop.folder import Dropped, Folder
from cobot_session import IncomingMessage, Limits, OutgoingMessage, Plugin, PluginMeta


class FileDropConfig(BaseModel):
    path: Path

    def access(self) -> dict[str, Any]:
        return {"open": True, "rates": False}  # the folder is its owner's


class FileDrop(Plugin):
    meta = PluginMeta(id="filedrop", version="0.1.0", contract=1)
    limits = Limits(idempotent=True)
    config_model = FileDropConfig

    def start(self) -> None:
        self.folder = Folder(self.config.path, self.context.log)
        self.returned: list[Dropped] = []

    def session_receive(self) -> list[IncomingMessage]:
        while self.returned:  # they have been stored, or this call would not be
            self.returned.pop().is_done()
        self.returned = self.folder.dropped()
        return [self._message(file) for file in self.returned]

    def session_send(self, message: OutgoingMessage) -> str:
        text, quotes = message.content, message.reply_to
        return self.folder.write(message.channel_id, message.id, text=text, reply_to=quotes)

    def session_edit(self, channel_id: str, msg_id: str, content: str) -> str:
        return self.folder.change(channel_id, msg_id, text=content)

    def session_delete(self, channel_id: str, msg_id: str) -> None:
        self.folder.remove(channel_id, msg_id)

    def session_react(self, channel_id: str, msg_id: str, emoji: str) -> None:
        self.folder.react(channel_id, msg_id, emoji)

    def _message(self, file: Dropped) -> IncomingMessage:
        sent = datetime.fromtimestamp(file.time, UTC)
        who = file.sender, file.sender
        message = IncomingMessage(file.id, "filedrop", file.chat, *who, file.text, sent)
        message.reply_to, message.key = file.reply_to, file.key
        return message
