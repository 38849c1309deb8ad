"""What becomes a hook, and what is refused with a remedy."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import pytest

from cobot_session.errors import PluginError
from cobot_session.hooks import bind, hooks_of
from cobot_session.plugin import Plugin, PluginMeta, hookimpl


class Undecorated:
    def session_send(self, message):
        return f"sent {message}"


class Decorated:
    @hookimpl
    def session_send(self, message):
        return f"sent {message}"


class Renamed:
    @hookimpl(specname="session_send")
    def post(self, message):
        return f"sent {message}"


class Mapped:
    meta = PluginMeta("mapped", "1", implements={"session.send": "post", "loop.on_message": "x"})

    def post(self, message):
        return f"sent {message}"


class MappedAndDecorated:
    meta = PluginMeta("mapped", "1", implements={"session.send": "post"})

    @hookimpl
    def post(self, message):
        return f"sent {message}"


class Foreign:
    """Its meta is not ours, as in channels written for another agent."""

    meta = SimpleNamespace(id="foreign", version="1", implements={"session.send": "_post"})

    def _post(self, message):
        return f"sent {message}"


class Static:
    @staticmethod
    def session_send(message):
        return f"sent {message}"


class DecoratedStatic:
    @hookimpl
    @staticmethod
    def session_send(message):
        return f"sent {message}"


class OfAClass:
    @classmethod
    def session_send(cls, message):
        return f"sent {message}"


def passed_on(function):
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Wrapped:
    @passed_on
    def session_send(self, message):
        return f"sent {message}"


class Inherited(Undecorated, Plugin):
    meta = PluginMeta("inherited", "1")


class PerObject:
    def __init__(self):
        self.session_send = lambda message: f"sent {message}"


@pytest.mark.parametrize(
    "plugin",
    [
        Undecorated,
        Decorated,
        Renamed,
        Mapped,
        MappedAndDecorated,
        Foreign,
        Static,
        DecoratedStatic,
        OfAClass,
        Wrapped,
        Inherited,
        PerObject,
    ],
)
def test_every_form_is_the_same_registration(plugin):
    """Named, decorated, renamed, mapped, static, inherited: pluggy calls the method."""
    manager = bind(plugin())
    assert hooks_of(manager) == {"session_send"}
    assert manager.hook.session_send(message="hello") == "sent hello"


def test_fewer_arguments():
    """A hook may leave out arguments it does not need."""

    class Plain:
        def session_react(self, emoji):
            return emoji

    manager = bind(Plain())
    assert manager.hook.session_react(channel_id="1", msg_id="2", emoji="🎉") == "🎉"


def test_own_optional_arguments_stay():
    """An optional argument that is no hook argument keeps its default."""

    class Plain:
        def session_receive(self, timeout_seconds=30):
            return [timeout_seconds]

    assert bind(Plain()).hook.session_receive() == [30]


def test_async_hooks_return_their_coroutine():
    """`async def` is a hook like any other; the caller awaits it."""

    class Plain:
        async def session_receive(self):
            return []

    coroutine = bind(Plain()).hook.session_receive()
    coroutine.close()


def test_properties_are_not_run():
    """Looking for hooks runs no property, so one that raises does no harm."""

    class Touchy:
        @property
        def session_factory(self):
            raise RuntimeError("too early")

        @property
        def broken(self):
            raise RuntimeError("too early")

        def session_receive(self):
            return []

    assert hooks_of(bind(Touchy())) == {"session_receive"}


def test_none_takes_a_capability_back():
    """A subclass says with `session_send = None` that it cannot do that."""

    class ReadOnly(Undecorated):
        session_send = None

        def session_receive(self):
            return []

    assert hooks_of(bind(ReadOnly())) == {"session_receive"}


def test_optional_hooks_of_another_version():
    """`hookimpl(optionalhook=True)` names a hook that this version may not have."""

    class Newer:
        @hookimpl(optionalhook=True)
        def session_pin(self, msg_id):
            return None

    assert hooks_of(bind(Newer())) == set()


def test_data_attributes_are_free():
    """Only methods are looked at: `session_timeout = 5` is nobody's hook."""

    class Plain:
        session_timeout = 5

    assert hooks_of(bind(Plain())) == set()


