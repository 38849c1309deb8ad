"""The contract between the session and its plugins: every hook on one page.

A plugin is an object whose methods are named like these hooks (or mapped to them by
`meta.implements`). Each may be `def` (it may block; it runs in a thread) or `async def` (it may
not; it runs on the channel's own event loop), and may take fewer arguments than stand here. A hook
that a channel lacks is a capability it lacks. No two calls reach a channel by any other way: the
session calls one channel at a time, by its id.

`session_send`, `session_edit`, `session_delete` and `session_react` tell their outcome so:

    None, True            done
    "17", 17, [17, 18]    done; the platform's message ids
    Sent(ids, detail)     done; with facts for the receipt
    False                 not done, try again
    RateLimited           wait `retry_after` seconds, then try again
    TemporaryError        try again later, with growing pauses
    PermanentError        never try this message again
    AuthError             never try this channel again
    OutcomeUnknown        it left and no answer came
    any other exception   as TemporaryError; its traceback is logged once
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobot_session.messages import IncomingMessage, Media, OutgoingMessage, Receipt, Sent
    from cobot_session.status import Health, Status

PROJECT = "cobot"
CONTRACT = 1
"""Version of this page. It grows when a published channel would have to change."""

SendResult: TypeAlias = "bool | str | int | Sequence[str | int] | Sent | None"

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec(firstresult=True)
def session_receive() -> list[IncomingMessage]:  # type: ignore[empty-body]  # a spec has no body
    """Return what is new: `[]` at once, or wait up to 30 seconds for something.

    The next call acknowledges what the last one returned: only then tell the platform. Whatever
    this call sets in `context.state` is committed together with what it returns, and dropped when
    it raises. Returning is the sign of life; a channel that waits longer has `session_health`.
    """


@hookspec(firstresult=True)
def session_send(message: OutgoingMessage) -> SendResult:
    """Send one part with one call to the platform. `message.id` is the idempotency key."""


@hookspec(firstresult=True)
def session_typing(channel_id: str) -> None:
    """Show that an answer is being written, for `limits.typing_seconds` seconds."""


@hookspec(firstresult=True)
def session_presence(status: str) -> None:
    """Show `online`, `away`, `busy` or `offline`. Called again after every reconnect."""


@hookspec(firstresult=True)
def session_edit(
    channel_id: str, msg_id: str, content: str, message: OutgoingMessage | None
) -> SendResult:
    """Replace the text of a message. A text that is there already is success.

    `message` is the part as it was rendered and stored, with its metadata, also after a restart;
    `content` is its text. It is `None` for a passing look at an answer that is still being written:
    `content` is then what the agent wrote, and not rendered.
    """


@hookspec(firstresult=True)
def session_draft(message: OutgoingMessage) -> bool | None:
    """Show an answer that is being written, without making a message of it.

    For platforms with a preview that vanishes by itself, after `limits.draft_seconds` seconds and
    when the channel sends a message to the chat. `message` is a rendered part, as `session_send`
    would get it; `message.id` names the draft: the next call with the same id, at least
    `limits.edit_seconds` later, takes the place of what is shown, also after a restart. Of a text
    too long for one part the last is shown. What is shown is shown again before it vanishes, and
    the whole answer is then sent by `session_send`.

    Return `False`, without asking the platform, where this chat has no drafts (or raise
    `PermanentError`, where it refuses): this answer is then shown by `session_edit`, if the channel
    has it. After `RateLimited` the next draft waits as told, after another exception for a growing
    pause; the answer waits for neither.
    """


@hookspec(firstresult=True)
def session_delete(channel_id: str, msg_id: str) -> SendResult:
    """Delete a message. One that is gone already is success."""


@hookspec(firstresult=True)
def session_react(channel_id: str, msg_id: str, emoji: str) -> SendResult:
    """React to a message with one emoji; an empty one takes the reaction back."""


@hookspec(firstresult=True)
def session_render(message: OutgoingMessage) -> list[OutgoingMessage]:  # type: ignore[empty-body]
    """Turn one message into parts the platform takes, without I/O. Default: split by `limits`.

    Called once for each message; the parts are stored and are exactly what `session_send` gets.
    """


@hookspec(firstresult=True)
def session_fetch(media: Media) -> bytes:  # type: ignore[empty-body]
    """Download an attachment of a received message."""


@hookspec(firstresult=True)
def session_default_chat() -> str | None:
    """Return where a message without `channel_id` goes when nothing is configured."""


@hookspec(firstresult=True)
def session_health() -> Health:  # type: ignore[empty-body]
    """Tell whether messages can arrive now, from the receive path alone."""


@hookspec(firstresult=True)
def session_on_receive(message: IncomingMessage) -> None:
    """Observe a message that has been stored."""


@hookspec(firstresult=True)
def session_on_send(message: OutgoingMessage, receipt: Receipt) -> None:
    """Observe what became of an outgoing message."""


@hookspec(firstresult=True)
def session_on_status(channel_type: str, status: Status) -> None:
    """Observe a channel's change of state."""


def _spec_names() -> frozenset[str]:
    return frozenset(name for name in globals() if name.startswith("session_"))


HOOKS: frozenset[str] = _spec_names()
OBSERVER_HOOKS: frozenset[str] = frozenset(n for n in HOOKS if n.startswith("session_on_"))
CHANNEL_HOOKS: frozenset[str] = frozenset({"session_receive", "session_send"})
"""A plugin with one of these is a channel."""


def hook_name(point: str) -> str | None:
    """Return the hook that an extension point names (`session.receive`), `None` for another's."""
    prefix, dot, rest = point.partition(".")
    return f"session_{rest}" if dot and prefix == "session" else None
