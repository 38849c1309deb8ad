"""Ids in access rules: stable ones only, in the form in which messages carry them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic_core import PydanticCustomError

from cobot_session.config.remaining import REFUSED
from cobot_session.config.settings import AccessSettings, CommonSettings, UserRule
from cobot_session.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from cobot_session.config.load import Block, Config
    from cobot_session.config.places import Steps
    from cobot_session.errors import Problem

IdKind: TypeAlias = Literal["user", "chat", "role"]

_NAME = re.compile(r"@[^:]*")
"""`@name` is a name; `@name:server` is an id on some networks."""
_FIXES: dict[IdKind, str] = {
    "user": "Write the person's id: the log names it when they write, and `pair add` takes it.",
    "chat": "Write the chat's id: the log names it when somebody writes there.",
    "role": "Write `SPACE/ROLE`, both as ids: a role counts in its own guild only.",
}


def access_id(model: type[BaseModel] | None, kind: IdKind, value: str) -> str:
    """Return an id in the form in which the channel's messages carry it.

    Args:
        model: the channel's `config_model`; its `access_id(kind, value)` has the say, where it
            has one.
        kind: whose id it is.
        value: as a person wrote it.

    Raises:
        ValueError: it is no id, such as a display name; the text is the rule. A
            `PydanticCustomError` has the fix in its context, where the usual one does not help.
    """
    value = value.strip()
    form = getattr(model, "access_id", None)
    if callable(form):
        return str(form(kind, value))
    if not value or _NAME.fullmatch(value) or not value.isprintable() or " " in value:
        raise ValueError("is a name, not an id: a name can be changed, and taken by a stranger")
    space, slash, role = value.partition("/")
    if kind == "role" and not (space and slash and role):
        raise ValueError("names a role without its space")
    return value


def target_id(model: type[BaseModel] | None, value: str) -> str:
    """Return where a message is to go, as it may be stored.

    Args:
        model: the channel's `config_model`; its classmethod `target_id(value)` has the say, where
            it has one.
        value: a `channel_id`, as the agent or a person wrote it.

    Raises:
        ValueError: it must not be stored or shown, such as a private key; the text says so without
            repeating it.
    """
    form = getattr(model, "target_id", None)
    return str(form(value)) if callable(form) else value


def checked_common(config: Config, block: Block, model: type[BaseModel] | None) -> CommonSettings:
    """Return a block's common settings with every id checked, in its normal form.

    Raises:
        ConfigError: every value that is no id, each with its place.
    """
    problems: list[Problem] = []
    default_chat = block.common.default_chat
    try:
        default_chat = default_chat and target_id(model, default_chat)
    except ValueError as error:
        rule, fix = _rule_and_fix(error, "chat")
        problems.append(config.problem_at((*block.steps, "default_chat"), rule, fix))
    try:
        access = _checked_access(config, block, model)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    if problems:
        raise ConfigError(problems)
    return block.common.model_copy(update={"access": access, "default_chat": default_chat})


def _checked_access(config: Config, block: Block, model: type[BaseModel] | None) -> AccessSettings:
    """Return a block's access rules with every id in its normal form.

    Raises:
        ConfigError: every value that is no id, each with its place.
    """
    checking = _Checking(config, (*block.steps, "access"), model)
    access = block.common.access
    checked = access.model_copy(
        update={
            "users": list(checking.people(access.users)),
            "chats": checking.ids("chat", access.chats, ("chats",)),
            "roles": checking.ids("role", access.roles, ("roles",)),
            "send_to": _targets(checking, access),
        }
    )
    if checking.problems:
        raise ConfigError(checking.problems)
    return checked


def _targets(checking: _Checking, access: AccessSettings) -> list[str] | None:
    if access.send_to in (None, ["any"]):
        return access.send_to
    return checking.ids("chat", access.send_to or [], ("send_to",))


class _Checking:
    def __init__(self, config: Config, steps: Steps, model: type[BaseModel] | None) -> None:
        self.problems: list[Problem] = []
        self._config = config
        self._steps = steps
        self._model = model

    def people(self, users: list[Any]) -> Iterator[str | UserRule]:
        for at, one in enumerate(users):
            if isinstance(one, UserRule):
                chats = self.ids("chat", one.chats, ("users", at, "chats"))
                yield UserRule(id=self._id("user", one.id, ("users", at, "id")), chats=chats)
            else:
                yield self._id("user", one, ("users", at))

    def ids(self, kind: IdKind, values: list[str], steps: Steps) -> list[str]:
        return [self._id(kind, value, (*steps, at)) for at, value in enumerate(values)]

    def _id(self, kind: IdKind, value: str, steps: Steps) -> str:
        if value == REFUSED:  # told already
            return value
        try:
            return access_id(self._model, kind, value)
        except ValueError as error:
            rule, fix = _rule_and_fix(error, kind)
            self.problems.append(self._config.problem_at((*self._steps, *steps), rule, fix))
            return value


def _rule_and_fix(error: ValueError, kind: IdKind) -> tuple[str, str]:
    context = error.context if isinstance(error, PydanticCustomError) else None
    return str(error).rstrip("."), str((context or {}).get("fix") or _FIXES[kind])
