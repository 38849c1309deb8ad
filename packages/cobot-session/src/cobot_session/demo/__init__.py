"""The demonstration: networks of this machine, people on them, and one agent who answers all."""

from cobot_session.demo.scene import GROUP, Person, Scene, Seen

__all__ = ["GROUP", "Person", "Scene", "Seen"]
