"""What a plugin is made of: its identity, its physics, and what the session gives it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import pluggy

from cobot_session.hookspecs import CONTRACT, PROJECT

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from pydantic import BaseModel

    from cobot_session.session import Session

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a method as a hook. A method named like a hook is one without it, too."""

State: TypeAlias = MutableMapping[str, Any]
TextUnit: TypeAlias = Literal["utf16", "codepoint", "byte"]


@dataclass(frozen=True, slots=True)
class PluginMeta:
    """A plugin's identity.

    Attributes:
        id: equal to the name of its entry point.
        version: the plugin's own version.
        dependencies: ids of plugins that must be configured and started before it.
        implements: extension point -> method name, for plugins that name their methods freely:
            `{"session.receive": "poll_messages"}`.
        priority: order of configuration among independent plugins; lower is earlier.
        contract: version of the hook contract it was written for.
    """

    id: str
    version: str
    dependencies: tuple[str, ...] | list[str] = ()
    implements: Mapping[str, str] = field(default_factory=dict)
    priority: int = 30
    contract: int = CONTRACT


@dataclass(frozen=True, slots=True)
class Limits:
    """A channel's physics.

    Attributes:
        text: longest text of one part, in `unit`; `None`: any length.
        unit: UTF-16 code units, Unicode code points, or bytes of UTF-8.
        caption: longest text beside an attachment, in `unit`; `None`: as `text`.
        files: attachments one part can carry; 0: none.
        idempotent: a repeat of the same `message.id` has no second effect, so that a send whose
            outcome is unknown is simply tried again.
        typing_seconds: how long one `session_typing` shows.
        edit_seconds: least time between two edits of one message, and between two drafts.
        send_seconds: longest time one send may take before its outcome counts as unknown.
        draft_seconds: how long one `session_draft` shows.
    """

    text: int | None = None
    unit: TextUnit = "codepoint"
    caption: int | None = None
    files: int = 0
    idempotent: bool = False
    typing_seconds: float = 5.0
    edit_seconds: float = 1.0
    send_seconds: float = 120.0
    draft_seconds: float = 30.0


@dataclass(slots=True)
class PluginContext:
    """What the session gives a plugin, before `configure`.

    Attributes:
        channel_type: the plugin's name in `cobot.yml`.
        log: a logger of its own; configured secrets are redacted.
        workspace: a folder of its own; it exists, and only its owner can read it.
        state: a durable mapping of JSON values. What a `session_receive` call sets in it commits
            with the batch that call returns.
        session: the sync face, for `def` hooks; its `aio` is the asyncio face, for `async def`
            hooks. The wrong one raises `WrongFace` at once.
        check_health: has `session_health` asked now instead of in a few seconds: for a plugin that
            learns by itself that its connection has gone or come. From any thread; it returns at
            once and raises nothing.
    """

    channel_type: str
    log: logging.Logger
    workspace: Path
    state: State
    session: Session
    check_health: Callable[[], None] = lambda: None


class Plugin:
    """Base class of plugins. It is a convenience: plugins are told by what they have.

    Attributes:
        meta: who it is.
        limits: what the platform allows.
        config_model: the pydantic model of its settings; what it validated to is `self.config`.
            It may define `access()`, which returns its own keys as access rules: `users`, `chats`,
            `spaces`, `roles` (`space/role`), `open`; `rates: False` when who writes there needs no
            bound. And a classmethod `access_id(kind, value)`, which returns an id of `kind`
            `user`, `chat` or `role` in the form that its messages carry, or raises `ValueError`
            with the rule when it is none (a `PydanticCustomError` may have the fix in its context,
            as `fix`); without, only what looks like a name is refused. And a classmethod
            `target_id(value)`, which raises `ValueError` for a `channel_id` that must not even be
            stored, such as a private key.
        needs_block: it stays `unconfigured` until `cobot.yml` has a block for it.
        context: set by the session before `configure`.
    """

    meta: ClassVar[PluginMeta]
    limits: ClassVar[Limits] = Limits()
    config_model: ClassVar[type[BaseModel] | None] = None
    needs_block: ClassVar[bool] = False
    context: PluginContext
    config: Any

    def configure(self, config: Any) -> Awaitable[None] | None:
        """Take the validated settings: a `config_model`, or a dict for a plugin without one."""
        self.config = config
        return None

    def start(self) -> Awaitable[None] | None:
        """Connect. Called once for each object; a restart makes a new one."""
        return None

    def stop(self) -> Awaitable[None] | None:
        """Let go of everything. Called once, also after a `start` that failed."""
        return None
