"""A plugin's `meta`, checked and copied into ours, whoever wrote it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from cobot_session.errors import PluginError
from cobot_session.hookspecs import CONTRACT
from cobot_session.plugin import PluginMeta
from cobot_session.registry.installed import GIVEN

if TYPE_CHECKING:
    from cobot_session.registry.installed import Installed

AGENT_PLUGINS = frozenset({"config", "communication", "logger"})
"""Plugins of the cobot agent that its channels depend on; here the session does their work."""

_DEFAULTS: dict[str, Any] = {"dependencies": (), "implements": {}, "priority": 30}
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "id": (str, "a string"),
    "version": (str, "a string"),
    "dependencies": (Collection, "a list of plugin ids"),
    "implements": (Mapping, "a mapping of extension points to method names"),
    "priority": (int, "a whole number"),
    "contract": (int, "a whole number"),
}


def identity(meta: object, origin: Installed) -> PluginMeta:
    """Return a plugin's identity.

    Raises:
        PluginError: there is none, a field has the wrong type, the id is not the entry point's
            name, or it was written for another contract.
    """
    if meta is None:
        raise PluginError(
            "it has no `meta`",
            f'Give its class `meta = PluginMeta(id="{origin.name}", version="1.0.0")`.',
        )
    fields = {name: _field(meta, name, origin) for name in _KINDS}
    if fields["id"] != origin.name:
        raise PluginError(
            f"its `meta.id` is `{fields['id']}` and its entry point is named `{origin.name}`",
            "Give both the same name.",
        )
    check_contract(fields["contract"], origin)
    if not hasattr(meta, "contract"):
        fields["dependencies"] = [it for it in fields["dependencies"] if it not in AGENT_PLUGINS]
    fields["dependencies"] = tuple(fields["dependencies"])
    return PluginMeta(**fields)


def check_contract(contract: object, origin: Installed) -> None:
    """Refuse a plugin that was written for another version of the hooks.

    Raises:
        PluginError: which of the two is older, and how to upgrade it.
    """
    if contract == CONTRACT or not isinstance(contract, int):
        return
    older = "cobot-session" if contract > CONTRACT else origin.distribution
    remedy = "Write it anew." if older == GIVEN else f"Upgrade it: `pip install --upgrade {older}`."
    raise PluginError(
        f"it was written for contract {contract}, and this session has contract {CONTRACT}",
        remedy,
    )


def _field(meta: object, name: str, origin: Installed) -> Any:
    defaults = _DEFAULTS | {"version": origin.version, "contract": CONTRACT}
    value = getattr(meta, name, defaults.get(name))
    kind, shown = _KINDS[name]
    wrong = not isinstance(value, kind) or isinstance(value, bool)
    if name == "dependencies" and not wrong:
        wrong = isinstance(value, str) or any(not isinstance(item, str) for item in value or ())
    if wrong:
        raise PluginError(f"its `meta.{name}` is not {shown}", f"Correct `meta.{name}`.")
    return value
