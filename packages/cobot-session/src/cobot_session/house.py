"""What every supervisor of one session shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cobot_session.config import SessionSettings
    from cobot_session.inbox import Inbox
    from cobot_session.messages import Receipt
    from cobot_session.plugin import PluginContext, State
    from cobot_session.spool import Item, Spool
    from cobot_session.status import Status
    from cobot_session.timers import Timers


@dataclass(slots=True)
class House:
    """The parts of a session that its plugins work with.

    Attributes:
        settings: of the session.
        spool: the durable store.
        inbox: what has arrived.
        timers: for what is due later.
        context: makes a plugin's context from its name and its state.
        tell: tells every observer: the hook's name and its arguments.
        on_status: told of each change of a plugin's state, and of each new trouble.
        on_end: told of each item that is at an end.
        told: returns what others say, in a bounded line without secrets.
        states: what each plugin's state was when the spool was opened.
        heard: the chats that each channel had heard from when the spool was opened.
        drops: whom each channel had refused last, then.
        presence: the presence wished for.
    """

    settings: SessionSettings
    spool: Spool
    inbox: Inbox
    timers: Timers
    context: Callable[[str, State], PluginContext]
    tell: Callable[..., None]
    on_status: Callable[[str, Status], None]
    on_end: Callable[[Item, Receipt], None]
    told: Callable[[object], str]
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: dict[str, list[str]] = field(default_factory=dict)
    drops: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    presence: str = "online"
