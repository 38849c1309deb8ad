"""What is known of one plugin, whether it can be used or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cobot_session.config import CommonSettings
from cobot_session.hookspecs import CHANNEL_HOOKS, OBSERVER_HOOKS
from cobot_session.plugin import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from cobot_session.plugin import PluginMeta

RecordState: TypeAlias = Literal["ready", "disabled", "unconfigured", "failed"]


@dataclass(slots=True)
class PluginRecord:
    """One plugin as configured.

    Attributes:
        id: name of its block; for a channel the `channel_type`.
        use: name of its entry point.
        distribution: what brought it; empty when nothing installed has that name.
        version: of the distribution.
        state: `ready`; `disabled` by its block; `unconfigured`: settings that it requires are
            absent; `failed`: it cannot be used.
        reason: why it is not `ready`.
        remedy: what to do about it.
        meta: its identity, as ours whatever it was written with.
        factory: makes a fresh object at each call.
        hooks: names of the hooks it has.
        limits: its platform's.
        model: the model of its settings, if it has one.
        config: its settings for `configure`: the validated model, or a dict.
        common: the settings that every plugin has.
        access: what its settings' `access()` returned.
        dependencies: ids of the records it needs.
        priority: order among independent plugins; lower is earlier.
    """

    id: str
    use: str
    distribution: str = ""
    version: str = ""
    state: RecordState = "ready"
    reason: str = ""
    remedy: str = ""
    meta: PluginMeta | None = None
    factory: Callable[[], object] | None = field(default=None, repr=False)
    hooks: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    model: type[BaseModel] | None = None
    config: Any = field(default=None, repr=False)
    common: CommonSettings = field(default_factory=CommonSettings)
    access: Any = None
    dependencies: tuple[str, ...] = ()
    priority: int = 30

    @property
    def is_channel(self) -> bool:
        """Whether it can receive or send."""
        return bool(self.hooks & CHANNEL_HOOKS)

    @property
    def is_observer(self) -> bool:
        """Whether it watches; a channel may do so, too."""
        return bool(self.hooks & OBSERVER_HOOKS)

    def rest(self, state: RecordState, reason: str, remedy: str = "") -> None:
        """Put the plugin aside, with the reason and the remedy."""
        self.state, self.reason, self.remedy = state, reason, remedy
