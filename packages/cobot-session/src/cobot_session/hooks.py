"""From a plugin object to hooks one can call: pluggy with our rules on top.

A method becomes a hook in one of three ways, and all end in the same pluggy registration: it is
named like one, it is decorated with `hookimpl`, or `meta.implements` maps a hook to it. What would
register and then never be called as its author meant is refused here, with the remedy.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from cobot_session import hookspecs
from cobot_session.errors import PluginError
from cobot_session.hookspecs import HOOKS, PROJECT, hook_name
from cobot_session.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX = "session_"
_ORDERING = ("wrapper", "hookwrapper", "tryfirst", "trylast")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_ARGUMENTS = {name: tuple(inspect.signature(getattr(hookspecs, name)).parameters) for name in HOOKS}


def bind(plugin: object) -> pluggy.PluginManager:
    """Return a manager that knows our hooks and just this plugin, all checks passed.

    Raises:
        PluginError: a hook is unknown, claimed twice, ordered, a generator, or has the wrong
            arguments; or `meta.implements` names what does not exist.
    """
    manager = _Manager(_mapped_methods(plugin))
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, name="plugin")
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        reason = " ".join(str(error).split())
        raise PluginError(reason, "Compare the method with `cobot_session.hookspecs`.") from error
    manager.refuse_doubles()
    return manager


def hooks_of(manager: pluggy.PluginManager) -> frozenset[str]:
    """Return the names of the hooks that the bound plugin has."""
    return frozenset(hook for hook in HOOKS if getattr(manager.hook, hook).get_hookimpls())


class _Manager(pluggy.PluginManager):
    """Takes undecorated and mapped methods for hooks, and refuses what cannot work."""

    def __init__(self, mapped: Mapping[str, str]) -> None:
        super().__init__(PROJECT)
        self._mapped = mapped

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """Return pluggy's options for the attribute `name`, `None` when it is no hook."""
        method = _method(plugin, name)
        if method is None:
            _refuse_attribute(plugin, name)
            return None
        options: dict[str, Any] = {**(super().parse_hookimpl_opts(plugin, name) or {})}
        marked = options.get("specname") or (name if options else None)
        hook = _hook_of(name, marked, self._mapped.get(name))
        if hook is None or (hook not in HOOKS and options.get("optionalhook")):
            return options or None
        _check(hook, name, method, options)
        return options | {"specname": hook}

    def refuse_doubles(self) -> None:
        """Refuse a hook that two methods implement: only one of them would be called."""
        for hook in sorted(HOOKS):
            found = getattr(self.hook, hook).get_hookimpls()
            if len(found) > 1:
                names = " and ".join(f"`{_name(impl.function)}`" for impl in found)
                raise PluginError(f"{names} both implement `{hook}`", "Keep one of them.")


def _mapped_methods(plugin: object) -> dict[str, str]:
    """Return method name -> hook for the points of `meta.implements` that are ours."""
    implements = getattr(getattr(plugin, "meta", None), "implements", None) or {}
    if not isinstance(implements, Mapping):
        raise PluginError(
            "`meta.implements` is not a mapping",
            'Write it as `{"session.send": "the_method"}`.',
        )
    mapped: dict[str, str] = {}
    for point, method in implements.items():
        hook = hook_name(point)
        if hook is None:
            continue
        _check_point(plugin, point, hook, method)
        if mapped.setdefault(method, hook) != hook:
            raise PluginError(
                f"`meta.implements` maps both `{mapped[method]}` and `{hook}` to `{method}`",
                "Give each a method of its own.",
            )
    return mapped


def _check_point(plugin: object, point: str, hook: str, method: str) -> None:
    if hook not in HOOKS:
        raise PluginError(
            f"`meta.implements` names the unknown extension point `{point}`",
            _did_you_mean(hook, point=True),
        )
    if _method(plugin, method) is None:
        raise PluginError(
            f"`meta.implements` maps `{point}` to `{method}`, and there is no such method",
            f"Write `{method}`, or take `{point}` out of `implements`.",
        )


def _method(plugin: object, name: str) -> Callable[..., Any] | None:
    """Return the bound method without running a property or `__getattr__`."""
    static = inspect.getattr_static(plugin, name, None)
    plain = (types.FunctionType, types.MethodType, staticmethod, classmethod)
    return getattr(plugin, name) if isinstance(static, plain) else None


def _refuse_attribute(plugin: object, name: str) -> None:
    """Refuse something named like a hook that cannot be called as one; `None` is a clear no."""
    if name in HOOKS and inspect.getattr_static(plugin, name) is not None:
        raise PluginError(f"`{name}` is not a method", f"Define it as `def {name}(self, …)`.")


def _hook_of(name: str, marked: str | None, mapped: str | None) -> str | None:
    """Return the hook that the method `name` implements, if it is one."""
    named = name if name.startswith(_PREFIX) and marked is None else None
    claims = {claim for claim in (named or marked, mapped) if claim}
    if mapped and marked == name and name not in HOOKS:
        claims.discard(name)  # decorated and mapped: the map says which hook it is
    if len(claims) > 1:
        both = " and ".join(f"`{claim}`" for claim in sorted(claims))
        raise PluginError(
            f"`{name}` stands for {both} at once",
            "Map the extension point to a method with a name of its own.",
        )
    return claims.pop() if claims else None


def _check(hook: str, name: str, method: Callable[..., Any], options: Mapping[str, Any]) -> None:
    if hook not in HOOKS:
        raise PluginError(f"`{name}` is an unknown hook", _did_you_mean(hook))
    if ordering := [option for option in _ORDERING if options.get(option)]:
        raise PluginError(
            f"`{name}` is declared with `{ordering[0]}`, and hooks of one plugin have no order",
            "Decorate it with a plain `@hookimpl`, or not at all.",
        )
    function = inspect.unwrap(method)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(f"`{name}` is a generator", "Return the result instead of yielding it.")
    for parameter in inspect.signature(method).parameters.values():
        _check_parameter(hook, name, parameter)


def _check_parameter(hook: str, name: str, parameter: inspect.Parameter) -> None:
    """Refuse a parameter that pluggy would never fill: it passes by name, and only plain ones."""
    spec = _ARGUMENTS[hook]
    known = f"`{hook}` takes {_listed(spec)}; a method may take fewer"
    if parameter.kind in _VARIADIC:
        raise PluginError(
            f"`{name}` takes `{parameter}`, which stays empty",
            f"Name its arguments (a decorator does so with `functools.wraps`): {known}.",
        )
    optional = parameter.default is not parameter.empty
    meant = nearest(parameter.name, spec)
    if parameter.name not in spec and not (optional and meant is None):
        hint = f" Did you mean `{meant}`?" if meant else ""
        raise PluginError(
            f"`{name}` has the unknown argument `{parameter.name}`", f"{known}.{hint}"
        )
    if parameter.name in spec and (optional or parameter.kind is parameter.KEYWORD_ONLY):
        raise PluginError(
            f"the argument `{parameter.name}` of `{name}` would never be filled",
            "Make it a plain argument, without a default and not after `*`.",
        )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "no argument"


def _did_you_mean(hook: str, *, point: bool = False) -> str:
    """Return the remedy for an unknown hook; what all hooks begin with makes no two alike."""
    _, _, last = hook.partition("_")
    meant = nearest(last, (name.removeprefix(_PREFIX) for name in HOOKS))
    if meant is None:
        return "The hooks stand in `cobot_session.hookspecs`; another method is named otherwise."
    return f"Did you mean `session{'.' if point else '_'}{meant}`?"


def _name(function: object) -> str:
    return str(getattr(function, "__name__", function))
