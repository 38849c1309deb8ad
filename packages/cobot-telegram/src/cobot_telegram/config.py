"""The settings of a Telegram block in `cobot.yml`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from cobot_session.errors import PermanentError
from cobot_telegram.addresses import NO_CHAT, chat_and_topic

OFFICIAL_API = "https://api.telegram.org"
_TOKEN = re.compile(r"[0-9]{3,}:[A-Za-z0-9_-]{30,}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")
_PERSON = re.compile(r"-?[0-9]{1,20}")
_CHAT = re.compile(r"-?[0-9]{1,20}(?:/[0-9]{1,20})?")
_GROUP = re.compile(r"-[0-9]{4,}(?:/[0-9]+)?")


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_text)]


class Settings(BaseModel):
    """Unknown keys are mistakes, and no error repeats a value that may be secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Group(Settings):
    """A group, supergroup or channel in which everybody may reach the agent."""

    id: Id = Field(
        description="Id of the group: negative, of a supergroup `-100…`.",
        examples=["-1001234567890"],
    )
    name: str = Field("", description="For people; never used to tell who is who.")

    @field_validator("id")
    @classmethod
    def _is_a_group(cls, value: str) -> str:
        if not _GROUP.fullmatch(value):
            raise ValueError(
                "a group's id is negative, of a supergroup or channel it begins with -100; "
                "the log names the id when somebody writes there"
            )
        return value


class Webhook(Settings):
    """Where Telegram pushes updates, instead of being asked for them."""

    url: str = Field(description="The public address, https, as Telegram reaches it.")
    secret: SecretStr = Field(
        description="16 to 256 letters, digits, `_` and `-`; Telegram sends it with each update."
    )
    listen: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8443, ge=0, le=65535, description="Port to listen on.")
    path: str = Field("", description="Path to listen at; default: that of `url`.")
    max_connections: int = Field(40, ge=1, le=100, description="Deliveries side by side.")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("Telegram delivers to https addresses only")
        return value

    @field_validator("secret")
    @classmethod
    def _is_a_secret(cls, value: SecretStr) -> SecretStr:
        if not _SECRET.fullmatch(value.get_secret_value()):
            raise ValueError("a secret has 16 to 256 letters, digits, `_` and `-`")
        return value

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError("a path begins with /")
        return value

    @property
    def route(self) -> str:
        """The path to listen at."""
        return self.path or urlsplit(self.url).path or "/"


class TelegramConfig(Settings):
    """The block `plugins.telegram`."""

    bot_token: SecretStr = Field(description="From @BotFather, such as `123456:ABC…`.")
    groups: list[Group] = Field([], description="Groups in which everybody may reach the agent.")
    api_url: str = Field(
        OFFICIAL_API, description="Address of a Bot API server of one's own, without the token."
    )
    proxy: SecretStr | None = Field(None, description="An http proxy, such as `http://host:3128`.")
    webhook: Webhook | None = Field(None, description="Be pushed updates instead of asking.")
    rates: Literal["adaptive", "strict"] = Field(
        "adaptive",
        description="adaptive: slow down when Telegram asks for it. strict: always keep to the"
        " published limits.",
    )
    link_previews: bool = Field(True, description="Show previews of links.")
    silent: bool = Field(False, description="Send without a notification.")
    streaming: Literal["edit", "draft"] = Field(
        "edit",
        description="How an answer is shown while it grows. edit: a message that is edited. draft:"
        " in private chats a draft, which leaves one message in the end; edits elsewhere.",
    )
    max_download: int = Field(
        20_000_000, ge=1, description="Bytes an attachment may have; Telegram's own limit is 20 MB."
    )
    album_wait: float = Field(
        0.6, ge=0, le=10, description="Seconds without a further picture that end an album."
    )

    @field_validator("bot_token")
    @classmethod
    def _is_a_token(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError(
                "a bot token is digits, a colon and at least 30 letters, digits, `_` or `-`; "
                "@BotFather shows it"
            )
        return value

    @field_validator("api_url")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        parts = urlsplit(value)
        if _TOKEN.search(value) or parts.username is not None:
            raise ValueError("the address holds no secret: the token stands in `bot_token` alone")
        if parts.scheme not in {"http", "https"} or not _reachable(parts):
            raise ValueError("an address such as `http://127.0.0.1:8081` is wanted")
        if parts.query or parts.fragment:
            raise ValueError("an address without `?` and `#` is wanted")
        return value.rstrip("/").removesuffix("/bot")

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value()) if value is not None else None
        if parts is not None and (parts.scheme != "http" or not _reachable(parts)):
            raise ValueError("an http proxy such as `http://127.0.0.1:3128` is wanted")
        return value

    @classmethod
    def access_id(cls, kind: str, value: str) -> str:
        """Return the number of a person, a chat, or a chat's topic (`chat/topic`).

        Raises:
            ValueError: it is a username, or something else that is no number.
        """
        form = {"user": _PERSON, "chat": _CHAT}.get(kind)
        if form is None:
            raise PydanticCustomError("role", "Telegram has no roles", {"fix": "Take `roles` out."})
        if not form.fullmatch(value):
            raise ValueError("is no Telegram id: that is a number; a @username can change hands")
        return value

    @classmethod
    def target_id(cls, value: str) -> str:
        """Return where a message is to go, as it is.

        Raises:
            ValueError: it is no address of a Telegram chat; the text does not repeat it.
        """
        try:
            chat_and_topic(value)
        except PermanentError:
            raise ValueError(NO_CHAT) from None
        return value

    def access(self) -> dict[str, list[str]]:
        """Return the access rules that stand in the channel's own keys.

        A group that has become a supergroup keeps its old id as `space_id`, and so its access.
        """
        ids = [group.id for group in self.groups]
        return {"chats": ids, "spaces": [one for one in ids if "/" not in one]}


def _reachable(parts: SplitResult) -> bool:
    """Tell whether an address names a host and, if any, a port that can be."""
    try:
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