class Misspelt:
    def session_recieve(self):
        return []


class MisspeltDecorated:
    @hookimpl
    def sesion_send(self, message):
        return None


class Nothing:
    def session_teleport(self):
        return None


class WrongArgument:
    def session_edit(self, chanel_id, msg_id, content):
        return None


class WrongOptionalArgument:
    def session_edit(self, channel_id, msg_id, contents=""):
        return None


class DefaultArgument:
    def session_react(self, channel_id, msg_id, emoji=""):
        return None


class KeywordArgument:
    def session_send(self, *, message):
        return None


class Variadic:
    def session_send(self, *args):
        return None


class VariadicKeywords:
    def session_send(self, **kwargs):
        return None


class Wrapper:
    @hookimpl(wrapper=True)
    def session_send(self, message):
        return (yield)


class OldWrapper:
    @hookimpl(hookwrapper=True)
    def session_send(self, message):
        yield


class First:
    @hookimpl(tryfirst=True)
    def session_send(self, message):
        return None


class Last:
    @hookimpl
    @staticmethod
    def session_send(message):
        return None

    @hookimpl(trylast=True)
    def session_receive(self):
        return []


class Generator:
    def session_receive(self):
        yield 1


class AsyncGenerator:
    async def session_receive(self):
        yield 1


class Twice:
    meta = PluginMeta("twice", "1", implements={"session.send": "post"})

    def post(self, message):
        return None

    def session_send(self, message):
        return None


class OneForTwo:
    meta = PluginMeta("one", "1", implements={"session.on_send": "note", "session.send": "note"})

    def note(self, message):
        return None


class NamedForAnother:
    meta = PluginMeta("other", "1", implements={"session.send": "session_receive"})

    def session_receive(self):
        return []


class UnknownPoint:
    meta = PluginMeta("points", "1", implements={"session.recieve": "poll"})

    def poll(self):
        return []


class NoMethod:
    meta = PluginMeta("none", "1", implements={"session.receive": "poll"})


class NotAMap:
    meta = SimpleNamespace(id="x", version="1", implements=["session.receive"])


class NotAMethod:
    session_send = 5


@pytest.mark.parametrize(
    ("plugin", "reason", "remedy"),
    [
        (Misspelt, "`session_recieve` is an unknown hook", "`session_receive`?"),
        (MisspeltDecorated, "`sesion_send` is an unknown hook", "`session_send`?"),
        (Nothing, "`session_teleport` is an unknown hook", "cobot_session.hookspecs"),
        (WrongArgument, "unknown argument `chanel_id`", "Did you mean `channel_id`?"),
        (WrongOptionalArgument, "unknown argument `contents`", "Did you mean `content`?"),
        (DefaultArgument, "`emoji` of `session_react` would never be filled", "default"),
        (KeywordArgument, "`message` of `session_send` would never be filled", "after `*`"),
        (Variadic, "`session_send` takes `*args`", "functools.wraps"),
        (VariadicKeywords, "`session_send` takes `**kwargs`", "takes `message`"),
        (Wrapper, "declared with `wrapper`", "plain `@hookimpl`"),
        (OldWrapper, "declared with `hookwrapper`", "plain `@hookimpl`"),
        (First, "declared with `tryfirst`", "plain `@hookimpl`"),
        (Last, "declared with `trylast`", "plain `@hookimpl`"),
        (Generator, "`session_receive` is a generator", "instead of yielding"),
        (AsyncGenerator, "`session_receive` is a generator", "instead of yielding"),
        (Twice, "`session_send`", "Keep one"),
        (OneForTwo, "`session_on_send` and `session_send` to `note`", "method of its own"),
        (NamedForAnother, "`session_receive` and `session_send` at once", "a name of its own"),
        (UnknownPoint, "unknown extension point `session.recieve`", "`session.receive`?"),
        (NoMethod, "maps `session.receive` to `poll`", "Write `poll`"),
        (NotAMap, "`meta.implements` is not a mapping", '{"session.send"'),
        (NotAMethod, "`session_send` is not a method", "def session_send"),
    ],
)
def test_refused(plugin, reason, remedy):
    """What would silently not work is refused, with the reason and the remedy."""
    with pytest.raises(PluginError) as caught:
        bind(plugin())
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy
