"""What is installed, told from metadata alone: nothing is imported."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

import importlib_metadata

GROUP = "cobot.plugins"
GIVEN = "(given in code)"
"""What stands for the distribution of a plugin that was handed over."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Installed:
    """An entry point of the group `cobot.plugins`.

    Attributes:
        name: the plugin's id.
        value: where its class or factory is, `module:Name`.
        distribution: name of the distribution that brought it.
        version: of that distribution.
    """

    name: str
    value: str
    distribution: str
    version: str

    def load(self) -> Any:
        """Import what the entry point names; raises whatever that import raises."""
        return importlib_metadata.EntryPoint(self.name, self.value, GROUP).load()

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".rstrip()


@dataclass(frozen=True, slots=True)
class Given(Installed):
    """A class or factory that was handed over in code, instead of an entry point.

    Attributes:
        target: the class or factory.
    """

    target: Any = None

    def load(self) -> Any:
        """Return it; nothing is imported."""
        return self.target


def given(name: str, target: Any) -> Given:
    """Return what stands for a class or factory that was handed over in code."""
    value = f"{getattr(target, '__module__', '?')}:{getattr(target, '__qualname__', '?')}"
    return Given(name, value, GIVEN, "", target)


def installed() -> list[Installed]:
    """Return the plugins that are installed, by name.

    A distribution that is found in two places counts where Python would import it from. A name
    that two distributions claim is there twice.
    """
    found: dict[str, list[Installed]] = {}
    for distribution in importlib_metadata.distributions():
        try:
            plugins = _plugins(distribution)
        except Exception:  # anything can lie in a folder of packages
            log.warning("a distribution cannot be read: %s", distribution, exc_info=True)
            continue
        if plugins:
            found.setdefault(_normalised(plugins[0].distribution), plugins)
    every = {plugin for plugins in found.values() for plugin in plugins}
    return sorted(every, key=lambda plugin: (plugin.name, plugin.distribution, plugin.value))


def _plugins(distribution: Any) -> list[Installed]:
    points = distribution.entry_points.select(group=GROUP)
    if not points:
        return []
    name, version = distribution.name, distribution.version
    return [Installed(point.name, point.value, name, version) for point in points]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
