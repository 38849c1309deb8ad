"""The Telegram channel of cobot-session. Importing it imports nothing else until it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_telegram.channel import Telegram
    from cobot_telegram.config import TelegramConfig
else:  # a type checker takes a module with `__getattr__` for one that has any name

    def __getattr__(name: str) -> object:
        from importlib import import_module

        places = {"Telegram": "channel", "TelegramConfig": "config"}
        if name not in places:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{places[name]}"), name)

    def __dir__() -> list[str]:
        return sorted([*globals(), *__all__])


__all__ = ["Telegram", "TelegramConfig"]
