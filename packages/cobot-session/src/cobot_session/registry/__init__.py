"""Entry points to ordered, checked plugins; what cannot be used stays as a record that says why."""

from cobot_session.config import BUILT_IN
from cobot_session.registry.installed import GROUP, Installed, installed
from cobot_session.registry.record import PluginRecord
from cobot_session.registry.registry import Registry

__all__ = ["BUILT_IN", "GROUP", "Installed", "PluginRecord", "Registry", "installed"]
