"""The Bot API, through python-telegram-bot, in the session's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from telegram.constants import ReactionEmoji

from cobot_session.errors import PermanentError
from cobot_telegram.addresses import chat_and_topic, draft_number, message_number
from cobot_telegram.bot import RawBot
from cobot_telegram.facts import Me
from cobot_telegram.fields import if_readable
from cobot_telegram.pace import Pace
from cobot_telegram.parse import ALLOWED_UPDATES
from cobot_telegram.refusals import Translator
from cobot_telegram.request import AiohttpRequest, NoAnswer, Refused
from cobot_telegram.sender import Sender

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from cobot_session.messages import Media, OutgoingMessage
    from cobot_telegram.config import TelegramConfig, Webhook
    from cobot_telegram.entities import Entity

_VARIATION = "\ufe0f"
_REACTIONS = {str(e.value).replace(_VARIATION, ""): str(e.value) for e in ReactionEmoji}


@dataclass(frozen=True, slots=True)
class WebhookState:
    """What Telegram says of its deliveries.

    Attributes:
        url: where they go; empty: nowhere.
        pending: updates that wait.
        failed_at: seconds since 1970 of the last delivery that failed.
        error: why it failed.
    """

    url: str
    pending: int
    failed_at: float | None
    error: str | None


class Client:
    """One bot's calls. What goes wrong is raised as the session's `ChannelError`s.

    Args:
        config: the channel's settings.
        token_field: where the token stands, for an error to name.
        state: the channel's durable state: where groups have moved to.
    """

    def __init__(
        self, config: TelegramConfig, token_field: str, state: MutableMapping[str, Any]
    ) -> None:
        proxy = config.proxy.get_secret_value() if config.proxy else None
        self._config = config
        self._state = state
        self._request = AiohttpRequest(proxy)
        token = config.bot_token.get_secret_value()
        self._bot = RawBot(token, config.api_url, self._request, AiohttpRequest(proxy))
        self._pace = Pace(strict=config.rates == "strict")
        self._translator = Translator(token_field, self._pace, config.api_url)
        self._sender = Sender(self._bot, self._pace, config)
        self._earlier: dict[str, str] | None = None

    async def open(self) -> Me:
        """Connect and return who the bot is."""
        with self._translator.call():
            await self._bot.initialize()
        return Me(self._bot.id, self._bot.username)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._bot.shutdown()

    # -- receiving

    async def updates(self, offset: int | None, seconds: int) -> list[Any]:
        """Return updates as they came; asking with an offset confirms what lies below it."""
        with self._translator.call():
            return await self._bot.raw_updates(offset, seconds)

    async def set_webhook(self, webhook: Webhook) -> None:
        """Let Telegram push updates; what is waiting is not thrown away."""
        with self._translator.call():
            await self._bot.set_webhook(
                webhook.url,
                secret_token=webhook.secret.get_secret_value(),
                allowed_updates=ALLOWED_UPDATES,
                max_connections=webhook.max_connections,
            )

    async def delete_webhook(self) -> None:
        """Let Telegram keep updates until they are asked for."""
        with self._translator.call():
            await self._bot.delete_webhook()

    async def webhook_state(self) -> WebhookState:
        """Return what Telegram says of its deliveries."""
        with self._translator.call():
            info = await self._bot.call("getWebhookInfo", {})
            if not isinstance(info, dict):
                raise NoAnswer("the answer tells of no webhook")
        return WebhookState(
            url=str(info.get("url") or ""),
            pending=if_readable(int, info.get("pending_update_count")) or 0,
            failed_at=if_readable(float, info.get("last_error_date")),
            error=str(info.get("last_error_message") or ""),
        )

    async def answer_press(self, query_id: str) -> None:
        """Tell the app of who pressed a button that it was seen."""
        with self._translator.call(query_id):
            await self._bot.answer_callback_query(query_id)

    async def download(self, media: Media) -> bytes:
        """Return an attachment's bytes.

        Raises:
            PermanentError: it has no id, or is larger than `max_download`.
        """
        if not media.id:
            raise PermanentError("this attachment has no file id, so Telegram cannot give it")
        limit = self._config.max_download
        if (media.size or 0) <= limit:
            with self._translator.call(media.id):
                file = await self._bot.call("getFile", {"file_id": media.id})
                address = f"{self._bot.base_file_url}/{quote(_file_path(file))}"
                data = await self._request.download(address, limit)
            if data is not None:
                return data
        raise PermanentError(f"the attachment is larger than `max_download` ({limit} bytes)")

    # -- sending

    async def send(self, part: OutgoingMessage) -> list[int]:
        """Send one part and return the ids of the messages it became."""
        chat, topic = self._place(part.channel_id)
        with self._translator.call(chat, unsure=True):
            try:
                return await self._sender.send(chat, topic, part)
            except Refused as refusal:
                if refusal.migrate_to is None:
                    raise
                self.moved(str(chat), str(refusal.migrate_to))
                return await self._sender.send(refusal.migrate_to, topic, part)

    async def edit(
        self, address: str, message_id: str, text: str, entities: Sequence[Entity]
    ) -> None:
        """Replace a message's text, or its caption."""
        chat, _ = self._place(address)
        with self._translator.call(chat):
            try:
                await self._bot.call(
                    "editMessageText",
                    {
                        "chat_id": chat,
                        "message_id": message_number(message_id),
                        "text": text,
                        "entities": list(entities) or None,
                        "link_preview_options": self._sender.preview(None),
                    },
                )
            except Refused as refusal:
                if _says(refusal, "no text in the message"):
                    await self._edit_caption(chat, message_id, text, entities)
                elif not _says(refusal, "message is not modified"):
                    raise

    async def _edit_caption(
        self, chat: int | str, message_id: str, text: str, entities: Sequence[Entity]
    ) -> None:
        try:
            await self._bot.call(
                "editMessageCaption",
                {
                    "chat_id": chat,
                    "message_id": message_number(message_id),
                    "caption": text,
                    "caption_entities": list(entities) or None,
                },
            )
        except Refused as refusal:
            if not _says(refusal, "message is not modified"):
                raise

    async def draft(self, part: OutgoingMessage) -> None:
        """Show a part of an answer that is being written; a private chat shows it for 30 s."""
        chat, topic = self._place(part.channel_id)
        with self._translator.call(chat):
            await self._bot.call(
                "sendMessageDraft",
                {
                    "chat_id": chat,
                    "message_thread_id": topic,
                    "draft_id": draft_number(part.id),
                    "text": part.content,
                    "entities": part.metadata.get("entities") or None,
                },
            )

    async def delete(self, address: str, message_id: str) -> None:
        """Delete a message; one that is gone already is deleted."""
        chat, _ = self._place(address)
        with self._translator.call(chat):
            try:
                await self._bot.delete_message(chat, message_number(message_id))
            except Refused as refusal:
                if not _says(refusal, "message to delete not found"):
                    raise

    async def react(self, address: str, message_id: str, emoji: str) -> None:
        """React to a message, or take the reaction back.

        Raises:
            PermanentError: bots cannot react with this emoji.
        """
        chat, _ = self._place(address)
        wanted = _REACTIONS.get(emoji.replace(_VARIATION, ""))
        if emoji and wanted is None:
            raise PermanentError(
                f"Telegram has no reaction {emoji!r}. Bots react with one of: "
                + " ".join(_REACTIONS.values())
            )
        with self._translator.call(chat):
            await self._bot.set_message_reaction(chat, message_number(message_id), wanted)

    async def typing(self, address: str) -> None:
        """Show that the bot is typing, for five seconds."""
        chat, topic = self._place(address)
        with self._translator.call(chat):
            await self._bot.send_chat_action(chat, "typing", message_thread_id=topic)

    # -- places

    def moved(self, old: str, new: str) -> None:
        """Remember that a group has become a supergroup."""
        self._state["moved"] = {**self._state.get("moved", {}), old: new}
        self._earlier = None

    def earlier(self, chat: str) -> str:
        """Return the id that a supergroup had before it became one, or the id it has."""
        if self._earlier is None:
            self._earlier = {new: old for old, new in self._state.get("moved", {}).items()}
        return self._earlier.get(chat, chat)

    def _place(self, address: str) -> tuple[int | str, int | None]:
        chat, topic = chat_and_topic(address)
        new = self._state.get("moved", {}).get(str(chat))
        return (int(new) if new else chat), topic


def _file_path(file: Any) -> str:
    """Return where a file lies below the server's address of files.

    Raises:
        PermanentError: it cannot be had from there.
    """
    path = file.get("file_path") if isinstance(file, dict) else None
    if not isinstance(path, str) or not path:
        raise PermanentError("Telegram does not say where this attachment lies")
    if path.startswith("/"):
        raise PermanentError(
            "the Bot API server keeps its files for programs on its own machine: start it "
            "without `--local`"
        )
    if ".." in path.split("/") or not path.isprintable():
        raise PermanentError("the Bot API server names no file, but a way to somewhere else")
    return path


def _says(refusal: Refused, words: str) -> bool:
    return words in refusal.description.lower()
