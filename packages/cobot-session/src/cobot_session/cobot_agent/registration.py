"""The bridge as the agent's registry takes it: a subclass of its own `Plugin`."""

from __future__ import annotations

import importlib
import types
from importlib.metadata import version
from typing import Any

from cobot_session.cobot_agent.bridge import PLUGIN_ID, Bridge

IMPLEMENTS = {
    "communication.receive": "receive",
    "communication.send": "send",
    "communication.typing": "typing",
    "communication.channels": "channels",
    "loop.on_message": "on_message",
}
"""The agent's extension points, and the methods of `Bridge` that serve them."""

_PRIORITY = 10
"""Of the agent's own session plugin: after `communication` and `workspace`, before the loop."""


def create_plugin() -> Bridge:
    """Return the plugin; the agent calls this, and makes an object of the same class again.

    Raises:
        ImportError: the agent is not installed here.
    """
    base = importlib.import_module("cobot.plugins.base")
    meta = base.PluginMeta(
        id=PLUGIN_ID,
        version=version("cobot-session"),
        dependencies=["communication"],
        optional_dependencies=["workspace", "pairing"],
        implements=dict(IMPLEMENTS),
        priority=_PRIORITY,
    )

    def fill(namespace: dict[str, Any]) -> None:
        namespace |= {"meta": meta, "__doc__": Bridge.__doc__, "__module__": __name__}

    made: type[Bridge] = types.new_class("CobotSessionPlugin", (Bridge, base.Plugin), {}, fill)
    return made()
