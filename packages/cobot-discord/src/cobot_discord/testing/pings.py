"""Whom a message notifies.

https://discord.com/developers/docs/resources/message#allowed-mentions-object
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_discord.testing.model import Message
    from cobot_discord.testing.payloads import Payload

_MENTION = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_LOUD = re.compile(r"@(everyone|here)\b")


def pings(message: Message, allowed: Payload | None, *, ping: bool) -> list[str]:
    """Return whom a message notifies: user ids, role ids, `@everyone`, `@here`.

    Args:
        message: its text, and what it answers.
        allowed: an `allowed_mentions` object; none: everything that is written pings.
        ping: without one, a reply notifies the author of what it answers.
    """
    if allowed is None:
        allowed = {"parse": ["users", "roles", "everyone"], "replied_user": ping}
    parse = allowed.get("parse", [])
    people = _chosen(_MENTION.findall(message.content), "users", parse, allowed)
    roles = _chosen(_ROLE.findall(message.content), "roles", parse, allowed)
    loud = [f"@{word}" for word in _LOUD.findall(message.content) if "everyone" in parse]
    if message.reply_to and allowed.get("replied_user"):
        people.append(message.reply_to.author.id)
    return list(dict.fromkeys(people + roles + loud))


def _chosen(found: list[str], kind: str, parse: list[str], allowed: Payload) -> list[str]:
    return found if kind in parse else [each for each in found if each in allowed.get(kind, [])]
